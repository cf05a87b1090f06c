"""
What a run says of the assumptions.
"""

from collections.abc import Iterable

import msgspec

from tests.live.fidelity import Assumption
from tests.live.plugin import Ended

CONFIRMED, REFUTED, NOT_TRIED = "confirmed", "refuted", "not tried"


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
    Return a verdict about each assumption: refuted by any test that failed, confirmed by those that passed.
    """
    return [
        _judge(assumption, [one for one in ended if assumption.number in one.assumptions]) for assumption in assumptions
    ]


def table(verdicts: list[Verdict], width: int = 78) -> str:
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
    return "\n".join([*lines, "", f"live: {len(verdicts)} assumptions: {counts}"])


def _judge(assumption: Assumption, ended: list[Ended]) -> Verdict:
    failed = [one for one in ended if one.outcome == "failed"]
    passed = [one for one in ended if one.outcome == "passed"]
    verdict = REFUTED if failed else CONFIRMED if passed else NOT_TRIED
    counting = failed or passed or ended
    seen = list(dict.fromkeys(what for one in counting for what in one.seen))
    if not seen and verdict == NOT_TRIED:
        seen = [assumption.live]
    return Verdict(assumption.number, assumption.text, verdict, seen, [one.test for one in counting])
