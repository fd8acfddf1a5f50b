"""The published and recorded bytes of id2.md, in the server's direction."""

import pytest

from host_tests.support.cloud.itls import ITLS, TRANSCRIPTS
from tools.emulator.cloud.id2 import codes, provisioning
from tools.emulator.cloud.id2.keys import Key
from tools.emulator.cloud.itls.alerts import Alert
from tools.emulator.cloud.itls.suites import prf

OTP = ITLS["otp_provisioning"]
VARIANTS = ITLS["itls"]["server_variants"]["cases"]
SWITCHED = {"no session id": {"itls_session_id": "none"}}
SPOILED = {
    "renegotiation_info present": ("server_hello", "renegotiation_info"),
    "server auth code extension missing": ("server_hello", "no_server_code"),
    "server auth code wrong": ("server_hello", "wrong_server_code"),
    "server Finished wrong": ("finished", "wrong_verify"),
    "encrypted premaster extension missing (empty premaster)": ("server_hello", "no_premaster"),
    VARIANTS[7]["case"]: ("server_hello", "known_premaster"),
}


@pytest.mark.parametrize("case", ITLS["auth_codes"], ids=lambda case: case["name"])
def test_device_codes_of_every_type_and_key_are_taken_apart_and_hold(case):
    code = codes.parse(case["auth_code"].encode())
    assert (code.type, code.digit) == (str(case["type"]), str(case["hash_type"]))
    assert (code.device_random, code.server_random) == (case["device_random"], case["server_random"])
    key, extra = Key(case["key_type"], bytes.fromhex(case["key_hex"])), case["extra_ascii"] or ""
    assert key.kind.digit == code.digit
    assert key.sign(case["signed_message_ascii"]).hex() == case["signature_hex"]
    assert code.holds(case["id2"], key, extra)
    assert not code.holds(case["id2"], key, extra + "x")
    assert not code.holds(case["id2"][::-1], key, extra)


@pytest.mark.parametrize("case", ITLS["decrypt"], ids=lambda case: case["key_type"])
def test_what_a_device_decrypts_is_what_the_service_encrypts(case):
    key, text = Key(case["key_type"], bytes.fromhex(case["key_hex"])), bytes.fromhex(case["ciphertext_hex"])
    hexed = case.get("plaintext_hex")
    plain = bytes.fromhex(hexed) if hexed else case["plaintext_ascii"].encode()
    assert key.encrypt(plain) == text and key.decrypt(text) == plain


@pytest.mark.parametrize("case", ITLS["server_auth_codes"], ids=lambda case: case["case"])
def test_server_codes_are_those_that_a_device_accepts_and_no_others(case):
    key = Key("AES_128", bytes.fromhex(case["key_hex"]))
    made = codes.server_code(case["id2"], key, case["device_challenge"], case["extra_ascii"])
    assert (made == case["server_auth_code"]) is case["accept"]


@pytest.mark.parametrize("case", OTP["requests"], ids=lambda case: case["token"][:3])
def test_provisioning_requests(case):
    key = provisioning.provisioning_key(case["token"])
    assert key.value.hex() == case["provisioning_key_hex"] and provisioning.key_type(case["token"]) == 1
    request = bytes.fromhex(case["request_hex"])
    assert provisioning.is_of(request, key)
    wish = provisioning.read(request, key)
    assert wish == provisioning.Wish(
        case["key_type"], bytes.fromhex(case["session_key_hex"]), case["fingerprint_ascii"].encode()
    )


@pytest.mark.parametrize("case", OTP["responses"], ids=lambda case: case["case"])
def test_provisioning_responses_are_those_that_a_careful_device_accepts(case):
    """The bad ones are spoiled copies of the first, which the service must never make."""
    good = case["accept"] and "padding" not in case["case"]
    issued = case if case["accept"] else OTP["responses"][0]
    key = Key(
        "AES_256" if len(issued["issued_key_hex"]) == 64 else "AES_128",
        bytes.fromhex(issued["issued_key_hex"]),
    )
    wish = provisioning.Wish(key.kind.number, bytes.fromhex(case["session_key_hex"]), b"any")
    made = provisioning.answer(wish, issued["issued_id2"], key).hex()
    assert (made == case["response_hex"]) is good


@pytest.mark.parametrize("case", ITLS["prf"], ids=lambda case: case["label"])
def test_prf(case):
    secret, seed = bytes.fromhex(case["secret_hex"]), bytes.fromhex(case["seed_hex"])
    assert prf(secret, case["label"].encode(), seed, case["length"]).hex() == case["output_hex"]


def dice(transcript):
    """What the server threw in a transcript, in the order in which it throws."""
    given = {
        name: bytes.fromhex(text) for name, text in transcript["inputs"].items() if name.endswith("_hex")
    }
    issued = [bytes.fromhex(transcript["inputs"]["id2"]), given["id2_key_hex"]] if "otp" in transcript else []
    return [
        *issued,
        bytes.fromhex(transcript["inputs"]["challenge"]),
        given["server_random_hex"],
        given["session_id_hex"],
        given["premaster_hex"],
        *(
            bytes.fromhex(record["iv_hex"])
            for record in transcript["records"]
            if record["direction"] == "server_to_client" and record["encrypted"]
        ),
    ]


def product_of(transcript):
    """Switches and product of a transcript's server."""
    key = transcript["inputs"]["id2_key_hex"]
    identity = {"id2": transcript["inputs"]["id2"], "id2_key": key, "id2_type": f"AES_{4 * len(key)}"}
    suite = transcript["inputs"]["suite"][2:]
    others = [name for name in ("D004", "D003") if name != suite]
    return {"itls_suites": [suite, *others]}, [] if "otp" in transcript else [identity]


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_a_whole_session_byte_for_byte(platform, name):
    """The device's records as they were recorded; each record of the server's is the recorded one."""
    transcript = TRANSCRIPTS[name]
    switches, identities = product_of(transcript)
    running = platform(switches, identities=identities).connect(*dice(transcript))
    sent = received = b""
    for record in transcript["records"]:
        data = bytes.fromhex(record["record_hex"])
        if record["direction"] == "client_to_server" and running.session.state != "open":
            sent += running.handshake(data)
        elif record["direction"] == "client_to_server":
            received += running.data(data)
        else:
            if record["message"] == "ApplicationData":
                running.session.write(bytes.fromhex(record["plaintext_hex"]))
                sent += running.outgoing.read()
            assert sent == data, record["message"]
            sent = b""
    derived, keys = transcript["derived"], running.session.keys
    assert keys.master.hex() == derived["master_secret_hex"]
    assert keys.client_mac.hex() == derived["client_write_mac_hex"]
    assert keys.server_key.hex() == derived["server_write_key_hex"]
    assert received.hex() == "".join(
        record["plaintext_hex"]
        for record in transcript["records"]
        if (record["direction"], record["message"]) == ("client_to_server", "ApplicationData")
    )
    assert running.session.closed and not running.instance.id2.random.values
    assert running.session.identity.id2 == transcript["inputs"]["id2"]


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case["case"][:40])
def test_each_variant_of_the_server_byte_for_byte(platform, case):
    """The recorded ServerHello of each case comes out of a switch or of an armed fault."""
    transcript = TRANSCRIPTS["aes128_id2_suite_D003"]
    switches, identities = product_of(transcript)
    unknown = case["server_hello_record_hex"] is None
    running = platform(switches | SWITCHED.get(case["case"], {}), identities=[] if unknown else identities)
    values = dice(transcript)
    if case["case"] == "no session id":
        del values[2]
    if case["case"] in SPOILED:
        running.arm(*SPOILED[case["case"]])
    running.connect(*values)
    hellos = [bytes.fromhex(record["record_hex"]) for record in transcript["records"][:5:2]]
    if unknown:
        running.incoming.write(hellos[0])
        with pytest.raises(Alert):
            running.session.do_handshake()
        assert running.outgoing.read().hex() == case["last_server_record_hex"]
        return
    running.handshake(hellos[0])
    assert running.handshake(hellos[1]).hex() == case["server_hello_record_hex"]
    if case["case"] == "server Finished wrong":
        honest = transcript["records"][5]["record_hex"]
        spoiled = running.handshake(hellos[2]).hex()
        assert spoiled != honest and len(spoiled) == len(honest)
