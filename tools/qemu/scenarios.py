"""The scenarios: which identity and application a board has, and what happens to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tools.demo import direct, gateways, id2, x509
from tools.demo.scene import INSTANCE, REGION
from tools.emulator.cloud.process import Cloud
from tools.firmware import FOLDER
from tools.qemu import applications

FIRST, LATER, KICK, OUTAGE = "first boot", "second boot", "after a kick", "after a Wi-Fi outage"
BOOTS, EVERYTHING = (FIRST, LATER), (FIRST, LATER, KICK, OUTAGE)
KEEPALIVE = 30  # s, the least there is: a silent outage is then noticed in less than a minute
BESIDE = 16 * 1024  # bytes that an application holds beside a plain device
KICKS = 2  # a third one within ten minutes would be a twin's, after which a board waits for minutes
CUTS = "power-cuts"


@dataclass(frozen=True)
class Scenario:
    """One kind of board. `device`: (ProductKey, DeviceName); `subdevices`: names that must be online with it."""

    name: str
    title: str
    products: tuple[dict[str, Any], ...]
    device: tuple[str, str]
    identity: dict[str, Any]
    moments: tuple[str, ...] = BOOTS
    main: str = "examples/minimal.py"  # below firmware/
    held: int = 0
    subdevices: tuple[str, ...] = ()
    kicks: int = 1
    certificate: Callable[[Cloud, Path], dict[str, str]] | None = (
        None  # (cloud, folder) -> fields of the identity, made anew
    )

    @property
    def cloud(self) -> dict[str, Any]:
        """The cloud.toml, as a dict."""
        return {
            "instance": {"kind": "enterprise", "id": INSTANCE, "region": REGION},
            "product": list(self.products),
        }

    @property
    def application(self) -> bytes:
        """The bytes of /main.py."""
        source = applications.measured((FOLDER / self.main).read_text())
        return (applications.beside(source, self.held) if self.held else source).encode()

    @property
    def files(self) -> dict[str, bytes]:
        """{path: bytes} beside the compiled firmware."""
        files = {"/main.py": self.application}
        if self.subdevices:
            lines = [f"{gateways.SUB_KEY} {name}\n" for name in self.subdevices]
            files["/subdevices.txt"] = "".join(lines).encode()
        return files

    @property
    def config(self) -> dict[str, Any]:
        """What config.json has beside the network's name."""
        return {"keepalive": KEEPALIVE} if OUTAGE in self.moments else {}

    @property
    def asked(self) -> tuple[str, str]:
        """The (ProductKey, DeviceName) whose property is set so that the application tells of its heaps."""
        return (gateways.SUB_KEY, self.subdevices[-1]) if self.subdevices else self.device

    def fields(self, cloud: Cloud, folder: Path) -> dict[str, Any]:
        """The identity to burn, as in a certificate's JSON file in `folder`."""
        made = self.certificate(cloud, folder) if self.certificate else {}
        return {"region": REGION, "instance": INSTANCE, **self.identity, **made}


def _identities():
    for name, (title, certificate, device) in zip(
        ("unique", "https", "mqtt", "free"), direct.SCENES, strict=True
    ):
        # QEMU's eFuses need not say the MAC that ours do: no name is made of it
        identity = {**certificate, "device_name": device[1]}
        yield Scenario(name, title, tuple(direct.PRODUCTS), device, identity)
    yield Scenario(
        "x509", x509.SCENE, tuple(x509.PRODUCTS), (x509.PRODUCT_KEY, x509.DEVICE_NAME), {}, certificate=_x509
    )
    for name, (title, product_key, device_name, fields) in zip(
        ("id2", "id2-provisioned"), id2.SCENES, strict=True
    ):
        identity = {
            "way": "id2",
            "product_key": product_key,
            "device_name": device_name,
            "host": id2.HOST,
            **fields,
        }
        yield Scenario(name, title, tuple(id2.PRODUCTS), (product_key, device_name), identity)


def _x509(cloud, folder):
    made = x509.certificate(SimpleNamespace(cloud=cloud, folder=folder, report=lambda *_: None))
    (folder / "x509.cer").write_bytes(made.certificate_pem)
    (folder / "x509.key").write_bytes(made.key_pem)
    return {"certificate": "x509.cer", "private_key": "x509.key"}


def _gateway(count):
    names = tuple(f"probe-{number}" for number in range(1, count + 1))
    gateway, subdevices = gateways.PRODUCTS
    return Scenario(
        f"gateway-{count}",
        f"gateway, {count} sub-devices",
        (gateway, {**subdevices, "device": [{"device_name": name} for name in names]}),
        (gateways.PRODUCT_KEY, gateways.GATEWAY),
        {
            "product_key": gateways.PRODUCT_KEY,
            "device_name": gateways.GATEWAY,
            "device_secret": gateways.DEVICE_SECRET,
            "sub_products": [{"product_key": gateways.SUB_KEY}],
        },
        EVERYTHING,
        "examples/gateway.py",
        subdevices=names,
    )


def _with_application(name, title, **more):
    _, certificate, device = direct.SCENES[0]
    return Scenario(name, title, tuple(direct.PRODUCTS), device, certificate, EVERYTHING, kicks=KICKS, **more)


def cut_boards(count: int) -> Scenario:
    """The scenario of a board that registers, as often as power is cut, and once more to see how long it takes."""
    product = {
        **direct.PRODUCTS[0],
        "device": [{"device_name": cut_name(number)} for number in range(count + 1)],
    }
    return Scenario(
        CUTS,
        f"{count} random power cuts",
        (product,),
        (direct.PRODUCT_KEY, cut_name(0)),
        {**direct.PER_PRODUCT, "method": "https"},
    )


def cut_name(number: int) -> str:
    return f"cut-{number}"


SCENARIOS = (
    *_identities(),
    *map(_gateway, (3, 10, 30)),
    _with_application("application", f"{BESIDE // 1024} KB of an application beside it", held=BESIDE),
    _with_application("thing", "main.py, with its thing model", main="main.py"),
)
NAMES = (*(scenario.name for scenario in SCENARIOS), CUTS)


def chosen(names: Sequence[str]) -> list[str]:
    """The names of scenarios that `names` mean, in order; one stands for its family too: "gateway", "id2"."""
    return [
        name
        for name in NAMES
        if not names or any(name == wanted or name.startswith(wanted + "-") for wanted in names)
    ]
