"""Two media, generations, healing, and read-back, on media that fail in every way."""

from aliot import record
from aliot.credentials import DeviceCertificate, ProductCertificate
from aliot.errors import StoreError
from aliot.identities import burned
from aliot.store import Store
from scripted import Medium, raises

PRODUCT = {
    record.KIND: b"product",
    record.PRODUCT_KEY: b"a1TESTpk001",
    record.DEVICE_NAME: b"dev_0001",
    record.PRODUCT_SECRET: b"ProductSecret016",
    record.METHOD: b"mqtt",
}
IDENTITY = ProductCertificate("a1TESTpk001", "dev_0001", "ProductSecret016", "mqtt")


def board(generation=100, fields=PRODUCT, faults=(None, None)):
    media = (Medium("nvs", faults[0]), Medium("littlefs", faults[1]))
    for medium in media:
        medium.kept["burned"] = record.encode(record.BURNED, generation, fields)
    return media


def secret(number):
    return DeviceCertificate("a1TESTpk001", "dev_0001", "%032d" % number)


def issued(media, generation=100):
    found = Store(media).issued(generation, IDENTITY)
    return found and found[record.DEVICE_SECRET].decode()


def test_a_burned_record_is_loaded():
    media = board()
    store = Store(media)
    assert store.burned() == (100, PRODUCT)
    assert store.health == {"nvs": "ok", "littlefs": "ok"}
    assert media[0].writes == media[1].writes == 0


def test_nothing_is_burned():
    assert Store((Medium("nvs"), Medium("littlefs"))).burned() == (0, {})


def test_a_lost_or_torn_copy_is_healed_by_the_other():
    for lost in (0, 1):
        for damage in (None, b"", b"AL\x01B", board()[0].kept["burned"][:-1]):
            media = board()
            good = media[lost].kept.pop("burned")
            if damage is not None:
                media[lost].kept["burned"] = damage
            assert Store(media).burned() == (100, PRODUCT)
            assert media[lost].kept["burned"] == good


def test_the_newest_generation_wins_and_replaces_the_older():
    for newer in (0, 1):
        media = board(100)
        other = dict(PRODUCT)
        other[record.DEVICE_NAME] = b"dev_0002"
        media[newer].kept["burned"] = record.encode(record.BURNED, 101, other)
        assert Store(media).burned() == (101, other)
        assert media[0].kept == media[1].kept


def test_a_torn_newer_copy_leaves_the_older_in_use():
    media = board(100)
    media[0].kept["burned"] = record.encode(record.BURNED, 101, PRODUCT)[:-2]
    assert Store(media).burned()[0] == 100


def test_an_issued_record_in_the_place_of_a_burned_one_is_not_taken():
    media = board()
    for medium in media:
        medium.kept["burned"] = record.encode(record.ISSUED, 100, PRODUCT)
    assert Store(media).burned() == (0, {})


def test_what_was_saved_is_in_both_media_and_found_again():
    media = board()
    kept = Store(media).save(100, IDENTITY, secret(1))
    assert kept[record.DEVICE_SECRET] == b"%032d" % 1
    assert media[0].kept["issued"] == media[1].kept["issued"]
    assert issued(media) == "%032d" % 1


def test_the_last_secret_wins_even_if_one_medium_missed_it():
    for missed in (0, 1):
        media = board()
        Store(media).save(100, IDENTITY, secret(1))
        media[missed].fault = "silent"
        store = Store(media)
        assert store.save(100, IDENTITY, secret(2))[record.DEVICE_SECRET] == b"%032d" % 2
        assert store.health[media[missed].NAME] != "ok"
        media[missed].fault = None
        assert issued(media) == "%032d" % 2
        assert media[0].kept["issued"] == media[1].kept["issued"]  # healed


def test_one_good_copy_is_enough_and_the_bad_medium_is_named():
    for fault, expected in (("full", "full"), ("torn", "torn"), ("silent", "empty"), ("reads", "error 5")):
        for bad in (0, 1):
            media = board()
            media[bad].fault = fault
            store = Store(media)
            assert store.save(100, IDENTITY, secret(3))[record.DEVICE_SECRET] == b"%032d" % 3
            name = media[bad].NAME
            assert store.health[name] != "ok", fault
            assert store.health[media[1 - bad].NAME] == "ok"
            if fault == "full":
                assert store.health[name] == "full"


def test_no_good_copy_is_an_error_that_names_the_media():
    for fault in ("full", "torn", "silent", "reads"):
        media = board(faults=(fault, fault))
        problem = raises(StoreError, Store(media).save, 100, IDENTITY, secret(4))
        assert "nvs" in problem.detail and "littlefs" in problem.detail
        assert "%032d" % 4 not in str(problem)


def test_an_old_secret_is_not_taken_for_the_one_that_could_not_be_written():
    media = board()
    Store(media).save(100, IDENTITY, secret(1))
    for medium in media:
        medium.fault = "silent"
    raises(StoreError, Store(media).save, 100, IDENTITY, secret(2))


def test_an_issued_record_of_another_burn_or_identity_is_never_used():
    media = board()
    Store(media).save(100, IDENTITY, secret(1))
    assert issued(media, 101) is None
    for other in (
        ProductCertificate("a1TESTpk002", "dev_0001", "ProductSecret016", "mqtt"),
        ProductCertificate("a1TESTpk001", "dev_0002", "ProductSecret016", "mqtt"),
    ):
        assert Store(media).issued(100, other) is None
    assert issued(media) == "%032d" % 1  # and it was not thrown away by the asking


def test_a_newer_record_of_another_identity_does_not_hide_the_own_one():
    media = board()
    Store(media).save(100, IDENTITY, secret(1))
    other = ProductCertificate("a1TESTpk001", "dev_0002", "ProductSecret016", "mqtt")
    foreign = (Medium("nvs"), Medium("littlefs"))
    Store(foreign).save(900, other, DeviceCertificate("a1TESTpk001", "dev_0002", "x" * 32))
    media[0].kept["issued"] = foreign[0].kept["issued"]
    assert issued(media) == "%032d" % 1


def test_a_new_burn_is_never_answered_by_an_older_secret():
    media = board()
    Store(media).save(100, IDENTITY, secret(1))
    Store(media).save(200, IDENTITY, secret(2))
    media[0].kept["issued"] = b"torn"
    assert issued(media, 200) == "%032d" % 2
    assert issued(media, 100) is None


def test_every_kind_gives_its_credential():
    device = dict(PRODUCT)
    device.update({record.KIND: b"device", record.DEVICE_SECRET: b"d" * 32})
    store = Store((Medium("nvs"), Medium("littlefs")))
    assert burned(device, 100, b"\0" * 6, store).device_secret.reveal() == "d" * 32
    assert burned(PRODUCT, 100, b"\0" * 6, store).method == "mqtt"


class Sudden(Medium):
    """A medium that fails with whatever it is given, both ways or at its reads only."""

    def __init__(self, name, problem, writes=True):
        super().__init__(name)
        self.problem = problem
        self.sick = writes

    def read(self, key):
        raise self.problem

    def write(self, key, data):
        if self.sick:
            raise self.problem


FAULTS = (
    (OSError(-4357, "ESP_ERR_NVS_NOT_ENOUGH_SPACE"), "full"),
    (OSError(-4353, "ESP_ERR_NVS_NOT_INITIALIZED"), "error -4353"),
    (OSError(28), "full"),
    (OSError(84), "error 84"),
    (OSError(-1), "error -1"),
    (MemoryError(), "MemoryError"),
    (TypeError("x"), "TypeError"),
    (RuntimeError("x"), "RuntimeError"),
    (AttributeError("x"), "AttributeError"),
)


def test_a_medium_that_fails_in_any_way_is_a_sick_medium():
    """Whatever is raised, where a namespace is opened too (it is at each read and write)."""
    for problem, expected in FAULTS:
        for writes in (True, False):
            for bad in (0, 1):
                media = list(board())
                name = media[bad].NAME
                media[bad] = Sudden(name, problem, writes)
                store = Store(tuple(media))
                assert store.burned() == (100, PRODUCT) and store.health[name] == expected
                assert store.issued(100, IDENTITY) is None and store.health[name] == expected
                assert store.save(100, IDENTITY, secret(5))[record.DEVICE_SECRET] == b"%032d" % 5
                assert store.health == {name: expected, media[1 - bad].NAME: "ok"}
                assert store.issued(100, IDENTITY)[record.DEVICE_SECRET] == b"%032d" % 5
        both = Store((Sudden("nvs", problem), Sudden("littlefs", problem)))
        assert both.burned() == (0, {}) and both.health == {"nvs": expected, "littlefs": expected}
        found = raises(StoreError, both.save, 100, IDENTITY, secret(5))
        assert found.health == {"nvs": expected, "littlefs": expected} and "%032d" % 5 not in str(found)
