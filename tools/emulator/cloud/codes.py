"""Codes that the platform answers devices with, their texts (gateway.md 13, application.md 1.2, 12), the refusal."""

MESSAGES = {
    200: "success",
    400: "request error",
    401: "request auth error",
    427: "device connect in elsewhere",
    428: "too many subdevices under gateway",
    429: "too many requests",
    460: "request parameter error",
    500: "server error",
    520: "device no session",
    521: "device deleted",
    522: "device forbidden",
    527: "device connect in elsewhere",
    5005: "product query failed",
    5159: "property definition query failed",
    5160: "event definition query failed",
    5161: "service definition query failed",
    5244: "LoRaWAN product data query failed",
    6100: "device not found",
    6104: "too many properties",
    6106: "map size must less than 200",
    6203: "topic parse failed",
    6204: "device disabled",
    6207: "payload is not json",
    6250: "product query failed",
    6251: "device existed",
    6280: "device name does not meet the rules",
    6287: "invalid sign",
    6288: "dynamic registration is not switched on",
    6289: "device is already active",
    6292: "sign method not supported",
    6300: "method not exist",
    6301: "tsl parse: params is not array",
    6302: "tsl parse: required params missing",
    6303: "tsl parse: params not exist",
    6304: "tsl parse: params not exist",
    6306: "tsl parse: int value error",
    6307: "tsl parse: float value error",
    6308: "tsl parse: bool value error",
    6309: "tsl parse: enum value error",
    6310: "tsl parse: text size error",
    6311: "tsl parse: date value error",
    6312: "tsl parse: struct value error",
    6313: "tsl service not available",
    6320: "tsl parse: property not exist",
    6321: "tsl parse: identifier is empty",
    6322: "tsl parse: double value error",
    6324: "tsl parse: array size error",
    6325: "tsl parse: array item type error",
    6326: "tsl parse: date format error",
    6328: "tsl parse: value is not array",
    6356: "too many events",
    6357: "too many subdevices in one message",
    6400: "topology count exceeded",
    6401: "topo relation not exist",
    6402: "cannot add itself",
    6450: "method missing",
    6600: "sign check failed",
    6619: "device is bound to another gateway",
    6710: "no remote configuration",
    6713: "remote configuration is switched off",
    6717: "getType must be content",
    6718: "configScope must be device",
    6760: "system exception",
    26001: "parse script not found",
    26002: "parse script failed",
    26006: "parse script returned an illegal result",
    26007: "parse script returned nothing",
    78117: "file is too large",
    78118: "block is too large",
    78119: "offset is not the expected one",
    78120: "block is too small",
    78121: "check of the block failed",
    78122: "upload not found",
    78123: "a file of this name exists",
    78124: "upload is finished",
    78125: "check of the file failed",
    78126: "duplicate block",
    78127: "too many messages",
}
SESSION_ERROR = "device session error"  # 520 on /ext/error, gateway.md 9
LOGINS = "rate limit, too many subDeviceOnline msg in one minute"  # 429 of one sub-device, gateway.md 8.4


def message(code: int) -> str:
    return MESSAGES.get(code, "request error")


class Refused(Exception):
    """A request that is refused: `code`, `data` of the reply, `text` if not the table's.

    A `code` of None means that no reply is sent.
    """

    def __init__(self, code, data=None, text=None):
        super().__init__(text or message(code))
        self.code, self.data = code, data
