"""esp32.NVS as it was measured on the chip: limits, error numbers, what a name may be."""

import esp32

NOT_FOUND = -4354
NOT_ENOUGH_SPACE = -4357
KEY_TOO_LONG = -4361
INVALID_LENGTH = -4364


def fails(function, *args):
    """The arguments of the OSError that a call ends with."""
    try:
        function(*args)
    except OSError as error:
        return error.args
    raise AssertionError("did not fail")


def blob(nvs, key, size=9000):
    buffer = bytearray(size)
    return bytes(buffer[: nvs.get_blob(key, buffer)])


def test_numbers_and_blobs_come_back():
    nvs = esp32.NVS("aliot")
    for value in (0, 1, -1, 2147483647, -2147483648):
        nvs.set_i32("n", value)
        assert nvs.get_i32("n") == value
    for value in (b"", b"x", bytes(range(256)) * 5):
        nvs.set_blob("b", value)
        assert blob(nvs, "b") == value
    nvs.commit()


def test_another_namespace_is_another_place():
    one, two = esp32.NVS("one"), esp32.NVS("two")
    one.set_i32("n", 1)
    two.set_i32("n", 2)
    assert (one.get_i32("n"), two.get_i32("n"), esp32.NVS("one").get_i32("n")) == (1, 2, 1)


def test_a_text_is_taken_as_a_blob():
    nvs = esp32.NVS("aliot")
    nvs.set_blob("t", "text")
    nvs.set_blob("m", memoryview(b"view"))
    assert (blob(nvs, "t"), blob(nvs, "m")) == (b"text", b"view")


def test_what_is_not_there_and_what_is_of_another_type():
    nvs = esp32.NVS("aliot")
    assert fails(nvs.get_i32, "n") == (NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
    assert fails(nvs.get_blob, "n", bytearray(4))[0] == NOT_FOUND
    assert fails(nvs.erase_key, "n")[0] == NOT_FOUND
    nvs.set_i32("n", 1)
    assert fails(nvs.get_blob, "n", bytearray(4))[0] == NOT_FOUND
    nvs.erase_key("n")
    assert fails(nvs.get_i32, "n")[0] == NOT_FOUND


def test_a_buffer_that_is_too_small():
    nvs = esp32.NVS("aliot")
    nvs.set_blob("b", b"12345")
    assert fails(nvs.get_blob, "b", bytearray(4)) == (INVALID_LENGTH, "ESP_ERR_NVS_INVALID_LENGTH")
    assert nvs.get_blob("b", bytearray(5)) == 5


def test_names_have_at_most_15_characters():
    nvs = esp32.NVS("fifteen-letters")
    nvs.set_i32("fifteen-letters", 1)
    for call in (lambda: esp32.NVS("sixteen-letters!"), lambda: nvs.set_i32("sixteen-letters!", 1)):
        assert fails(call) == (KEY_TOO_LONG, "ESP_ERR_NVS_KEY_TOO_LONG")


def test_a_number_has_32_bits():
    nvs = esp32.NVS("aliot")
    for value in (2147483648, -2147483649):
        try:
            nvs.set_i32("n", value)
        except OverflowError:
            continue
        raise AssertionError("did not fail")


def test_8000_bytes_fit_and_more_than_the_partition_does_not():
    nvs = esp32.NVS("aliot")
    nvs.set_blob("b", bytes(8000))
    assert blob(nvs, "b") == bytes(8000)
    assert fails(nvs.set_blob, "c", bytes(12000)) == (NOT_ENOUGH_SPACE, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
    assert blob(nvs, "b") == bytes(8000)


def test_many_writes_go_round_the_pages():
    nvs = esp32.NVS("aliot")
    nvs.set_blob("kept", b"kept")
    for i in range(400):
        nvs.set_blob("b", bytes([i & 255]) * 32)
    assert blob(nvs, "b") == bytes([399 & 255]) * 32
    assert blob(nvs, "kept") == b"kept"
