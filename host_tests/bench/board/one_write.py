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
with open(ROOT, "rb") as file:
    context.load_verify_locations(file.read())


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
client = MQTTClient(CLIENT_ID, HOST, PORT, USER, PASSWORD, 300, True, {"server_hostname": HOST})
