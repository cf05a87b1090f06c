"""
The passing of time, compressed: rotations that nobody works on any more are made old enough to be resumed, and are.

A claim outlives its worker by the time in which that worker's requests can still take effect. Ten minutes are made a
second here by rewriting when a claim expires. That is sound only where the premise holds already: the worker has ended
its attempt, or its process is dead, and nothing that it sent is still on its way. Both are looked up, never guessed.

The time until which a rotation is to wait since its key may be in use is no such time: it passes as it does.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import aiohttp
from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from adapters.ledger_keys import ACCEPTED, OPEN, OUTBOX, SCHEDULED, STANDING
from adapters.ledger_rows import read_row
from adapters.table import NAME
from localcloud.azure.request_log import LoggedRequest, RequestLog
from localcloud.functions_host.process import HostError
from localcloud.running import Running, cancel
from rotation.vocabulary.record import OpenRotation, State, WaitingRotation
from tests.chaos.instances import Instances

_PAUSE = 0.2  # seconds between two looks
_QUIET = 0.5  # seconds without a worker: what a killed one left in a socket has been read by then
_AGAIN = 2.0  # seconds until what was put into the queue is put there again
_PUBLISHING = timedelta(minutes=3)


@dataclass
class _Watch:
    """
    One row in one worker's hands, and who these may belong to.
    """

    workers: set[str]
    free_since: float | None = None

    def is_over(self, is_busy: bool) -> bool:
        """
        Return whether nobody has been busy with it for long enough.
        """
        if is_busy:
            self.free_since = None
            return False
        self.free_since = self.free_since or time.monotonic()
        return time.monotonic() - self.free_since >= _QUIET


class Supervisor(Running):
    """
    Ages and resumes what is left behind, until its context is left. It replaces instances that stopped by themselves.
    """

    def __init__(
        self, connection_string: str, instances: Instances, requests: RequestLog, is_changing: Callable[[str], bool]
    ) -> None:
        self.resumed: set[str] = set()
        """Rotations that were left behind and picked up again."""
        self.retold: set[str] = set()
        """Rotations that had ended and waited to be published."""
        self.unfinished: set[str] = set()
        """The rotations that have a row in the ledger's partition of unfinished things."""
        self._connection_string = connection_string
        self._instances = instances
        self._requests = requests
        self._is_changing = is_changing
        """Whether a caller waits for the answer to a change of a secret's tags."""
        self._seen = 0
        self._under_way: list[LoggedRequest] = []
        self._watches: dict[tuple[str, str], _Watch] = {}
        self._last_resume = 0.0

    async def _start(self, running: contextlib.AsyncExitStack) -> None:
        self._task = asyncio.create_task(self._go_on())
        running.push_async_callback(cancel, self._task)

    @property
    def problem(self) -> BaseException | None:
        """
        What has stopped it, if anything has.
        """
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    def is_on_its_way(self, *texts: str) -> bool:
        """
        Whether a request about any of these, named by a part of its target, is still being served.
        """
        for request in islice(self._requests, self._seen, None):
            self._seen += 1
            self._under_way.append(request)
        self._under_way = [request for request in self._under_way if request.ended is None]
        wanted = [form for text in texts for form in (text.casefold(), text.casefold().replace("/", "|"))]
        return any(form in request.target.casefold() for request in self._under_way for form in wanted)

    async def _go_on(self) -> None:
        async with TableClient.from_connection_string(self._connection_string, NAME) as table:
            while True:
                await self._instances.revive()
                await self._look(table)
                await asyncio.sleep(_PAUSE)

    async def _look(self, table: TableClient) -> None:
        try:
            live = [row async for row in table.query_entities(f"PartitionKey eq 'live' and RowKey lt '{STANDING}'")]
        except ResourceNotFoundError:
            live = []  # No rotation yet, so no table.
        rows = [row for row in live if row.get("RotationId")]
        self.unfinished = {row["RotationId"] for row in rows}
        # After the rows: the worker that wrote one has been logged by now.
        self._instances.read_logs()
        present = {(entity["RowKey"], _holder(entity)) for entity in live}
        self._watches = {key: watch for key, watch in self._watches.items() if key in present}
        is_anything_due = False
        for entity in rows:
            if self._is_abandoned(entity) and await self._age(table, entity):
                is_anything_due = True
                self._note(entity["RowKey"], entity["RotationId"])
        for entity in live:
            if entity.get("Change") and self._is_change_abandoned(entity):
                await self._age(table, entity)
        if is_anything_due and time.monotonic() - self._last_resume > _AGAIN:
            await self._resume()

    def _note(self, key: str, rotation: str) -> None:
        if key.startswith(OPEN):
            self.resumed.add(rotation)
        elif key.startswith(OUTBOX):
            self.retold.add(rotation)

    def _is_abandoned(self, entity: Any) -> bool:
        if _has_to_wait(entity):
            return False
        rotation = entity["RotationId"]
        workers = self._instances.possible_workers(rotation)
        watch = self._watches.setdefault((entity["RowKey"], _holder(entity)), _Watch(workers))
        # A later worker found the row as it is: it is not that worker's, or it would have changed.
        watch.workers &= workers
        request = json.loads(entity["Row"])["request"]
        about = [f"/secrets/{request['secret']['name']}"] if request["secret"] else []
        target = entity["RowKey"].removeprefix(OPEN).removeprefix(SCHEDULED).replace("|", "/")
        return watch.is_over(bool(watch.workers) or self.is_on_its_way(rotation, target, *about))

    def _is_change_abandoned(self, entity: Any) -> bool:
        """
        Return whether nobody waits for the answer to a change of tags any more, and nothing of it is on its way.
        """
        watch = self._watches.setdefault((entity["RowKey"], _holder(entity)), _Watch(set()))
        secret = json.loads(entity["Row"])["secret"]["name"]
        return watch.is_over(self._is_changing(secret) or self.is_on_its_way(f"/secrets/{secret}"))

    async def _age(self, table: TableClient, entity: Any) -> bool:
        """
        Make a row old enough to be resumed; return whether it is.
        """
        row = json.loads(entity["Row"])
        now = datetime.now(UTC)
        if entity["RowKey"].startswith(OPEN):
            holder, name, due = row, "claimed_until", now
        elif entity["RowKey"].startswith(OUTBOX):
            holder, name, due = row["record"], "completedOn", now - _PUBLISHING
        else:
            holder, name, due = row, "due_on", now
        if datetime.fromisoformat(holder[name]) < due:
            return True
        holder[name] = (due - timedelta(seconds=1)).isoformat()
        aged = {"PartitionKey": "live", "RowKey": entity["RowKey"], "Row": json.dumps(row)}
        try:
            await table.update_entity(
                aged, UpdateMode.MERGE, etag=entity.metadata["etag"], match_condition=MatchConditions.IfNotModified
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            return False
        return True

    async def _resume(self) -> None:
        self._last_resume = time.monotonic()
        if self._instances.alive:
            # It may meet a fault, or be killed: then there is a next time.
            with contextlib.suppress(HostError, aiohttp.ClientError):
                await self._instances.alive[-1].host.run("resume_rotations")


def _has_to_wait(entity: Any) -> bool:
    """
    Return whether a row is that of a rotation whose time has not come, whatever becomes of its messages until then.
    """
    if not entity["RowKey"].startswith((ACCEPTED, SCHEDULED)):
        return False
    row = read_row(entity, WaitingRotation)
    due_on = row.record.allowed_on or row.due_on
    return row.record.state is State.SCHEDULED and due_on > datetime.now(UTC)


def _holder(entity: Any) -> str:
    """
    Return what changes when a row goes to another worker.
    """
    if change := entity.get("Change"):
        return str(change)
    return read_row(entity, OpenRotation).lease if entity["RowKey"].startswith(OPEN) else ""
