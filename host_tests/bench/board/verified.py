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
sys.modules["ussl"] = context  # what umqtt.simple 1.3.4 wraps its socket with
client = MQTTClient(CLIENT_ID, HOST, PORT, USER, PASSWORD, 300, True, {"server_hostname": HOST})
