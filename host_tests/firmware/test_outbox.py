"""The outbox's file on both interpreters: random calls and power cuts against a reference, and what a put costs."""

import random

from host_tests.support.device_tests import asking
from host_tests.support.paths import ROOT

CASE = ROOT / "host_tests/firmware/thing/outbox_cuts.py"


ask = asking(CASE, "4M")


def seeds(count):
    draw = random.SystemRandom()
    return [draw.randrange(2**30) for _ in range(count)]


def test_random_calls_and_cuts_lose_nothing_beyond_what_is_counted(ask, campaign, tally):
    for seed in seeds(campaign(20)):
        ask("sequence", seed=seed, count=100)
        tally("calls of an outbox", 100)


def test_at_every_flash_operation_of_random_calls(ask, campaign, tally):
    for seed in seeds(campaign(2)):
        ask("every_operation", seed=seed, count=30)
        tally("outboxes cut at every flash operation")


def test_a_file_that_was_spoiled_gives_nothing_that_was_not_put(ask, campaign, tally):
    for seed in seeds(campaign(4)):
        ask("spoiled", seed=seed, count=10)
        tally("spoiled outboxes", 10)


def test_a_full_file_system_refuses_and_loses_nothing(ask):
    ask("full")


def test_a_put_is_a_few_flash_operations_and_about_one_erase(ask):
    ask("cost", count=200, most=[8, 1])
