"""The outbox: order, bounds, ids and times, in memory and in a file."""

import os
from time import ticks_ms

from aliot import ticks
from aliot.errors import StoreError
from aliot.thing import entries, outbox

HEAP = "256K"
PATH = "/outbox"
NOW = 1800000000000
TABLES = {
    "test_what_is_put_comes_back_as_it_was": [
        ("number", "property", {"Temperature": 21.5}),
        ("text", "property", {"Name": '\u6e29\u5ea6 "x"\n'}),
        ("nested", "Overheat", {"value": {"list": [1, 2, {"a": None}], "on": True}}),
        ("empty", "module:alarm", {}),
        ("long", "property", {"Text": "x" * 3000}),
    ],
    "test_order_and_acknowledgements": [("memory", None), ("file", "/outbox")],
    "test_the_oldest_give_way_and_are_counted": [("memory", None), ("file", "/outbox")],
    "test_what_is_larger_than_the_outbox_is_refused": [("memory", None), ("file", "/outbox")],
    "test_the_clock_comes_later": [("memory", None), ("file", "/outbox")],
    "test_an_id_that_nobody_has_ends_nothing": [("memory", None), ("file", "/outbox")],
    "test_a_file_cut_anywhere_keeps_all_before": [(1,), (3,), (6,), (7,), (20,), (38,), (39,), (50,)],
    "test_a_byte_that_is_spoiled_costs_its_record": [(0,), (2,), (5,), (11,), (30,), (-1,)],
}


class Outbox(outbox.Outbox):
    """With what aliot.thing.entries does to one as methods."""

    head, sent, stamp = entries.head, entries.sent, entries.stamp


def clear():
    for name in (PATH, PATH + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass


def numbers(outbox, **options):
    return [entry[0] for entry in outbox.head(1000, **options)]


def pass_time(ms):
    """Let the uptime go on by so many milliseconds."""
    ticks._passed += ms


def power_on():
    """The uptime begins anew."""
    ticks._passed = 0
    ticks._last = ticks_ms()


def test_what_is_put_comes_back_as_it_was(name, kind, params):
    clear()
    for path in (None, PATH):
        outbox = Outbox(path=path)
        assert outbox.put(kind, params, NOW) == 1
        assert outbox.head(5) == [(1, kind, params, NOW, 0)]
    assert Outbox(path=PATH).head() == [(1, kind, params, NOW, 0)]


def test_order_and_acknowledgements(name, path):
    clear()
    outbox = Outbox(path=path)
    assert outbox.head(3) == [] and len(outbox) == 0
    for number in range(1, 9):
        assert outbox.put("property", {"N": number}, NOW + number) == number
    assert numbers(outbox) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [entry[0] for entry in outbox.head(2)] == [1, 2]
    assert [entry[0] for entry in outbox.head(2, after=5)] == [6, 7]
    outbox.sent(1, 4294967295, 3)
    outbox.sent(5, 100)
    assert [entry[4] for entry in outbox.head(6)] == [4294967295] * 3 + [0, 100, 0]
    assert outbox.acknowledged(100) == 1
    assert outbox.acknowledged(4294967295) == 3
    assert outbox.head(2) == [
        (4, "property", {"N": 4}, NOW + 4, 0),
        (6, "property", {"N": 6}, NOW + 6, 0),
    ]
    outbox.sent(4, 7, 8)
    assert outbox.acknowledged(7) == 4
    assert len(outbox) == outbox.used == outbox.dropped == 0
    assert outbox.put("property", {}, NOW) == 9


def test_an_id_that_nobody_has_ends_nothing(name, path):
    clear()
    outbox = Outbox(path=path)
    outbox.put("property", {"N": 1}, NOW)
    outbox.put("property", {"N": 2}, NOW, 12)
    assert outbox.acknowledged(0) == outbox.acknowledged(11) == 0
    outbox.sent(5, 11)
    assert outbox.acknowledged(11) == 0
    assert numbers(outbox) == [1, 2]
    assert outbox.acknowledged(12) == 1 and outbox.acknowledged(12) == 0


def test_the_oldest_give_way_and_are_counted(name, path):
    clear()
    outbox = Outbox(5, 200, path)
    for number in range(8):
        outbox.put("property", {"N": number}, NOW)
    assert numbers(outbox) == [4, 5, 6, 7, 8] and outbox.dropped == 3
    outbox.put("property", {"Text": "x" * 140}, NOW)
    assert outbox.used <= 200 and numbers(outbox) == [8, 9] and outbox.dropped == 7
    if path:
        again = Outbox(5, 200, path)
        assert numbers(again) == [8, 9] and again.dropped == 7 and again.used == outbox.used


def test_what_is_larger_than_the_outbox_is_refused(name, path):
    clear()
    outbox = Outbox(5, 100, path)
    outbox.put("property", {"N": 1}, NOW)
    try:
        outbox.put("property", {"Text": "x" * 100}, NOW)
        raise AssertionError("taken")
    except ValueError:
        pass
    assert numbers(outbox) == [1] and outbox.dropped == 0 and outbox.next == 2


def test_the_clock_comes_later(name, path):
    clear()
    outbox = Outbox(path=path)
    outbox.put("property", {"N": 1})
    pass_time(5000)
    outbox.put("property", {"N": 2}, 946684800000)  # a clock of the year 2000 is none
    outbox.put("property", {"N": 3}, NOW)
    outbox.put("property", {"N": 4})
    outbox.sent(4, 9)
    assert [entry[3] for entry in outbox.head(4)] == [None, None, NOW, None]
    assert outbox.stamp(946684800000) == 0
    pass_time(1000)
    assert outbox.stamp(NOW) == 2
    times = [entry[3] for entry in outbox.head(4)]
    assert 0 <= NOW - 1000 - times[1] < 3000 and times[1] - times[0] >= 5000
    assert times[2:] == [NOW, None]  # what was sent without a time keeps none
    assert outbox.stamp(NOW + 1000) == 0
    assert [entry[3] for entry in outbox.head(4)] == times
    if path:
        assert [entry[3] for entry in Outbox(path=path).head(4)] == times


def test_what_earlier_starts_had_no_time_for_gets_the_latest_that_it_can_be():
    clear()
    power_on()
    for puts in ((1000, 3000), (500, 200), (100,)):  # uptimes between the puts of three starts
        power_on()
        outbox = Outbox(path=PATH)
        for ms in puts:
            pass_time(ms)
            outbox.put("property", {})
    pass_time(50)
    assert outbox.stamp(NOW) == 5
    times = [entry[3] for entry in outbox.head(5)]
    gaps = [NOW - time for time in times]
    for gap, least in zip(gaps, (50 + 100 + 500 + 200 + 3000, 50 + 100 + 500 + 200, 350, 150, 50)):
        assert least <= gap < least + 3000, gaps
    assert times == sorted(times)


def test_ids_and_times_outlive_a_restart():
    clear()
    outbox = Outbox(path=PATH)
    outbox.put("property", {"N": 1}, NOW)
    outbox.put("property", {"N": 2}, NOW, 77)
    outbox.sent(1, 76)
    assert Outbox(path=PATH).head(2) == [
        (1, "property", {"N": 1}, NOW, 76),
        (2, "property", {"N": 2}, NOW, 77),
    ]


def test_acknowledgements_are_written_with_the_next_write_or_in_eights():
    clear()
    outbox = Outbox(path=PATH)
    for number in range(1, 13):
        outbox.put("property", {"N": number}, NOW, number)
    before = os.stat(PATH)[6]
    for id in range(1, 8):
        outbox.acknowledged(id)
    assert os.stat(PATH)[6] == before and numbers(Outbox(path=PATH)) == list(range(1, 13))
    outbox.acknowledged(8)
    assert numbers(Outbox(path=PATH)) == [9, 10, 11, 12]
    outbox.acknowledged(9)
    outbox.put("property", {}, NOW)
    assert numbers(Outbox(path=PATH)) == [10, 11, 12, 13]
    outbox.acknowledged(10)
    outbox.flush()
    outbox.flush()
    assert numbers(Outbox(path=PATH)) == [11, 12, 13]


def test_a_number_is_never_given_twice():
    clear()
    outbox = Outbox(path=PATH)
    for number in range(1, 40):
        outbox.put("property", {"Text": "x" * 60}, NOW, number)
        outbox.acknowledged(number)
    outbox.flush()
    outbox.put("property", {}, NOW, 40)
    outbox.file.compact()
    outbox.put("property", {}, NOW, 41)
    outbox.acknowledged(41)
    outbox.file.compact()
    again = Outbox(path=PATH)
    assert numbers(again) == [40] and again.put("property", {}, NOW) == 42


def test_the_file_stays_small():
    clear()
    outbox = Outbox(20, 1024, PATH)
    most = 0
    for number in range(1, 400):
        outbox.put("property", {"N": number}, NOW, number)
        if number % 3:
            outbox.acknowledged(number)
        most = max(most, os.stat(PATH)[6])
        if number % 50 == 0:
            outbox.flush()
            assert numbers(Outbox(20, 1024, PATH)) == numbers(outbox)
    assert most < 2 * (1024 + 20 * 15) + 1024, most
    dropped = outbox.dropped
    assert dropped == 399 // 3 - len(outbox)
    again = Outbox(20, 1024, PATH)
    assert again.dropped == dropped and again.next == 400


def test_a_file_cut_anywhere_keeps_all_before(lost):
    clear()
    outbox = Outbox(path=PATH)
    for number in range(1, 5):
        outbox.put("property", {"N": number}, NOW)
    with open(PATH, "rb") as file:
        whole = file.read()
    size = len(whole) // 4
    with open(PATH, "wb") as file:
        file.write(whole[: len(whole) - lost])
    left = 4 - (lost + size - 1) // size
    outbox = Outbox(path=PATH)
    assert numbers(outbox) == list(range(1, left + 1))
    assert outbox.put("property", {"N": 9}, NOW) == left + 1
    assert [entry[2]["N"] for entry in Outbox(path=PATH).head(9)] == list(range(1, left + 1)) + [9]


def test_a_byte_that_is_spoiled_costs_its_record(place):
    clear()
    outbox = Outbox(path=PATH)
    for number in range(1, 5):
        outbox.put("property", {"N": number}, NOW)
    with open(PATH, "rb") as file:
        whole = bytearray(file.read())
    size = len(whole) // 4
    whole[size + place % size] ^= 0x55
    with open(PATH, "wb") as file:
        file.write(whole)
    outbox = Outbox(path=PATH)
    assert numbers(outbox) == [1, 3, 4]
    outbox.put("property", {"N": 5}, NOW)
    assert [entry[2]["N"] for entry in Outbox(path=PATH).head(9)] == [1, 3, 4, 5]
    assert os.stat(PATH)[6] < 4 * size + 20  # written anew


def test_a_file_that_cannot_be_written_changes_nothing():
    clear()
    outbox = Outbox(path=PATH)
    outbox.put("property", {"N": 1}, NOW)
    for path in ("/no/folder/outbox", "/no/folder/outbox"):
        outbox.file.path = path
        for call in (lambda: outbox.put("property", {}, NOW), lambda: outbox.sent(1, 5), outbox.head):
            try:
                call()
                raise AssertionError("taken")
            except StoreError:
                pass
    outbox.file.path = PATH
    assert outbox.head() == [(1, "property", {"N": 1}, NOW, 0)] and outbox.next == 2
    outbox.put("property", {"N": 2}, NOW)
    assert numbers(Outbox(path=PATH)) == numbers(outbox) == [1, 2]
