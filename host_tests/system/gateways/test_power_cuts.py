"""Power goes at every flash operation while a batch of sub-devices is registered, attached and logged in.

Whatever happened, the next boot brings all of them online, and the one after it does so without registering.
"""

from host_tests.support.fleet import MICROPYTHON
from host_tests.support.gateways import GatewayFleet, done, fresh

FLEET = GatewayFleet
BRING = "report(app='brought', failed=refusals(gateway.bring_online(sub(*{numbers}))))"


def online(board):
    board.start()
    printed = done(board)
    board.power_off()
    assert printed["online"] == printed["stored"] == 3, board.run.lines
    return board.run


@MICROPYTHON
def test_at_every_flash_operation(fleet, campaign, tally):
    whole = online(fleet.board(BRING.format(numbers=fresh(3)))).operations
    assert whole >= 4
    for operation in range(1, whole + 1):
        for torn in (False, True) if campaign(2) > 2 else (operation % 2 == 0,):
            cut_at(fleet, operation, torn)
            tally("power cuts")


def cut_at(fleet, operation, torn):
    numbers = fresh(3)
    board = fleet.board(BRING.format(numbers=numbers))
    cut = board.boot(until="subdevices", cut_at=operation, torn=torn)
    assert cut.reason == "power cut", cut.lines
    online(board)
    asked = len(fleet.asked(board, "sub_register"))
    assert asked <= 2
    if operation % 4 == 0:
        online(board)
        assert len(fleet.asked(board, "sub_register")) == asked, "what was stored is not registered again"
    board.flash.unlink()
