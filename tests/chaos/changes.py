"""
Changes of tags beside rotations: what was asked for, and whether it stands in the end.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from tests.chaos.judge import Broken
from tests.chaos.subject import OWNER, Subject

_VALIDITY = "ValidityPeriodDays"
_FIRST = "90"


class Changes:
    """
    The changes of every secret's tag `ValidityPeriodDays`, one at a time for each secret.
    """

    def __init__(self) -> None:
        self.made = 0
        """Those that the app has answered with success."""
        self._under_way: Counter[str] = Counter()
        self._possible: defaultdict[str, set[str]] = defaultdict(lambda: {_FIRST})

    def is_under_way(self, secret: str) -> bool:
        """
        Whether somebody waits for the answer to a change of a secret.
        """
        return self._under_way[secret] > 0

    @contextmanager
    def making(self, secret: str, days: int) -> Iterator[Callable[[int | None], None]]:
        """
        Yield what takes the status of the answer, None where there was none.
        """

        def made(status: int | None) -> None:
            if status is None or status >= 500:
                self._possible[secret].add(str(days))
            elif status < 300:
                self._possible[secret] = {str(days)}
                self.made += 1

        self._under_way[secret] += 1
        try:
            yield made
        finally:
            self._under_way[secret] -= 1

    def lost(self, subjects: Iterable[Subject]) -> Iterator[Broken]:
        """
        Yield each tag that a current version lacks: one that was set through the API, or somebody else's.
        """
        for subject in subjects:
            for secret in subject.secrets:
                current = subject.vault.current(secret)
                for name, expected in (
                    {_VALIDITY: self._possible[secret]} | {k: {v} for k, v in OWNER.items()}
                ).items():
                    if current.tags.get(name) not in expected:
                        evidence = (
                            f"tag {name} is {current.tags.get(name)!r}, and must be {' or '.join(sorted(expected))}"
                        )
                        yield Broken(2, f"{subject.arm_id}, secret {secret}", evidence)
