"""
What a run says of the assumptions.
"""

from collections.abc import Iterable

import msgspec

from tests.live.fidelity import Assumption
from tests.live.plugin import Ended

CONFIRMED, REFUTED, NOT_TRIED = "confirmed", "refuted", "not tried"
IN_PART = "tried in part: "


class Run(msgspec.Struct, rename="camel"):
    """
    What a run has found, and where.
    """

    place: str
    on: str
    commit: str
    pytest: list[str]
    verdicts: list["Verdict"]


class Verdict(msgspec.Struct):
    """
    What a run says of one assumption.
    """

    number: int
    assumption: str
    verdict: str
    seen: list[str]
    tests: list[str]


def judge(assumptions: Iterable[Assumption], ended: list[Ended]) -> list[Verdict]:
    """
    Return a verdict about each assumption: refuted by any test that failed, confirmed if all have passed.
    """
    return [
        _judge(assumption, [one for one in ended if assumption.number in one.assumptions]) for assumption in assumptions
    ]


def table(verdicts: list[Verdict], place: str, width: int = 78) -> str:
    """
    Return the verdicts for people, a line each, and below it what was seen.
    """
    lines = []
    for one in verdicts:
        text = one.assumption if len(one.assumption) <= width else f"{one.assumption[: width - 3]}..."
        lines.append(f"{one.number:>4}  {one.verdict:<9}  {text}")
        lines += [f"{'':>4}  {'':<9}  - {what}" for what in one.seen]
    counts = ", ".join(
        f"{sum(one.verdict == verdict for one in verdicts)} {verdict}" for verdict in (CONFIRMED, REFUTED, NOT_TRIED)
    )
    return "\n".join([*lines, "", f"live, in {place}: {len(verdicts)} assumptions: {counts}"])


def _judge(assumption: Assumption, ended: list[Ended]) -> Verdict:
    failed = [one for one in ended if one.outcome == "failed"]
    left_open = [one for one in ended if one.outcome not in {"failed", "passed"}]
    verdict = REFUTED if failed else NOT_TRIED if left_open or not ended else CONFIRMED
    counting = failed or left_open or ended
    seen = list(dict.fromkeys(what for one in counting for what in one.seen))
    if verdict == NOT_TRIED and not seen:
        seen = [assumption.live]
    if verdict == CONFIRMED and assumption.live.startswith(IN_PART):
        seen = [assumption.live.removeprefix("tried "), *seen]
    return Verdict(assumption.number, assumption.text, verdict, seen, [one.test for one in counting])
