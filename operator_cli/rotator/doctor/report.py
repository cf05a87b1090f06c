"""
How findings look: those that ask for something first, each with what to do.
"""

from collections.abc import Sequence

from rich.text import Text

from rotator.columns import Column, FittingTable
from rotator.doctor.finding import Finding, Verdict
from rotator.wording import counted, plain

_ORDER = (Verdict.FAULT, Verdict.WARNING, Verdict.UNKNOWN, Verdict.OK)
_COLOURS = {Verdict.FAULT: "bold red", Verdict.WARNING: "yellow", Verdict.UNKNOWN: "yellow", Verdict.OK: "green"}


def by_weight(findings: Sequence[Finding]) -> list[Finding]:
    """
    Return the findings, each once, the gravest first.
    """
    return sorted(dict.fromkeys(findings), key=lambda one: _ORDER.index(one.verdict))


def table(findings: Sequence[Finding]) -> FittingTable:
    """
    Return a row for each finding. What was found, and what to do, stand below it where there is no room beside it.
    """
    details = [plain(one.detail) for one in findings]
    remedies = [plain(one.remedy or "") for one in findings]
    below = [f"-> {remedy}" if remedy else "" for remedy in remedies]
    return FittingTable(
        [
            Column("", [Text(one.verdict, _COLOURS[one.verdict]) for one in findings]),
            Column("about", [Text(one.area) for one in findings]),
            Column("found", list(map(Text, details)), rank=1, below=details),
            Column("what to do", list(map(Text, remedies)), rank=2, below=below),
        ]
    )


def summary(findings: Sequence[Finding]) -> str:
    """
    Return how many there are of what asks for something.
    """
    named = {Verdict.FAULT: "fault", Verdict.WARNING: "warning", Verdict.UNKNOWN: "thing"}
    numbers = {verdict: sum(one.verdict is verdict for one in findings) for verdict in named}
    said = [counted(numbers[verdict], name) for verdict, name in named.items() if numbers[verdict]]
    if numbers[Verdict.UNKNOWN]:
        said[-1] += " not looked at"
    return ", ".join(said) or "no fault found"
