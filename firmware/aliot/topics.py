"""Topic filters of MQTT; imported when a handler's topic has a wildcard."""


def matches(pattern, topic):
    """Whether a topic filter (+ for one level, # for the rest) takes a topic."""
    pattern, topic = pattern.split("/"), topic.split("/")
    for at, level in enumerate(pattern):
        if level == "#":
            return True
        if at >= len(topic) or level not in ("+", topic[at]):
            return False
    return len(pattern) == len(topic)
