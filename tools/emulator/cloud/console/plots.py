"""Lines over time as SVG, drawn here, so that a page shows them without a script; a live region moves them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

WIDTH, HEIGHT, LEFT, BELOW = 600, 120, 44, 18
POINTS = 300  # of one line; more are thinned out


def plot(series: Sequence[tuple[str, Sequence[tuple[float, float]]]], unit: str, title: str) -> Markup:
    """An SVG of up to three lines, each (name, [(x in seconds, y)]); `unit` stands at the highest value."""
    points = [point for _, line in series for point in line]
    if not points:
        return Markup('<p class="empty">–</p>')
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    low, high = bounds([y for _, y in points])
    lines = [
        Markup('<polyline class="line line-{}" points="{}"><title>{}</title></polyline>').format(
            number, path(thinned(line), (first, last), (low, high)), name
        )
        for number, (name, line) in enumerate(series, 1)
    ]
    legend = Markup("").join(
        Markup('<span class="legend legend-{}">{}</span> ').format(number, name)
        for number, (name, _) in enumerate(series, 1)
        if len(series) > 1
    )
    return Markup(FRAME).format(
        title=title, unit=unit, high=short(high), low=short(low), lines=Markup("").join(lines), legend=legend,
        span=span(last - first), width=WIDTH, height=HEIGHT + BELOW, left=LEFT, right=WIDTH - 2, base=HEIGHT - 1,
        foot=HEIGHT + BELOW - 4,
    )  # fmt: skip


FRAME = (
    '<figure class="plot"><figcaption>{title} {legend}</figcaption>'
    '<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}: {low}–{high} {unit}">'
    '<line class="axis" x1="{left}" y1="{base}" x2="{right}" y2="{base}"/>'
    '<text x="2" y="12">{high}</text><text x="2" y="26">{unit}</text><text x="2" y="{base}">{low}</text>'
    '<text x="{left}" y="{foot}">−{span}</text>{lines}</svg></figure>'
)


def bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(0.0, *values), max(values)
    return low, high if high > low else low + 1


def path(points: Sequence[tuple[float, float]], xs: tuple[float, float], ys: tuple[float, float]) -> str:
    wide, tall = (xs[1] - xs[0]) or 1, ys[1] / 2 - ys[0] / 2  # halves: the whole may be beyond a double
    placed = (((x - xs[0]) / wide, (y / 2 - ys[0] / 2) / tall) for x, y in points)
    return " ".join(
        f"{LEFT + right * (WIDTH - LEFT - 4):.1f},{HEIGHT - 2 - up * (HEIGHT - 8):.1f}"
        for right, up in placed
    )


def thinned(points: Sequence[Any]) -> Sequence[Any]:
    """At most about `POINTS` of them; of each group the highest stays, so that no peak is lost."""
    step = -(-len(points) // POINTS) or 1
    return [max(points[at : at + step], key=lambda one: one[1]) for at in range(0, len(points), step)]


def short(number: float) -> str:
    return f"{number:.3g}" if abs(number) < 10_000 else f"{number / 1000:.3g}k"


def span(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
