"""The file of sub-devices: what is kept is found again, whatever happens to the file."""

import os

from aliot.errors import StoreError
from aliot.gateway.compacting import compact
from aliot.gateway.errors import GatewayError
from aliot.gateway.reading import read, scan
from aliot.gateway.records import keep, write
from aliot.gateway.room import make_room
from aliot.gateway.rows import ATTACHED, CHUNK, GONE, KEYS, ONLINE, ROWS, WANTED, Rows, key_of
from scripted import raises

HEAP = "256K"
PATH = "/subdevices"
TABLES = {
    "test_whatever_is_done_to_a_byte_only_its_record_is_lost": [
        (0,),
        (1,),
        (2,),
        (30,),
        (61,),
        (62,),
        (-1,),
        (-30,),
    ],
    "test_a_file_cut_anywhere_keeps_all_before": [
        (0,),
        (1,),
        (5,),
        (60,),
        (66,),
        (67,),
        (68,),
        (130,),
        (199,),
    ],
}


def sub(number):
    return ("a1SubProdKy", "sensor-%04d" % number, "Secret%026d" % number)


def records(**settings):
    """Rows as the file has them."""
    made = Rows(PATH, **settings)
    read(made)
    return made


def filled(count, **settings):
    made = records(**settings)
    for at in range(0, count, 30):
        keep(made, [sub(number) for number in range(at, min(at + 30, count))])
    return made


def held(made):
    """{(ProductKey, DeviceName): (secret, attached)}"""
    found = {}
    for row in range(made.count):
        key, name, secret = made.entry(row)
        found[key, name] = (secret, bool(made.state(row) & ATTACHED))
    return found


def expected(numbers, attached=()):
    return {sub(number)[:2]: (sub(number)[2], number in attached) for number in numbers}


def clear():
    for name in (PATH, PATH + ".new"):
        try:
            os.remove(name)
        except OSError:
            pass


def attach(made, numbers, state=ATTACHED):
    for number in numbers:
        made.change(made.find(sub(number)[:2]), 0, state)
    write(made)


def test_what_is_kept_is_there_after_a_reset():
    made = filled(70)
    attach(made, range(10, 20))
    assert held(made) == expected(range(70), range(10, 20))
    again = records()
    assert held(again) == held(made)
    assert again.find(sub(69)[:2]) == 69 and again.find(("a1SubProdKy", "sensor-0070")) == -1
    made.change(3, ATTACHED)
    made.change(made.find(sub(12)[:2]), ATTACHED)
    write(made)
    assert held(records()) == expected(range(70), [n for n in range(10, 20) if n != 12])


def test_states_of_the_moment_are_not_kept():
    made = filled(2)
    made.change(0, 0, ONLINE | WANTED)
    write(made)
    assert not records().state(0) & (ONLINE | WANTED)


def test_a_batch_is_one_write():
    made = filled(30)
    size = os.stat(PATH)[6]
    assert size == made.size == 30 * (2 + 1 + 11 + 1 + 11 + 32 + 4)
    attach(made, range(30))
    assert os.stat(PATH)[6] == size + 6 + 4 * 30
    write(made)
    assert os.stat(PATH)[6] == size + 126  # nothing has changed, nothing is written


def test_a_secret_that_comes_again_goes_before_the_old_one():
    made = filled(5)
    attach(made, [2])
    keep(made, [("a1SubProdKy", "sensor-0002", "another secret".replace(" ", "-"))])
    assert made.count == 5
    for one in (made, records()):
        assert held(one)["a1SubProdKy", "sensor-0002"] == ("another-secret", True)


def test_what_is_dropped_is_gone_and_the_others_are_not():
    made = filled(40)
    attach(made, range(0, 40, 2))
    gone = [0, 1, 7, 20, 38, 39]
    attach(made, gone, GONE)
    left = [number for number in range(40) if number not in gone]
    for one in (made, records()):
        assert held(one) == expected(left, range(0, 40, 2))
    keep(made, [sub(7)])
    assert held(records()) == expected(left + [7], [number for number in range(0, 40, 2)])


def test_a_file_of_dead_records_is_written_anew():
    made = filled(30)
    for number in range(400):
        keep(made, [sub(number % 30)])
        assert os.stat(PATH)[6] < 12000
    assert held(records()) == held(made) == expected(range(30))
    sizes = os.stat(PATH)[6]
    compact(made)
    assert os.stat(PATH)[6] <= sizes and made.dead == 0
    assert held(made) == held(records()) == expected(range(30))


def test_compaction_keeps_what_is_attached_and_the_states_of_the_moment():
    made = filled(10)
    attach(made, [3, 4])
    made.change(3, 0, ONLINE)
    compact(made)
    assert made.state(3) & ONLINE and held(records()) == expected(range(10), [3, 4])


def spoil(change):
    with open(PATH, "rb") as file:
        data = bytearray(file.read())
    data = change(data)
    with open(PATH, "wb") as file:
        file.write(data)
    return data


def test_whatever_is_done_to_a_byte_only_its_record_is_lost(at):
    clear()
    made = filled(6)
    attach(made, range(6))
    size = made.size

    def change(data):
        data[at] ^= 0x55
        return data

    spoil(change)
    lost = [at // 62] if at >= 0 else []
    again = records()
    left = [number for number in range(6) if number not in lost]
    assert held(again) == expected(left, left if lost else [])  # the last record says what is attached
    keep(again, [sub(100)])  # what comes after goes onto clean ground
    assert held(records()) == expected(left + [100], left if lost else []) and again.torn is False
    assert os.stat(PATH)[6] < size + 62


def test_a_file_cut_anywhere_keeps_all_before(at):
    clear()
    filled(4)
    spoil(lambda data: data[:at])
    whole = at // 62
    again = records()
    assert held(again) == expected(range(whole))
    keep(again, [sub(50)])
    assert held(records()) == expected(list(range(whole)) + [50])


def test_what_was_torn_in_the_middle_hides_nothing_after_it():
    filled(4)
    spoil(lambda data: data[:70] + bytes(23) + b"S\xff\x00T" + data[124:])
    assert held(records()) == expected([0, 2, 3])


def test_a_half_written_new_file_is_removed():
    filled(3)
    with open(PATH + ".new", "wb") as file:
        file.write(b"half")
    assert held(records()) == expected(range(3))
    raises(OSError, os.stat, PATH + ".new")


def test_there_is_a_limit():
    made = filled(5, limit=5)
    problem = raises(GatewayError, keep, made, [sub(6)])
    assert problem.code == "gateway.full" and problem.retry == "never"
    keep(made, [sub(1)])
    assert held(records()) == expected(range(5))


def test_a_file_system_that_takes_nothing_loses_nothing():
    made = filled(3)
    made.path = "/no/such/folder"
    raises(StoreError, keep, made, [sub(7)])
    assert made.count == 3
    made.path = PATH
    keep(made, [sub(7)])
    assert held(records()) == expected([0, 1, 2, 7])


def test_names_that_share_a_crc_are_told_apart():
    made = records()
    a, b = ("a1SubProdKy", "sensor-0001"), ("a1SubProdKy", "sensor-0002")
    keep(made, [a + ("secret-a",), b + ("secret-b",)])
    made.put(1, KEYS, 4, key_of(a))
    assert made.find(a) == 0
    made.put(0, KEYS, 4, key_of(b))
    made.put(1, KEYS, 4, key_of(b))
    assert made.find(b) == 1


def test_ram_is_11_bytes_a_row():
    made = filled(64)
    assert made.count == 64
    assert sum([len(chunk) for chunk in made.chunks]) == 11 * 64 == CHUNK // ROWS * 64


def test_scan_tells_of_what_is_no_record():
    filled(2)
    with open(PATH, "rb") as file:
        assert [kind for at, kind, body in scan(file)] == [83, 83]
    spoil(lambda data: b"\0" + data)
    with open(PATH, "rb") as file:
        kinds = [kind for at, kind, body in scan(file)]
    assert kinds.count(83) == 2 and kinds.count(0) == 1


def test_1500_is_the_limit_and_2000_a_switch():
    problem = raises(GatewayError, make_room, Rows(PATH), 1501)
    assert (problem.code, problem.detail) == ("gateway.full", "1501 sub-devices")
    wide = Rows(PATH, 2000)
    wide.online = True
    assert make_room(wide, 2000) and len(wide.chunks) * ROWS >= 2000
    assert raises(GatewayError, make_room, wide, 2001).code == "gateway.full"
