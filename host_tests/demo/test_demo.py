"""The demos: each tells the whole story, and no secret; that of the line goes without the firmware it fetches."""

import io
import re

from rich.console import Console

from host_tests.support.paths import ROOT
from tools.demo import direct, gateways, id2, sealed, thermostat, updates, verb, x509
from tools.demo import line as line_demo
from tools.demo.scene import Figures, Stage

REPLIES = "/" + "/".join(thermostat.NAME) + "/thing/downlink/reply/message"
EVENTS = [
    "posted",
    "set",
    "event",
    "service",
    "offline",
    "outage",
    "history",
    "desired",
]  # of a thermostat's day


def test_every_way_in_and_both_refusals_without_a_secret(tmp_path):
    output = io.StringIO()
    with Stage(tmp_path, direct.PRODUCTS, Console(file=output, highlight=False, width=120)) as stage:
        direct.play(stage)
        issued = [stage.cloud.device(*name, secret=True) for _, _, name in direct.SCENES]
    story = output.getvalue()

    secrets = {direct.PRODUCT_SECRET, direct.FREE_SECRET, direct.DEVICE_SECRET}
    secrets |= {device["device_secret"] for device in issued if device["device_secret"]}
    secrets |= {client["device_token"] for device in issued for client in device["clients"]}
    assert len(secrets) >= 6
    assert not [secret for secret in secrets if secret in story]

    boots = [re.findall(r"^  (\w+)", part, re.M) for part in story.split("Wrong 1")[0].split("on: ")[1:]]
    assert len(boots) == 8
    for number, boot in enumerate(boots):
        assert ("register" in boot) == (number in (2, 4, 6)), boot  # per product, first boots only
        assert ("stored" in boot) == (number in (2, 4, 6)), boot
        assert ["connected", "posted", "power"] == [
            word for word in boot if word in ("connected", "posted", "power")
        ][:3]
    assert "register.6600" in story and "register.6289" in story
    assert "ResetThing" in story and "restore" in story
    assert [row.handshakes for row in stage.figures] == [1, 1, 2, 1, 2, 1, 2, 1]
    assert "per product, preregistration-free" in _text(verb.table(stage.figures))
    shown_in_the_readme(story)


def test_a_secret_in_efuse_logs_in_and_registers_and_is_in_no_flash(tmp_path):
    output = io.StringIO()
    with Stage(tmp_path, sealed.PRODUCTS, Console(file=output, highlight=False, width=120)) as stage:
        sealed.play(stage)
    story = output.getvalue()
    assert not [one for one in (sealed.DEVICE_SECRET, sealed.PRODUCT_SECRET) if one in story]
    boots = [re.findall(r"^  (\w+)", part, re.M) for part in story.split("on: ")[1:]]
    assert ["register" in boot for boot in boots] == [False, False, True, False]
    assert all("posted" in boot for boot in boots)
    assert (
        story.count("espefuse, over the port: KEY3 for HMAC_UP")
        == 2
        == story.count("the secret is not in it")
    )
    assert [row.handshakes for row in stage.figures] == [1, 1, 2, 1]


def shown_in_the_readme(story):
    """The README's eight lines of output come in this order; secrets of a run differ."""
    readme = (ROOT / "README.md").read_text("utf-8")
    lines = re.search(r"```\n(  burn .*?)```", readme, re.S)[1].splitlines()
    assert len(lines) == 8
    printed = iter(re.sub(r"\*{4}\w{4}", "****", story).splitlines())
    for line in lines:
        assert re.sub(r"\*{4}\w{4}", "****", line) in printed, line


def test_an_id2_that_is_burned_and_one_that_is_asked_for(tmp_path):
    output = io.StringIO()
    with Stage(tmp_path, id2.PRODUCTS, Console(file=output, highlight=False, width=120)) as stage:
        id2.play(stage)
        issued = stage.cloud.admin("GET", "/identities?secret=1")
    story = output.getvalue()

    assert len(issued) == 2
    assert not [secret for secret in [id2.TOKEN, *(one["id2_key"] for one in issued)] if secret in story]
    boots = [re.findall(r"^  (\w+)", part, re.M) for part in story.split("on: ")[1:]]
    assert ["issued" in boot for boot in boots] == [False, False, True, False]
    assert all("iTLS" in boot and "posted" in boot and "TLS" not in boot for boot in boots)
    assert [row.handshakes for row in stage.figures] == [1, 1, 1, 1]


def test_a_gateway_whose_subdevices_are_registered_once(tmp_path):
    output = io.StringIO()
    with Stage(tmp_path, gateways.PRODUCTS, Console(file=output, highlight=False, width=120)) as stage:
        gateways.play(stage)
        subdevices = [stage.cloud.device(gateways.SUB_KEY, name, secret=True) for name in gateways.SUBDEVICES]
    story = output.getvalue()

    secrets = {gateways.DEVICE_SECRET, gateways.SUB_SECRET, *(one["device_secret"] for one in subdevices)}
    assert len(secrets) == 5 and not [secret for secret in secrets if secret in story]
    assert all("Temperature" in str(one["properties"]) for one in subdevices)
    boots = [re.findall(r"^  (\w+)", part, re.M) for part in story.split("on: ")[1:]]
    assert [
        [word for word in boot if word in ("issued", "attached", "online", "stored", "posted")]
        for boot in boots
    ] == [["issued", "attached", "online", "posted"], ["stored", "online", "posted"]]
    assert [row.handshakes for row in stage.figures] == [1, 1]


def test_a_board_with_a_certificate_is_told_who_it_is(tmp_path):
    output = io.StringIO()
    with Stage(tmp_path, x509.PRODUCTS, Console(file=output, highlight=False, width=120)) as stage:
        x509.play(stage)
    story = output.getvalue()
    boots = [re.findall(r"^  (\w+)", part, re.M) for part in story.split("on: ")[1:]]
    assert ["stored" in boot for boot in boots] == [True, False]
    assert all("posted" in boot for boot in boots) and [row.handshakes for row in stage.figures] == [1, 1]
    assert "does not know who it is" in story and f"{x509.PRODUCT_KEY} / {x509.DEVICE_NAME}" in story
    key = (tmp_path / "x509-board.key").read_text().splitlines()
    assert not [line for line in key if line in story and "KEY" not in line]


def test_a_board_sold_abroad_is_sent_to_its_centre_and_then_goes_there_directly(tmp_path):
    output = io.StringIO()
    with Stage(tmp_path, [direct.ABROAD_PRODUCT], Console(file=output, highlight=False, width=120)) as stage:
        direct.play_abroad(stage)
        device = stage.cloud.device(direct.ABROAD_KEY, direct.ABROAD_NAME, secret=True)
    story = output.getvalue()
    first, second = story.split("on: ")[1:]
    there = f"to iot-as-mqtt.{direct.HOME}.aliyuncs.com:1883"
    assert f"iot-auth.{direct.BURNED_FOR}.aliyuncs.com" in first and "NVS ok" in first.split("kept ")[1]
    assert "ask " not in second and "iot-auth" not in second
    assert all(f"connect   {there}" in boot and "posted " in boot for boot in (first, second))
    assert [row.handshakes for row in stage.figures] == [2, 1]
    assert device["iot_tokens"]
    secrets = {direct.ABROAD_SECRET, *(token["token"] for token in device["iot_tokens"])}
    assert not [secret for secret in secrets if secret in story]


def test_a_thermostat_s_day_leaves_what_it_tells_of_in_the_cloud(tmp_path):
    output = io.StringIO()
    with Stage(tmp_path, thermostat.PRODUCTS, Console(file=output, highlight=False, width=120)) as stage:
        thermostat.play(stage)

        def asked(action, kind, **parameters):
            key, name = thermostat.NAME
            return stage.cloud.call(action, ProductKey=key, DeviceName=name, **parameters)["List"][kind]

        felt = asked("QueryDevicePropertyData", "PropertyInfo", Identifier="Temperature")
        events = asked("QueryDeviceEventData", "EventInfo")
        calls = asked("QueryDeviceServiceData", "ServiceInfo", Identifier="Boost")
        wishes = asked("QueryDeviceDesiredProperty", "DesiredPropertyInfo")
        sets = [
            one["body"]["code"]
            for one in stage.cloud.server_messages(topic=REPLIES)
            if one["body"]["data"] == {}
        ]
    story = output.getvalue()

    assert not [
        secret for secret in (thermostat.DEVICE_SECRET, thermostat.WIFI["password"]) if secret in story
    ]
    days = story.split("on: ")[1:]
    message = [re.findall(r"^  (\w+)", day, re.M) for day in days]
    assert [word for word in message[0] if word in EVENTS] == [*EVENTS[:-1], "desired"]
    assert "desired" in message[1] and [row.handshakes for row in stage.figures] == [2, 1]
    times = [one["Time"] for one in felt]
    assert times == sorted(set(times)) and len(felt) >= 3 + thermostat.KEPT
    warmer = list(dict.fromkeys(one["Value"] for one in felt))[: 2 + thermostat.KEPT]
    assert warmer == [18.5 + 0.5 * number for number in range(2 + thermostat.KEPT)]
    assert [(one["Identifier"], one["OutputData"]) for one in events][:1] == [("Warm", {"Temperature": 19})]
    assert [(one["InputData"], one["OutputData"]) for one in calls] == [({"degrees": 6}, {"target": 25})]
    assert wishes == [] and sets[:1] == [200]


def test_a_release_over_the_air_is_resumed_and_a_bad_one_taken_back(tmp_path):
    """On the model of a chip's two heaps."""
    output = io.StringIO()
    with Stage(tmp_path, updates.PRODUCTS, Console(file=output, highlight=False, width=120)) as stage:
        updates.play(stage)
        asked = [one["range"] for one in stage.cloud.admin("GET", "/log?event=download&dn=pump")]
    story = output.getvalue()
    assert not [secret for secret in (updates.DEVICE_SECRET, updates.WIFI["password"]) if secret in story]
    # of release 2 a second connection brings what the first has not; release 3 comes in one
    assert asked[0] == asked[1] == asked[3] == "bytes=0-" and len(asked) == 4
    assert int(asked[2].removeprefix("bytes=").removesuffix("-")) > 20_000
    told = ["cut, without warning, at", "it has asked for bytes=0-", "release 2.0.0: SUCCEEDED"]
    told += ["ValueError", "release 3.0.0: FAILED it ended with an error; the board runs 2.0.0 again"]
    places = [story.index(one) for one in told]
    assert places == sorted(places)


def _text(table):
    out = io.StringIO()
    Console(file=out, width=120).print(table)
    return out.getvalue()


def test_the_closing_table_can_be_read_at_80_columns():
    """Every figure whole, the scene's name too: it has a line of its own."""
    scenes = [
        "per product, preregistration-free (MQTT, authType=regnwl)",
        "a board sold abroad, which asks the router where to go",
    ]
    figures = [
        Figures(scene, boot, 12, 123456, 1234567, 123.456, 112 * 1024)
        for scene in scenes
        for boot in ("first", "second")
    ]
    out = io.StringIO()
    Console(file=out, width=80, highlight=False).print(verb.table(figures))
    lines = out.getvalue().splitlines()
    assert all(len(line) <= 80 for line in lines) and len(lines) == 3 + 2 * 3
    assert [line for line in lines if line in scenes] == scenes
    assert [line.split() for line in lines[4:6]] == [
        [boot, "12", "123456", "1234567", "123.46", "s", "112.0", "KB"] for boot in ("first", "second")
    ]


def test_what_the_demo_tells_goes_on_under_its_own_beginning_on_a_terminal():
    out = io.StringIO()
    stage = Stage.__new__(Stage)
    stage.console = Console(file=out, width=80, force_terminal=True, no_color=True, highlight=False)
    stage.report(
        "TLS",
        "chain, dates and the name iot.example.aliyuncs.com verified by the board (TLSv1.2, ECDHE-RSA-AES128)",
    )
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in out.getvalue().splitlines()]
    assert (
        all(len(line) <= 80 for line in lines)
        and len(lines) == 2
        and lines[1].startswith(" " * 12 + "board (")
    )


def test_the_demo_ends_with_every_board_online_and_every_identity_once(tmp_path):
    reported = []

    def report(line):
        reported.append(line)
        print(line)  # shown when it fails

    assert line_demo.Demo(str(tmp_path / "demo"), report, firmware=False).run() == line_demo.BAYS
    text = "\n".join(reported)
    assert "lost power at flash operation" in text and "is pulled out" in text and "killed (SIGKILL)" in text
    assert "8 boards, 8 identities, each once" in text
    assert (tmp_path / "demo" / "report.html").exists() and len(
        list((tmp_path / "demo" / "labels").iterdir())
    ) == 8
