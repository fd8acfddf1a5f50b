"""The picture of the console in the README: `make picture` takes it of a board that runs in the console's simulator."""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from host_tests.support.browser import OPTIONS, find
from host_tests.support.cloud.walker import Walker
from host_tests.support.paths import ROOT
from tools.emulator.cloud.process import Cloud

PLACE = ROOT / "tools" / "emulator" / "cloud" / "console" / "picture.png"
EXAMPLES = ROOT / "tools" / "emulator" / "cloud" / "examples.toml"
PK, DN, TARGETS = "a1Thermosta", "hall", (21, 23, 18, 22, 19)
SIZE = {"width": 1000, "height": 640}
PAUSE = 1500  # ms between two values of the plot
COLOURS, BYTES_MAX = 32, 60 * 1024


def take(folder):
    """The PNG of the page of a thermostat's model after its target was set a few times."""
    text = EXAMPLES.read_text().replace('"../../../', f'"{ROOT}/')
    with Cloud(text, folder, console=True) as cloud, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find(), args=OPTIONS)
        browser = chromium.new_page(viewport=SIZE)
        browser.goto(cloud.console_address)
        walker = Walker(browser, browser.url.rstrip("/"))
        walker.board(PK, device_name=DN, application="thermostat")
        walker.comes_online(PK, DN)
        walker.open("products", PK, "devices", DN, "model")
        walker.sees("Temperature", "[data-region='properties']")
        for target in TARGETS:
            walker.unfold("Set properties")
            walker.fill("/model/set", Target=str(target))
            walker.click("Set properties", "form[action$='/model/set']")
            walker.sees("the device answered with code 200")
            browser.wait_for_timeout(PAUSE)
        walker.open("products", PK, "devices", DN, "model")
        walker.browser.evaluate(
            "document.querySelector('header form').remove()"
        )  # fonts differ: the languages
        png = browser.screenshot()
        chromium.close()
    return png


def smaller(png):
    """The same picture with a palette."""
    file = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def main():
    with tempfile.TemporaryDirectory(prefix="aliot-picture-") as folder:
        png = smaller(take(Path(folder)))
    if len(png) > BYTES_MAX:
        raise SystemExit(f"error: the picture has {len(png)} bytes, more than {BYTES_MAX}")
    PLACE.write_bytes(png)
    print(f"{PLACE.relative_to(ROOT)}: {len(png)} bytes")


if __name__ == "__main__":
    main()
