"""
The table of the fault matrix, as it stands in docs/reliability.md.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.chaos.cases import Result
from tests.chaos.kinds import FAULT_KINDS, KILL_KINDS, VAULT_REFUSALS
from tests.chaos.points import POINTS
from tools.places import filled

_STATES = {
    "Completed": "C",
    "Failed provider_refused": "Fp",
    "Failed vault_refused": "Fv",
    "Failed exhausted": "Fx",
}
_MARKS = {"(resumed)": "r", "(told later)": "t", "(repaired)": "*"}
_LEGEND = (
    "`C` Completed, `Fp` Failed with `provider_refused`, `Fv` with `vault_refused`, `Fx` with `exhausted`; "
    "`r` resumed from the ledger after its claim had expired, `t` ended at once with its event published later, "
    "`*` only after the fault was repaired. The figure counts cases; every kind of target, both strategies, "
    "and every status or body of a kind, are a case each."
)


def write_tables(results: Sequence[Result], document: Path) -> None:
    """
    Put each table into its place in a document.
    """
    tables = {"matrix": render(results) + "\n", "refusals": render_refusals(results) + "\n"}
    document.write_text(filled(document.read_text(), tables))


def render_refusals(results: Iterable[Result]) -> str:
    """
    Return the table of what Key Vault says to the new version: what may help, and how the rotation ended.
    """
    cells: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for result in results:
        cells[result.case.fault.name, result.case.strategy][code_of(result.ending)] += 1
    lines = ["| Key Vault's answer | what may help | Alternate | InPlace |", "|---|---|---|---|"]
    for refusal in VAULT_REFUSALS:
        row = (_cell(cells[refusal.name, strategy]) for strategy in ("Alternate", "InPlace"))
        lines.append(f"| {refusal.name} | {refusal.helps} | {' | '.join(row)} |")
    return "\n".join(lines)


def render(results: Iterable[Result]) -> str:
    """
    Return the table: a row for each request, a column for each kind of fault.
    """
    cells: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    endings: Counter[str] = Counter()
    for result in results:
        cells[result.case.point.name, result.case.fault.name][code_of(result.ending)] += 1
        endings[result.ending] += 1
    faults = [kind.name for kind in (*FAULT_KINDS, *KILL_KINDS)]
    lines = [f"| request | {' | '.join(faults)} |", f"|---|{'---|' * len(faults)}"]
    for point in POINTS:
        row = (_cell(cells[point.name, fault]) for fault in faults)
        lines.append(f"| {point.name} | {' | '.join(row)} |")
    totals = "; ".join(f"{count} {ending}" for ending, count in endings.most_common())
    return f"{endings.total()} cases: {totals}.\n\n{_LEGEND}\n\n" + "\n".join(lines)


def summarise(results: Iterable[Result]) -> list[str]:
    """
    Return a line for each kind of fault, with how rotations ended that met it.
    """
    endings: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        endings[result.case.fault.name][result.ending] += 1
    return [
        f"{kind.name:>24}: {', '.join(f'{count} {ending}' for ending, count in endings[kind.name].most_common())}"
        for kind in (*FAULT_KINDS, *VAULT_REFUSALS, *KILL_KINDS)
    ]


def code_of(ending: str) -> str:
    """
    Return the short form of how a rotation ended.
    """
    marks = "".join(mark for words, mark in _MARKS.items() if words in ending)
    state = ending.split(" (", 1)[0]
    return _STATES.get(state, state) + marks


def _cell(codes: Counter[str]) -> str:
    return " ".join(f"{code} {count}" for code, count in sorted(codes.items())) or "–"  # noqa: RUF001 - a dash
