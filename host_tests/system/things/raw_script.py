"""A product's script, which the emulated cloud reads: two bytes are a post of `Count`, a third its id."""


def raw_data_to_protocol(data):
    if data[0] == 0:
        return {"method": "thing.event.property.post", "id": str(data[1]), "params": {"Count": data[2]}}
    return {"id": data[1:].decode(), "code": 200, "data": {}}


def protocol_to_raw_data(body):
    if "params" in body:
        return b"\x01" + body["id"].encode()
    return bytes([0, int(body["id"]), body["code"] // 100])
