"""Issuing of X.509 certificates as a part of the bench."""

from host_tests.bench import issuing
from host_tests.bench.report import Column, Report, Table


def report(scale=1.0):
    table = Table(
        "Key, signature, files and ledger",
        [Column("made by"), Column("certificates a second", ".1f"), Column("CPU ms each", ".1f")],
    )
    for what, figure in issuing.measure(max(8, round(60 * scale))).items():
        table.add(what, figure["per_second"], figure["cpu_ms"])
    return Report([table])
