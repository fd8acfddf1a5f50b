"""Two media, generations, healing, and read-back, on media that fail in every way."""

from aliot import record
from aliot.credentials import DeviceCertificate, ProductCertificate, burned
from aliot.errors import CredentialError, StoreError
from aliot.store import Store
from scripted import Medium, raises

PRODUCT = {record.WAY: b"product", record.PRODUCT_KEY: b"a1TESTpk001", record.DEVICE_NAME: b"dev_0001",
           record.PRODUCT_SECRET: b"ProductSecret016", record.METHOD: b"mqtt"}
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
    return found and found.device_secret.reveal()


def test_a_burned_record_is_loaded():
    media = board()
    store = Store(media)
    assert store.burned() == (100, PRODUCT)
    assert store.health == {"nvs": "ok", "littlefs": "ok"}
    assert media[0].writes == media[1].writes == 0


def test_nothing_burned_is_said():
    assert "burned" in str(raises(CredentialError, Store((Medium("nvs"), Medium("littlefs"))).burned))


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
    raises(CredentialError, Store(media).burned)


def test_what_was_saved_is_in_both_media_and_found_again():
    media = board()
    kept = Store(media).save(100, IDENTITY, secret(1))
    assert kept.device_secret.reveal() == "%032d" % 1
    assert media[0].kept["issued"] == media[1].kept["issued"]
    assert issued(media) == "%032d" % 1


def test_the_last_secret_wins_even_if_one_medium_missed_it():
    for missed in (0, 1):
        media = board()
        Store(media).save(100, IDENTITY, secret(1))
        media[missed].fault = "silent"
        store = Store(media)
        assert store.save(100, IDENTITY, secret(2)).device_secret.reveal() == "%032d" % 2
        assert store.health[media[missed].NAME] != "ok"
        media[missed].fault = None
        assert issued(media) == "%032d" % 2
        assert media[0].kept["issued"] == media[1].kept["issued"]  # healed


def test_one_good_copy_is_enough_and_the_bad_medium_is_named():
    for fault, told in (("full", "full"), ("torn", "torn"), ("silent", "empty"), ("reads", "error 5")):
        for bad in (0, 1):
            media = board()
            media[bad].fault = fault
            store = Store(media)
            assert store.save(100, IDENTITY, secret(3)).device_secret.reveal() == "%032d" % 3
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
    for other in (ProductCertificate("a1TESTpk002", "dev_0001", "ProductSecret016"),
                  ProductCertificate("a1TESTpk001", "dev_0002", "ProductSecret016")):
        assert Store(media).issued(100, other) is None
    assert issued(media) == "%032d" % 1  # and it was not thrown away by the asking


def test_a_newer_record_of_another_identity_does_not_hide_the_own_one():
    media = board()
    Store(media).save(100, IDENTITY, secret(1))
    other = ProductCertificate("a1TESTpk001", "dev_0002", "ProductSecret016")
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


def test_every_way_gives_its_credential():
    device = dict(PRODUCT)
    device.update({record.WAY: b"device", record.DEVICE_SECRET: b"d" * 32})
    assert burned(device, b"\0" * 6).device_secret.reveal() == "d" * 32
    assert burned(PRODUCT, b"\0" * 6).REGISTER == "mqtt"
