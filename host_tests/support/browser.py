"""The machine's Chromium or Chrome for the tests: `python -m host_tests.support.browser` says which, or installs it.

Playwright drives it; nothing is downloaded but Debian's package, and only by root.
"""

import contextlib
import os
import shutil
import subprocess
import sys

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
INSTALL = "apt-get update && apt-get install --yes chromium"
# no sandbox for root; and it shall look up none of Google's hosts
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find():
    """The path of a browser, or None."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@pytest.fixture(scope="module")
def chromium():
    """A browser for a module, headless; Playwright's `Browser`.

    While it is there its thread has a running event loop: no test beside it calls `asyncio.run`.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=OPTIONS)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(chromium, **options):
    """A page of a fresh profile; at its end it must have had no error of a script and no refusal of the policy."""
    context = chromium.new_context(**options)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    try:
        yield page
        assert not wrong, wrong
    finally:
        context.close()


def main():
    may_install = os.geteuid() == 0 and shutil.which("apt-get")
    if find() is None and may_install:
        print("the console's tests need Chromium, which is installed now", flush=True)
        subprocess.run(["sh", "-c", INSTALL + " >/dev/null"], check=False)
    path = find()
    if path is None:
        sys.exit(f"error: the console's tests need Chromium or Chrome; install it: sudo sh -c '{INSTALL}'")
    found = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    print("browser of the tests:", found.stdout.strip())


if __name__ == "__main__":
    main()
