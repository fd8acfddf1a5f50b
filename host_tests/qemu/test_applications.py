"""What is added to the shipped applications, and what they then print."""

import pytest

from tools.firmware import FOLDER
from tools.image import device_files
from tools.qemu import applications, scenarios
from tools.qemu.applications import Heaps

SHIPPED = sorted({scenario.main for scenario in scenarios.SCENARIOS})


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_application_gets_one_statement_and_nothing_else(name):
    source = (FOLDER / name).read_text()
    made = applications.measured(source)
    device_files.compile_module(made.encode(), "main.py")
    assert [line for line in made.splitlines() if applications.MEASURE not in line] == source.splitlines()
    assert made.count(applications.MEASURE) == 1


def test_an_application_that_answers_nothing_is_refused():
    with pytest.raises(ValueError, match="answers nothing that it is asked"):
        applications.measured("print(1)\n")


def test_what_an_application_holds_comes_after_its_imports():
    source = "import gc\n\nfrom aliot import (\n    memory,\n)\n\nA = 1\n"
    made = applications.beside(source, 16384)
    assert made.splitlines()[4:7] == [")", "held = bytearray(16384)", ""]


@pytest.mark.parametrize(
    "line, found",
    [
        ("heaps 33088 [(7288, 24, 0, 24), (113840, 59748, 57344, 58000)]", Heaps(33088, 59772, 58024)),
        ("noise heaps 1 [(4, 3, 2, 1)]\r", Heaps(1, 3, 1)),
        ("heaps 33088 [(7288, 24, 0, 24), (1138", None),  # a console that lost bytes
        ("heaps 33088 [(7288, 24, 0)]", None),
        ("heaps 33088 [7288]", None),
        ("heaps", None),
    ],
)
def test_both_heaps_are_read_from_a_line(line, found):
    assert applications.heaps(line) == found


@pytest.mark.parametrize(
    "line, found",
    [
        ("network 66616b65 0", ("fake", True)),
        ("network c3a9 3", ("é", False)),
        ("network  0", ("", True)),
        ("scanned", None),
    ],
)
def test_networks_are_read_from_a_scan(line, found):
    assert applications.network(line) == found


def test_scenarios_have_names_of_their_own_and_families():
    assert len(set(scenarios.NAMES)) == len(scenarios.NAMES)
    assert scenarios.chosen([]) == list(scenarios.NAMES)
    assert scenarios.chosen(["id2", "power-cuts"]) == ["id2", "id2-provisioned", "power-cuts"]
    assert scenarios.chosen(["gateway"]) == ["gateway-3", "gateway-10", "gateway-30"]
    assert scenarios.chosen(["gateway-3"]) == ["gateway-3"] and scenarios.chosen(["gate"]) == []
