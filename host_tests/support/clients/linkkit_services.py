"""The official Python SDK and the platform's services: tags, the shadow, RRPC on a custom topic.

`linkkit_driver.py` hands over a client and its way to speak.
"""


def watch(client, events):
    client.on_thing_device_info_update = lambda number, code, *rest: events.put(("tagged", code))
    client.on_thing_device_info_delete = lambda number, code, *rest: events.put(("untagged", code))
    client.on_thing_shadow_get = lambda message, user: events.put(("shadow", message))

    def answer(number, topic, payload, qos, user):
        client.thing_answer_rrpc(number, "pong")
        events.put(("rrpc", topic, payload.decode()))

    client.on_topic_rrpc_message = answer


def tag(client, report, expect):
    client.thing_update_tags({"Temperature": "36.8", "room": "kitchen"})
    report("tagged", code=expect("tagged")[0])
    client.thing_remove_tags(["room"])
    report("untagged", code=expect("untagged")[0])
    client.thing_update_tags({"Temperature": "36.8 degrees"})
    report("refused tag", code=expect("tagged")[0])


def cast_a_shadow(client, report, expect):
    """Reports, a report of an older version, what is read, what an application desires."""
    for name, version in (("reported", 1), ("conflict", 1)):
        client.thing_update_shadow({"color": "red"}, version)
        report(name, got=expect("shadow")[0])
    client.thing_get_shadow()
    report("read", got=expect("shadow")[0])
    report("wait", **{"for": "desire"})
    report("control", got=expect("shadow")[0])
    kept = client.local_get_latest_shadow()
    report("kept", version=kept.get_version(), state=kept.get_state())


def use(client, events, report, expect, job):
    watch(client, events)
    client.connect_async()
    report("connect", rc=expect("connect")[1])
    tag(client, report, expect)
    cast_a_shadow(client, report, expect)
    topic = f"/{job['product_key']}/{job['device_name']}/user/"
    client.subscribe_rrpc_topic(topic + "ping")
    client.subscribe_topic(topic + "get")  # of the one before the SDK reports no answer
    report("subscribed", granted=list(expect("subscribed")[0]))
    report("wait", **{"for": "rrpc"})
    report("rrpc", got=expect("rrpc"))
    client.disconnect()
    report("disconnect", rc=expect("disconnect")[0])


def raw(client, events, report, expect):
    """Bytes up and down, of a product with a script."""
    client.on_thing_raw_data_post = lambda payload, user: events.put(("raw reply", payload.hex()))

    def answer(payload, user):
        client.thing_raw_data_reply(b"\x01\xc8" + payload[1 : payload.index(b"|")])
        events.put(("raw down", payload.hex()))

    client.on_thing_raw_data_arrived = answer
    client.connect_async()
    report("connect", rc=expect("connect")[1])
    client.thing_raw_post_data(b"\x00\x07\x05")
    report("raw reply", got=expect("raw reply")[0])
    report("wait", **{"for": "raw"})
    report("raw down", got=expect("raw down")[0])
    client.disconnect()
    report("disconnect", rc=expect("disconnect")[0])
