"""Documents: every relative link leads somewhere, the README is short, and output that is shown is printed."""

import json
import re
import subprocess
import sys

import pytest

from host_tests.support.cloud import picture
from host_tests.support.paths import ROOT

LISTED = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, check=True)
DOCUMENTS = sorted(filter(None, LISTED.stdout.decode().split("\0")))
LINK = re.compile(r"\]\(([^)\s]+)\)")
SHOWN = {"product_key": "a1MZxOdcBnO", "device_name": "Example1", "device_secret": "h4I4dneEFp7EImTv"}


def prose(path):
    """The text of a document without its blocks of code."""
    return re.sub(r"```.*?```", "", path.read_text("utf-8"), flags=re.S)


def anchors(path):
    """The headings of a document as links name them."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", prose(path))
    headings = re.findall(r"^#+ (.*)$", plain, re.M)
    return {re.sub(r"[^\w\- ]|²", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_relative_link_leads_to_a_file_and_a_heading(name):
    path = ROOT / name
    faults = []
    for link in LINK.findall(prose(path)):
        file, _, heading = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if "://" not in link and (
            not target.is_relative_to(ROOT)
            or not target.exists()
            or (heading and target.suffix == ".md" and heading not in anchors(target))
        ):
            faults.append(link)
    assert faults == []


def test_the_readme_is_read_in_one_sitting():
    assert len((ROOT / "README.md").read_bytes()) <= 12 * 1024


def test_the_picture_of_the_console_is_small_and_in_the_readme():
    """`make picture` takes it anew."""
    assert f"]({picture.PLACE.relative_to(ROOT)})" in (ROOT / "README.md").read_text("utf-8")
    assert len(picture.PLACE.read_bytes()) <= picture.BYTES_MAX


def test_explain_prints_what_its_page_shows(tmp_path):
    cert = tmp_path / "device.json"
    cert.write_text(json.dumps(SHOWN | {"region": "cn-shanghai"}))
    page = (ROOT / "tools/diagnosis/README.md").read_text("utf-8")
    command, shown = re.search(r"```\n\$ python (.*?)\n(.*?)```", page, re.S).groups()
    arguments = command.replace("device.json", str(cert)).split()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", shown)
