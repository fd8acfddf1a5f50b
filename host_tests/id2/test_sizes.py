"""What ID² and iTLS take of a board's memory as code."""

from tools.image import firmware

# loaded when their moment comes: an alert of the server's, a first identity, an application that asks
ON_DEMAND = ("id2/provisioning", "id2/secrets", "transport/itls/alerts")


def parts():
    """{module: bytes of .mpy} of all modules of ID² and iTLS."""
    return {
        name: size
        for name, size in firmware.sizes().items()
        if name.startswith(("aliot/id2/", "aliot/transport/itls/"))
    }


def test_what_a_board_with_an_identity_loads_is_at_most_9_kb():
    sizes = parts()
    assert set(f"aliot/{name}" for name in ON_DEMAND) < set(sizes)
    loaded = sum(size for name, size in sizes.items() if name.removeprefix("aliot/") not in ON_DEMAND)
    print(f"id2 and itls: {loaded} bytes of .mpy loaded, {sum(sizes.values())} in all")
    assert loaded <= 9 * 1024
