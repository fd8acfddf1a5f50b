"""Name server's answers: packets as they are on the wire."""

import pytest

from tools.qemu import name_server

# dig +noedns ntp.aliyun.com A, as it goes out, and what comes back
QUESTION = bytes.fromhex("1a2b 0100 0001 0000 0000 0000 036e7470 06616c6979756e 03636f6d 00 0001 0001")
ANSWER = bytes.fromhex(
    "1a2b 8180 0001 0001 0000 0000 036e7470 06616c6979756e 03636f6d 00 0001 0001"
    "c00c 0001 0001 0000003c 0004 0a4d0006"
)
KNOWN = {"ntp.aliyun.com": "10.77.0.6"}.get


def test_a_known_name_has_one_address():
    assert name_server.reply(QUESTION, KNOWN) == ANSWER


def test_spelling_is_kept_in_the_answer_and_does_not_matter():
    asked = QUESTION.replace(b"aliyun", b"ALIyun")
    assert name_server.reply(asked, KNOWN) == ANSWER.replace(b"aliyun", b"ALIyun")


def test_an_unknown_name_does_not_exist():
    answer = name_server.reply(QUESTION.replace(b"aliyun", b"elsewh"), KNOWN)
    assert answer[2:12] == bytes.fromhex("8183 0001 0000 0000 0000")


def test_a_known_name_has_no_address_of_another_kind():
    answer = name_server.reply(QUESTION[:-3] + b"\x1c\x00\x01", KNOWN)  # AAAA
    assert answer[2:12] == bytes.fromhex("8180 0001 0000 0000 0000")


def test_what_follows_the_question_is_not_answered():
    edns = bytes.fromhex("00 0029 1000 00000000 0000")
    asked = QUESTION[:11] + b"\x01" + QUESTION[12:] + edns
    assert name_server.reply(asked, KNOWN) == ANSWER


@pytest.mark.parametrize(
    "packet",
    [
        *(QUESTION[:length] for length in range(len(QUESTION))),
        ANSWER,
        QUESTION[:5] + b"\x00" + QUESTION[6:],  # no question
        QUESTION[:5] + b"\x02" + QUESTION[6:],  # two
        QUESTION.replace(b"\x03ntp", b"\xc0\x0ctp"),  # a name that leads to itself
        QUESTION.replace(b"ntp", b"n\xfcp"),
    ],
    ids=lambda packet: packet.hex()[:60] + f"-{len(packet)}",
)
def test_what_is_no_question_has_no_answer(packet):
    assert name_server.reply(packet, KNOWN) is None
