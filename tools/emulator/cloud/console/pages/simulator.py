"""Simulator: emulated boards of any kind of identity, with their consoles, their power and their Wi-Fi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.emulator.cloud.console.page import Page, Refused
from tools.emulator.cloud.console.simulator import identities
from tools.emulator.cloud.console.simulator.boards import BOARDS_MAX, KEY
from tools.emulator.cloud.console.visit import address

if TYPE_CHECKING:
    from starlette.responses import Response

    from tools.emulator.cloud.console.simulator.boards import Board, Simulator
    from tools.emulator.cloud.console.visit import Visit

page = Page("simulator", "/simulator", order=80)
AT = "/simulator/{number}"
PRODUCTS_SHOWN = 500
CONTROL = {"interrupt": "\x03", "reset": "\x04"}  # what else than a line is typed: Ctrl-C, Ctrl-D
WIFI, EVERY = "emulated", 10


def board_of(visit: Visit, number: str) -> Board:
    found = visit.console.simulator.boards.get(number)
    if found is None:
        raise Refused(visit.text("simulator.no_board", number=number), 404)
    return found


def device_of(visit: Visit, board: Board) -> str:
    """The DeviceName, once the product has that device."""
    products = visit.instance.registry.products
    known = products[board.product_key].devices if board.product_key in products else {}
    return board.device_name if board.device_name in known else ""


@page.get("/simulator")
def show(visit: Visit) -> Response:
    products = list(visit.instance.registry.products.values())
    return visit.render(
        "simulator/page.html",
        products=[one for one in products if one.node != "subdevice"][:PRODUCTS_SHOWN],
        kinds=identities.KINDS,
        applications=list(identities.applications()),
        auths=identities.AUTHS,
        bootstraps=identities.BOOTSTRAPS,
        centres=visit.instance.config.centres,
        chosen=visit.query.get("product", ""),
    )


@page.region("/simulator", "simulator/boards.html", every=0.5)
def boards(visit: Visit) -> dict[str, Any]:
    found = list(visit.console.simulator.boards.values())
    return {"boards": [(one, device_of(visit, one)) for one in found]}


@page.post("/simulator/start", back="/simulator")
async def start(visit: Visit) -> Response:
    simulator = visit.console.simulator
    if simulator.full:
        raise Refused(visit.text("simulator.too_many", most=BOARDS_MAX))
    with simulator.promise():
        board = await started(visit, simulator)
    return visit.done(address("simulator", board.number), "simulator.started", number=board.number)


async def started(visit: Visit, simulator: Simulator) -> Board:
    """The board that the form asks for, with an identity that the cloud has made."""
    product = visit.product(visit.field("product"))
    kind = identities.kind_for(visit, product, visit.field("kind"))
    board = simulator.new(kind, product.product_key, "")
    maker = identities.Maker(visit, board, product, simulator.authority)
    identity = await maker.make()
    board.device_name = maker.device_name
    ota_key = await visit.file("ota_key")
    files = {**maker.files, **({KEY: ota_key} if ota_key else {})}
    name = visit.field("application") or ("gateway" if product.node == "gateway" else "")
    application = identities.application(name, visit.field("subdevices"))
    config = {"ssid": WIFI, "every": EVERY, **({"spread": 0} if product.node == "gateway" else {})}
    await simulator.start(board, identity, config, files, application)
    return board


@page.get(AT)
def show_board(visit: Visit, number: str) -> Response:
    return visit.render("simulator/board.html", board=board_of(visit, number))


@page.region(AT, "simulator/state.html", every=0.2)
def state(visit: Visit, number: str) -> dict[str, Any]:
    board = board_of(visit, number)
    return {"board": board, "device_name": device_of(visit, board), "here": address("simulator", number)}


@page.region(AT, "simulator/console.html", every=0.3)
def console(visit: Visit, number: str) -> dict[str, Any]:
    return {"board": board_of(visit, number)}


@page.post(AT + "/power", back=AT)
def set_power(visit: Visit, number: str) -> Response:
    board, on = board_of(visit, number), visit.field("on") == "1"
    board.send(power=on)
    return visit.done(address("simulator", number), "simulator.power_on" if on else "simulator.power_cut")


@page.post(AT + "/wifi", back=AT)
def set_wifi(visit: Visit, number: str) -> Response:
    board, on = board_of(visit, number), visit.field("on") == "1"
    board.set_wifi(on)
    return visit.done(address("simulator", number), "simulator.wifi_back" if on else "simulator.wifi_gone")


@page.post(AT + "/typing", back=AT)
def set_typing(visit: Visit, number: str) -> Response:
    board_of(visit, number).typing = visit.field("on") == "1"
    on = board_of(visit, number).typing
    return visit.done(address("simulator", number), "simulator.typing_on" if on else "simulator.typing_off")


@page.post(AT + "/type", back=AT)
def type_on_it(visit: Visit, number: str) -> Response:
    board = board_of(visit, number)
    if not board.typing:
        raise Refused(visit.text("simulator.read_only"))
    board.send(type=CONTROL.get(visit.field("special"), visit.field("line") + "\r"))
    return visit.done(address("simulator", number), "simulator.typed")


@page.post(AT + "/remove", back=AT)
async def remove(visit: Visit, number: str) -> Response:
    await visit.console.simulator.remove(board_of(visit, number))
    return visit.done("/simulator", "simulator.removed", number=number)
