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
