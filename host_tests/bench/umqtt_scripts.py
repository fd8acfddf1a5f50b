"""Programs of a board without aliot: umqtt.simple as people use it, in three styles; and orders, which it takes then.

The constants that they use (`ROOT`, `CLIENT_ID`, ...) stand above them on the board, see boards.py.
"""

START = """\
import sys, time, network, ntptime, tls
from umqtt.simple import MQTTClient

print("loaded")
station = network.WLAN(network.STA_IF)
station.active(True)
station.connect("bench", "password")
while not station.isconnected():
    time.sleep_ms(10)
print("wifi")
ntptime.host = "ntp.aliyun.com"
ntptime.settime()
print("clock")
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
"""
ROOTS = """\
with open(ROOT, "rb") as file:
    context.load_verify_locations(file.read())
"""
WRAPPED = """\
sys.modules["ussl"] = context  # what umqtt.simple 1.3.4 wraps its socket with
"""
# umqtt.simple writes piece by piece; here a packet is one write
ONE_WRITE = '''\


class Packets:
    """Holds what umqtt writes until it reads, so that a packet is one write."""

    def __init__(self, sock):
        self.sock = sock
        self.held = b""
        self.setblocking = sock.setblocking

    def write(self, data, size=None):
        self.held += data if size is None else data[:size]

    def read(self, size):
        if self.held:
            self.sock.write(self.held)
            self.held = b""
        return self.sock.read(size)

    def close(self):
        self.sock.write(self.held)
        self.held = b""
        self.sock.close()


class Secure:
    def wrap_socket(self, sock, server_hostname):
        sock.setsockopt(6, 1, 1)  # TCP_NODELAY
        return Packets(context.wrap_socket(sock, server_hostname=server_hostname))


sys.modules["ussl"] = Secure()  # what umqtt.simple 1.3.4 wraps its socket with
'''
CLIENT = """\
client = MQTTClient(CLIENT_ID, HOST, PORT, USER, PASSWORD, 300, True, {"server_hostname": HOST})
"""
UNVERIFIED = """\
context.verify_mode = tls.CERT_NONE
"""
PLAIN_CLIENT = """\
client = MQTTClient(CLIENT_ID, HOST, PORT, USER, PASSWORD, 300, True)
"""
STYLES = {
    "verified": START + ROOTS + WRAPPED + CLIENT,
    "unverified": START + UNVERIFIED + WRAPPED + PLAIN_CLIENT,
    "one_write": START + ROOTS + ONE_WRITE + CLIENT,
}
# connects, publishes and disconnects whenever it is told to; see link.py
ORDERS = """\
import stopwatch

PAYLOAD = b'{"id":"1","version":"1.0","params":{"Uptime":1234,"FreeMemory":56789}}'
while True:
    count = int(sys.stdin.readline())
    stopwatch.arm()
    client.connect()
    connected = stopwatch.taken()
    began = time.ticks_us()
    for _ in range(count):
        client.publish(TOPIC, PAYLOAD, False, 1)
    published = time.ticks_diff(time.ticks_us(), began)
    client.disconnect()
    print("took %d %d" % (connected, published))
"""
# connects, posts with QOS and disconnects whenever it is told to; see posts.py
POSTS = """\
import json

replies = 0


def heard(topic, message):
    global replies
    replies += json.loads(message)["code"] == 200


client.set_callback(heard)
while True:
    count = int(sys.stdin.readline())
    client.connect()
    if not QOS:
        client.subscribe(POST + b"_reply")
    began = time.ticks_us()
    for number in range(count):
        replies = 0
        now = time.time() * 1000
        values = {"Uptime": {"value": number, "time": now}, "FreeMemory": {"value": 56789, "time": now}}
        body = {"id": str(number), "version": "1.0", "params": values, "method": "thing.event.property.post"}
        client.publish(POST, json.dumps(body), False, QOS)
        while not QOS and not replies:
            client.wait_msg()
    took = time.ticks_diff(time.ticks_us(), began)
    client.disconnect()
    print("took %d" % took)
"""
