"""Power goes at every flash operation while a batch of sub-devices is registered, attached and logged in.

Whatever happened, the next boot brings all of them online, and the one after it does so without registering.
"""

from host_tests.support.gateways import done, fresh

BRING = "say(app='brought', failed=told(gateway.bring_online(sub(*{numbers}))))"


def online(board):
    board.start()
    said = done(board)
    board.power_off()
    assert said["online"] == said["stored"] == 3, board.run.lines
    return board.run


def test_at_every_flash_operation(chips, campaign, tally):
    whole = online(chips.gateway(BRING.format(numbers=fresh(3)))).operations
    assert whole >= 4
    for operation in range(1, whole + 1):
        for torn in (False, True) if campaign(2) > 2 else (operation % 2 == 0,):
            cut_at(chips, operation, torn)
            tally("power cuts")


def cut_at(chips, operation, torn):
    numbers = fresh(3)
    board = chips.gateway(BRING.format(numbers=numbers))
    cut = board.boot(until="subdevices", cut_at=operation, torn=torn)
    assert cut.reason == "power cut", cut.lines
    online(board)
    asked = len(chips.asked(board, "sub_register"))
    assert asked <= 2
    if operation % 4 == 0:
        online(board)
        assert len(chips.asked(board, "sub_register")) == asked, "what was stored is not registered again"
    board.flash.unlink()
