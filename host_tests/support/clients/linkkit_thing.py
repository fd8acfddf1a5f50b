"""The official Python SDK as a thing: properties, an event, services both ways.

`linkkit_driver.py` hands over a client and its way to speak. Services are
answered in the SDK's own callback, as its manual shows.
"""

OUTPUTS = {"Reset": {"accepted": 1}, "Weigh": {"weight": 1.5}}


def use(client, events, say, expect):
    def answer(identifier, request_id, params, user_data):
        client.thing_answer_service(identifier, request_id, 200, OUTPUTS[identifier])
        events.put(("service", identifier, params))

    client.on_thing_call_service = answer
    client.on_thing_event_post = lambda name, number, code, data, message, user: events.put(
        ("event", name, code)
    )
    client.connect_async()
    say("connect", rc=expect("connect")[1])
    client.thing_post_property({"Temp": 21.5, "Count": 5})
    say("property", code=expect("property")[1])
    client.thing_trigger_event(("alarm", {"errorCode": "E1"}))
    say("event", got=expect("event"))
    say("wait", **{"for": "set"})
    say("set", got=expect("set"))
    for name in ("async", "sync"):
        say("wait", **{"for": name})
        say(name, got=expect("service"))
    client.disconnect()
    say("disconnect", rc=expect("disconnect")[0])
