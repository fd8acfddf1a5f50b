"""Somebody who goes through the console in a browser, click for click, with emulated boards that the console starts."""

import re

from host_tests.support.paths import ROOT

PICTURES = ROOT / "build" / "console" / "walks"
WAIT = 120_000  # ms: a bound for what must happen; a board needs seconds on a busy machine


class Walker:
    """`browser` is a page of Playwright's that is in the console at `origin`."""

    def __init__(self, browser, origin):
        self.browser, self.origin, self.name = browser, origin, "walk"
        browser.set_default_timeout(WAIT)

    # ---- the console

    def open(self, *steps):
        """The page of that path."""
        assert self.browser.goto("/".join((self.origin, *steps))).ok

    def unfold(self, text):
        """Opens what is folded away behind a summary."""
        self.browser.locator("main summary").filter(
            has_text=re.compile(rf"^\s*{re.escape(text)}\s*$")
        ).first.click()

    def click(self, text, inside="main"):
        self.browser.locator(inside).get_by_role("button", name=text, exact=True).first.click()

    def confirm(self, action, button="OK"):
        """Goes through the two steps of a form whose address ends with `action`."""
        self.browser.locator(f"details:has(form[action$='{action}']) > summary").first.click()
        self.click(button, f"form[action$='{action}']")

    def fill(self, form, **fields):
        """Fills in the form whose address ends with `form`: text, a file (a dict), or True for a tick."""
        for name, value in fields.items():
            one = self.browser.locator(f"form[action$='{form}'] [name='{name}']").first
            if isinstance(value, dict):
                one.set_input_files(value)
            elif isinstance(value, bool):
                one.set_checked(value)
            elif one.evaluate("one => one.tagName") == "SELECT":
                one.select_option(value)
            elif one.get_attribute("type") == "radio":
                self.browser.locator(f"form[action$='{form}'] [name='{name}'][value='{value}']").check()
            else:
                one.fill(value)

    def sees(self, text, inside="main"):
        """Waits until the page shows a text, or what a regular expression fits."""
        self.browser.locator(inside).filter(has_text=text).first.wait_for()

    def address(self, pattern):
        """What the address of the page that a form led to has for the group of `pattern`."""
        notice = self.browser.locator("main .notice").first.inner_text()
        found = re.search(pattern, self.browser.url)
        assert found, notice
        return found[1]

    def picture(self, what):
        """Keeps a picture of the page in build/."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.browser.screenshot(path=PICTURES / f"{self.name}-{what}.png", full_page=True)

    # ---- steps that several walks have

    def product(self, name, node="direct", auth="secret"):
        """Creates a product; its ProductKey."""
        self.open("products")
        self.unfold("Create Product")
        self.fill("/products", name=name, node=node, auth=auth)
        self.click("Create Product", "form[action='/products']")
        return self.address(r"/products/(\w+)$")

    def devices(self, pk, *names):
        """Adds devices, as Batch Add does it."""
        self.open("products", pk)
        self.unfold("Batch Add")
        self.fill("/devices", names="\n".join(names))
        self.click("Batch Add", "form[action$='/devices']")
        self.sees("devices were added.")

    def board(self, pk, **fields):
        """Starts a board of the simulator; its number."""
        self.open("simulator")
        more = self.browser.locator("form[action='/simulator/start'] details")
        more.evaluate("one => one.open = true")
        self.fill("/simulator/start", product=pk, create=False, **fields)
        self.click("Start board")
        return self.address(r"/simulator/(\d+)$")

    def comes_online(self, pk, dn):
        """Waits on the page of a device until it is online."""
        self.open("products", pk, "devices", dn)
        self.browser.locator("[data-region='state'] .status-online").wait_for()

    def remove(self, *numbers):
        for number in numbers:
            self.open("simulator", number)
            self.confirm("/remove", "Remove board")
            self.sees(f"Board {number} was removed.")
