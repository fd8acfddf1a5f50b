"""Devices with client certificates on the emulated cloud: mutual TLS beside plain TLS."""

import asyncio
import ssl

from host_tests.bench.load import Load, connect, memory, timed
from host_tests.bench.report import Column, Table
from host_tests.support.cloud.x509 import HOST, files, first, leaf, pem, proof, root
from host_tests.support.fleet import running

PK, PLAIN_PK, CA = "a1BENCHpk03", "a1BENCHpk04", "Bench_CA"
CONFIG = {"product": [{"product_key": PK, "auth": "x509"}, {"product_key": PLAIN_PK}]}
PLAIN_HOST = f"{PLAIN_PK}.iot-as-mqtt.cn-shanghai.aliyuncs.com"
COLUMNS = (
    "what",
    "devices online",
    "handshakes per second",
    "bytes to the cloud",
    "bytes from the cloud",
    "kilobytes per device",
)


class MutualLoad(Load):
    """As `Load`, with TLS 1.2 and RSA suites as a board has them; `online` takes a device's TLS context."""

    def context(self, pair=()):
        made = ssl.create_default_context(cafile=self.cloud.ca_pem)
        made.set_ciphers("AES128-GCM-SHA256")
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        if pair:
            made.load_cert_chain(*pair)
        return made

    async def online(self, where, context, host, packet):
        async with self.gate:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.cloud.ports[where], ssl=context, server_hostname=host
            )
            writer.write(packet)
            if await reader.readexactly(4) != b"\x20\x02\x00\x00":
                raise RuntimeError("a device was not let in")
        self.open.append((reader, writer))


def issued(cloud, folder, names):
    """A registered CA, a certificate for each device, all bound; the devices' files."""
    made, code = root(), cloud.admin("GET", "/registration_code")["code"]
    cloud.admin(
        "POST", "/cas", {"name": CA, "certificate": pem(made), "verification": pem(proof(code, made))}
    )
    rows = "".join(f"{PK},{name},{number:X}\n" for number, name in enumerate(names, 1))
    cloud.admin("POST", f"/cas/{CA}/association", {"csv": "ProductKey,DeviceName,CertSN\n" + rows})
    return [files(folder, leaf(made, number)) for number in range(1, len(names) + 1)]


async def run(cloud, what, product_key, where, names, devices):
    """One row of `COLUMNS`; the bytes are those of one device's handshake, CONNECT and what answers it."""
    load, before = MutualLoad(cloud), memory(cloud.process.pid)
    contexts = [load.context(pair) for pair, _, _ in devices]
    try:
        took = await timed(
            asyncio.gather(
                *(
                    load.online(where, context, host, packet)
                    for context, (_, host, packet) in zip(contexts, devices)
                )
            )
        )
        online = cloud.admin("GET", "/stats")["online"]
        traffic = cloud.device(product_key, names[0])["traffic"]
        return (
            what,
            online,
            round(len(names) / took),
            traffic["bytes_in"],
            traffic["bytes_out"],
            round((memory(cloud.process.pid) - before) * 1000 / len(names), 1),
        )
    finally:
        load.close()


def table(scale=1.0):
    """Mutual and plain TLS side by side, each with a cloud of its own."""
    found = Table(
        "Mutual TLS beside plain TLS, RSA 2048, clients in one other process",
        [Column(name) for name in COLUMNS],
    )
    names = [f"bench_{number:05}" for number in range(max(20, round(300 * min(scale, 1))))]
    for what, product_key, where in (("plain TLS", PLAIN_PK, "mqtt_tls"), ("mutual TLS", PK, "x509")):
        with running(CONFIG) as cloud:
            made = cloud.admin("POST", f"/products/{product_key}/devices?secret=1", {"device_names": names})
            if where == "x509":
                devices = [
                    (pair, HOST, first().encode()) for pair in issued(cloud, cloud.run_dir.parent, names)
                ]
            else:
                devices = [
                    ((), PLAIN_HOST, connect(one["device_name"], one["device_secret"], 2, PLAIN_PK))
                    for one in made
                ]
            found.add(*asyncio.run(run(cloud, what, product_key, where, names, devices)))
    return found
