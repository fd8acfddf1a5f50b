"""The official Python SDK as a thing: properties, an event, services both ways.

`linkkit_driver.py` hands over a client and its way to speak. Services are
answered in the SDK's own callback, as its manual shows.
"""

OUTPUTS = {"Reset": {"accepted": 1}, "Weigh": {"weight": 1.5}}


def use(client, events, report, expect):
    def answer(identifier, request_id, params, user_data):
        client.thing_answer_service(identifier, request_id, 200, OUTPUTS[identifier])
        events.put(("service", identifier, params))

    client.on_thing_call_service = answer
    client.on_thing_event_post = lambda name, number, code, data, message, user: events.put(
        ("event", name, code)
    )
    client.connect_async()
    report("connect", rc=expect("connect")[1])
    client.thing_post_property({"Temp": 21.5, "Count": 5})
    report("property", code=expect("property")[1])
    client.thing_trigger_event(("alarm", {"errorCode": "E1"}))
    report("event", got=expect("event"))
    report("wait", **{"for": "set"})
    report("set", got=expect("set"))
    for name in ("async", "sync"):
        report("wait", **{"for": name})
        report(name, got=expect("service"))
    client.disconnect()
    report("disconnect", rc=expect("disconnect")[0])
