"""What ID² and iTLS take of a board's memory as code."""

from tools.image import device_files, release

BOUND = 9 * 1024
WHOLE = "aliot/id2/__init__"  # ID² and iTLS, joined
REFUSED = "aliot/transport/itls/alerts"  # read when either side refuses
EMPTY = "aliot/id2/provisioning"  # loaded where there is no identity yet


def parts():
    """{unit: bytes of .mpy} of all modules of ID² and iTLS."""
    return {
        name: size
        for name, size in device_files.sizes().items()
        if name.startswith(("aliot/id2/", "aliot/transport/itls/"))
    }


def test_all_of_id2_and_itls_is_at_most_9_kb():
    sizes = parts()
    assert set(sizes) == {WHOLE, REFUSED, EMPTY}, sizes
    assert sum(sizes.values()) <= BOUND, sizes


def test_no_module_of_them_lies_elsewhere():
    units = release.units(release.sources())
    homes = {name: unit for unit, names in units.items() for name in names}
    mine = {name for name in homes if name.startswith(("aliot.id2", "aliot.transport.itls"))}
    assert len(mine) > 4 and {release.file(homes[name]) for name in mine} == {WHOLE, REFUSED, EMPTY}
