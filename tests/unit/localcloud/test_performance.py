import pytest

from localcloud.azure.cloud import LocalAzure
from localcloud.azure.cloud_events import ReceivedEvent
from localcloud.azure.instant import Instant
from localcloud.azure.key_history import KeyHistory
from localcloud.consumers import CallFailed
from localcloud.dead_keys import DeadKeys
from localcloud.kinds import KINDS
from localcloud.leaks import find_leaks
from localcloud.narrator import WIDTH, Narrator
from localcloud.performance import Verdict, judge, tables
from localcloud.scenario import Rotated
from localcloud.witness import Witness

ROTATIONS = len(KINDS) + 1
GOOD = {
    "completed": ROTATIONS,
    "announced": ROTATIONS,
    "failed_calls": 0,
    "idle_clients": 0,
    "refused": ROTATIONS,
    "leaks": 0,
}
SECRETS = ("batch-key", "workflow-url", "storage-connection", "openai-key")


def test_the_demo_ends_well() -> None:
    """
    The line is what other tools look for.
    """
    verdict = Verdict(**GOOD)

    assert verdict.line == f"demo: {ROTATIONS} rotations completed, 0 failed client calls, 0 secrets leaked"
    assert verdict.status == 0


@pytest.mark.parametrize(
    ("count", "number"),
    [
        ("completed", ROTATIONS - 1),
        ("completed", 0),
        ("announced", ROTATIONS - 1),
        ("failed_calls", 1),
        ("idle_clients", 1),
        ("refused", ROTATIONS - 1),
        ("refused", 0),
        ("leaks", 1),
    ],
)
def test_any_number_that_is_off_is_an_exit_status(count: str, number: int) -> None:
    """
    The line tells what was counted, not what was hoped for.
    """
    verdict = Verdict(**GOOD | {count: number})

    assert verdict.status == 1
    assert (verdict.line == Verdict(**GOOD).line) == (count in {"announced", "idle_clients", "refused"})


def test_a_dead_key_that_a_service_accepts_is_none_that_was_refused() -> None:
    """
    Nor is one that was never tried.
    """
    dead = [
        DeadKeys("batch-key", "the service", [CallFailed("AuthenticationFailed", 403)]),
        DeadKeys("workflow-url", "it", [None]),
    ]

    assert judge([], [], dead, find_leaks(KeyHistory(), [])).refused == 1


async def test_the_tables_fit_where_there_is_no_terminal(azure: LocalAzure) -> None:
    """
    Also with long names and large numbers: every cell stands on one line.
    """
    event = ReceivedEvent(Instant.now(), {"data": {"previousKeyName": "Primary", "keyName": "Secondary"}})
    how = "event (Event Grid schema)"
    rotated = [
        Rotated(id="1", trigger=how, secret=secret, is_confirmed=True, seconds=12.5, event=event) for secret in SECRETS
    ]
    vault, made = await azure.add_vault("kv"), [await kind.make(azure, f"my{kind}") for kind in KINDS]
    witnesses = [Witness(azure, vault, secret, one.consumer()) for secret in SECRETS for one in made]
    for witness in witnesses:
        witness.calls_with_current = witness.calls_with_previous = witness.discarded = 1_000_000
    narrator = Narrator()

    for table in tables(rotated, witnesses):
        narrator.console.print(table)

    lines = narrator.said.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert "│ storage-connection │ event (Event Grid schema) │ Primary -> Secondary │ 12.50 s │" in lines
    headings = 2 * 4 + 1
    assert len(lines) == headings + len(rotated) + len(witnesses)
