"""What ID² and iTLS take of a board's memory as code."""

from tools.image import firmware

BOUND = 9 * 1024
REFUSED = "aliot/transport/itls/alerts"  # read when a server's alert or an error's advice is
EMPTY = "aliot/id2/provisioning"  # loaded where no identity is burned


def parts():
    """{module: bytes of .mpy} of all modules of ID² and iTLS."""
    return {
        name: size
        for name, size in firmware.sizes().items()
        if name.startswith(("aliot/id2/", "aliot/transport/itls/"))
    }


def test_what_any_board_loads_of_id2_and_itls_is_at_most_9_kb():
    sizes = parts()
    whole = sum(sizes.values())
    refused, empty = sizes.pop(REFUSED), sizes.pop(EMPTY)
    burned = sum(sizes.values())
    print(f"with an identity {burned} bytes of .mpy, without one {burned + empty}, in all {whole}")
    assert refused and burned + empty <= BOUND
