"""What ID² and iTLS take of a board's memory as code."""

from tools.image import firmware

BOUND = 9 * 1024
REFUSED = "aliot/transport/itls/alerts"  # read when either side refuses
EMPTY = "aliot/id2/provisioning"  # loaded where there is no identity yet


def parts():
    """{module: bytes of .mpy} of all modules of ID² and iTLS."""
    return {
        name: size
        for name, size in firmware.sizes().items()
        if name.startswith(("aliot/id2/", "aliot/transport/itls/"))
    }


def test_all_of_id2_and_itls_is_at_most_9_kb():
    sizes = parts()
    assert set(sizes) >= {REFUSED, EMPTY, "aliot/id2/__init__", "aliot/transport/itls/__init__"}, sizes
    assert sum(sizes.values()) <= BOUND, sizes
