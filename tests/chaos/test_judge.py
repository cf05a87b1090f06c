"""
How the judge of the chaos holds keys that die against promise 1, and keys that settle against promise 7.
"""

import json
import math
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from adapters.ledger_keys import OUTBOX
from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import LocalAzure
from localcloud.azure.request_log import LoggedRequest
from localcloud.kinds import KINDS
from localcloud.kinds.batch import BATCH
from localcloud.kinds.kind import LocalKind
from localcloud.kinds.workflow import WORKFLOW
from tests.chaos.judge import judge
from tests.chaos.ledger_history import LedgerHistory
from tests.chaos.subject import Strategy, Subject

ROTATION = "3f2a"


@pytest.fixture
async def azure(ca: CertificateAuthority) -> AsyncIterator[LocalAzure]:
    """
    Yield an empty Azure.
    """
    async with LocalAzure(KINDS, ca=ca) as running:
        yield running


async def store_a_settling_key(
    azure: LocalAzure, kind: LocalKind = BATCH, strategy: Strategy = "Alternate", *, settling: float = math.inf
) -> Subject:
    """
    Return a subject whose only secret got a key right after that was regenerated.
    """
    vault = await azure.add_vault("kv")
    target = await kind.make(azure, "mine")
    target.keys.settling = lambda: settling
    vault.set("one", target.value("Primary"))
    target.regenerate("Secondary")
    vault.set("one", target.value("Secondary"), tags={"RotationId": ROTATION})
    return Subject(kind, target, ("one",), vault, strategy)


def ledger_with(**record: Any) -> LedgerHistory:
    """
    Return the history of a ledger in which the rotation has completed.
    """
    ledger = LedgerHistory()
    row = {"state": "Completed", "adopted": False, "secret": {"name": "one", "previousVersion": "0"}} | record
    entity = {"RowKey": OUTBOX + ROTATION, "RotationId": ROTATION, "Row": json.dumps({"record": row})}
    ledger.take(LoggedRequest(1, "table", "POST", "/$batch", "Ledger.Transaction", ""), json.dumps(entity).encode())
    ledger.take(LoggedRequest(2, "table", "DELETE", "/rotations", "Ledger.Delete", OUTBOX + ROTATION), b"")
    return ledger


def unproven(azure: LocalAzure, subject: Subject, ledger: LedgerHistory) -> list[str]:
    """
    Return what broke promise 7.
    """
    return [broken.about for broken in judge(azure, ledger, [subject]) if broken.promise == 7]


@pytest.mark.parametrize("record", [{}, {"proven": None}, {"proven": True}])
async def test_a_version_with_a_key_that_did_not_work_yet_breaks_a_promise(
    azure: LocalAzure, record: dict[str, Any]
) -> None:
    """
    Whatever the record says, and also if the key works later.
    """
    subject = await store_a_settling_key(azure)
    subject.target.keys.settle()

    assert unproven(azure, subject, ledger_with(**record)) == [ROTATION]


async def test_a_record_may_say_that_nobody_could_ask(azure: LocalAzure) -> None:
    """
    Then a person knows that the key has to be tried.
    """
    subject = await store_a_settling_key(azure)

    assert unproven(azure, subject, ledger_with(proven=False)) == []


async def test_in_place_a_key_need_not_work_yet(azure: LocalAzure) -> None:
    """
    The secret would hold a dead key until then.
    """
    subject = await store_a_settling_key(azure, strategy="InPlace")

    assert unproven(azure, subject, ledger_with(proven=True)) == []


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_key_that_works_may_be_stored(azure: LocalAzure, kind: LocalKind) -> None:
    """
    Of every kind of target.
    """
    subject = await store_a_settling_key(azure, kind, settling=0.0)

    assert unproven(azure, subject, ledger_with(proven=True)) == []


async def test_what_cannot_be_asked_has_nothing_to_prove(azure: LocalAzure) -> None:
    """
    A callback URL works from the moment at which its key is made.
    """
    azure.settling = lambda: math.inf
    subject = await store_a_settling_key(azure, WORKFLOW)

    assert unproven(azure, subject, ledger_with(proven=None)) == []


async def test_a_key_that_has_settled_before_it_was_stored_is_proven(azure: LocalAzure) -> None:
    """
    The version counts from when it was made.
    """
    subject = await store_a_settling_key(azure)
    keys = subject.target.keys
    keys.settle()
    subject.vault.set("one", keys["Secondary"], tags={"RotationId": "another"})

    assert unproven(azure, subject, ledger_with(proven=True)) == [ROTATION]


@pytest.mark.parametrize(("caches_for", "outages"), [(timedelta(), 0), (timedelta(hours=1), 1)])
async def test_a_key_may_not_die_while_clients_cache_it(azure: LocalAzure, caches_for: timedelta, outages: int) -> None:
    """
    From the version before, which nobody can read any more; without caches only the current one counts.
    """
    subject = await store_a_settling_key(azure, settling=0.0)
    subject.target.regenerate("Primary")

    broken = judge(azure, ledger_with(proven=True), [subject], caches_for)

    assert [one.promise for one in broken].count(1) == outages
