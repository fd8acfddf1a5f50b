"""What to do about each code that concerns sub-devices (gateway.md 13); read only when one is shown.

Lines |code|...|advice in texts of some hundred bytes: a heap in use has no room for one of 2 KB.
"""

_ADVICE = (
    """\
|order|a sub-device is registered first, then attached, then logged in
|offline|log the sub-device in first
|handler|call it from the main loop: a handler cannot wait for an answer
|silent|nothing was answered: the gateway asks again
|absent|the platform left it out of its answer: it is bound to another gateway, or was not created
|full|this is as many sub-devices as the gateway was made for (limit)
|memory|this board's memory holds no more sub-devices: take a board with PSRAM, or a second gateway
|names|correct the file of names: a line is a ProductKey, a blank and a DeviceName
|event|ask more seldom for so much at once, or call poll more often
|product|burn the ProductSecret of the sub-devices' product into this gateway
""",
    """\
|401|6287|the stored DeviceSecret is void, since registered elsewhere: forget the sub-device, register again
|427|527|another gateway has logged the sub-device in: look for it; this one asks again after minutes
|428|6400|the gateway has as many sub-devices as the platform takes
|429|nothing to do: the gateway asks again after a minute
|460|6450|check ProductKey and DeviceName of the sub-device
|500|6760|nothing to do: ask again
|520|nothing to do: the gateway logs the sub-device in again
|521|the sub-device was deleted in the console: create it and register it again
|522|6204|enable the sub-device in the console
|5005|6250|check the ProductKey of the sub-device and the gateway's region
""",
    """\
|6100|create the sub-device in the console under exactly this DeviceName
|6203|check that this device's product is a gateway's
|6280|a DeviceName has 4 to 32 letters, digits and - _ @ . :
|6288|switch dynamic registration on for the sub-devices' product in the console
|6292|the platform does not know hmacSha256 here: tell us
|6401|attach the sub-device again, if it still belongs to this gateway
|6402|a gateway is not a sub-device of its own
|6600|check that the burned ProductSecret is the one of the sub-device's product
|6619|detach the sub-device from its other gateway first
""",
)


def advice(what):
    """One sentence for a code of the platform, or for a word; empty when there is none."""
    for text in _ADVICE:
        at = text.find("|" + str(what) + "|")
        if at >= 0:
            end = text.find("\n", at)
            return text[text.rfind("|", at, end) + 1 : end]
    return ""
