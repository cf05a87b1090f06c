"""
The app from outside: what a caller, an operator and the passing of time do to it.
"""

import asyncio
import base64
import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError
from azure.data.tables import TableEntity
from azure.data.tables.aio import TableClient
from azure.storage.queue.aio import QueueClient

from adapters.table import NAME
from localcloud.azure.access_keys import KeyName
from localcloud.cloud import LocalCloud
from localcloud.functions_host.process import FunctionsHost
from localcloud.kinds import named
from localcloud.kinds.kind import LocalKind, Resource
from rotation.vocabulary.request import Trigger, request_for_event
from rotation.vocabulary.secret import SecretId

PATIENCE = 30  # seconds until a test gives up waiting
ENDED = {"Completed", "Failed", "Skipped"}
_numbers = itertools.count(1)


class Subject:
    """
    One target and its secret, with names that no other test has.
    """

    def __init__(self, cloud: LocalCloud, kind: LocalKind, target: Resource, secret: str) -> None:
        self._cloud = cloud
        self.target = target
        self.secret = secret
        self.regenerate = kind.regenerate

    @property
    def uri(self) -> str:
        """
        The secret's id without a version.
        """
        return f"{self._cloud.vault.uri}/secrets/{self.secret}"

    @property
    def version(self) -> str:
        """
        The current version.
        """
        return self._cloud.vault.current(self.secret).version

    def rotation_id(self, trigger: Trigger = Trigger.SECRET_NEAR_EXPIRY) -> str:
        """
        Return the id that the rotation of the current version's event has.
        """
        pinned = SecretId(self._cloud.vault.uri, self.secret, self.version)
        return request_for_event(pinned, trigger, datetime.now(UTC)).id

    def regenerations(self) -> int:
        """
        Return how often a key was regenerated, by the local cloud's own record.
        """
        return self._cloud.azure.requests.count(self.regenerate, target=self.target.arm_id, took_effect=True)

    def holds(self, key: KeyName) -> bool:
        """
        Return whether the secret's current version holds the present value of a key.
        """
        return self._cloud.vault.current(self.secret).value == self.target.value(key)


class Client:
    """
    Makes subjects and talks to the app about them.
    """

    def __init__(self, cloud: LocalCloud, host: FunctionsHost | None = None) -> None:
        self.cloud = cloud
        self.host = host or cloud.host
        self.answers: list[str] = []

    async def subject(self, kind: str = "batch", **tags: str) -> Subject:
        """
        Make a target with a secret that holds its primary key.
        """
        number = next(_numbers)
        secret = f"secret-{number}"
        target = await self.cloud.add_secret(named(kind), f"{kind}{number}", secret, **tags)
        return Subject(self.cloud, named(kind), target, secret)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """
        Return status, JSON and headers of one call of the API.
        """
        sent = {"x-functions-key": self.host.function_key} | (headers or {})
        data = raw if raw is not None or body is None else json.dumps(body).encode()
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.host.url}/api{path}", data=data, headers=sent) as answer,
        ):
            text = await answer.text()
            self.answers.append(text)
            return answer.status, json.loads(text) if text else None, dict(answer.headers)

    async def rotate(self, subject: Subject, **options: Any) -> tuple[int, Any]:
        """
        Ask for a manual rotation.
        """
        status, answer, _ = await self.ask("POST", "/rotations", body={"secret": subject.uri} | options)
        return status, answer

    async def get(self, rotation_id: str) -> Any:
        """
        Return a rotation's record, None if there is none.
        """
        status, answer, _ = await self.ask("GET", f"/rotations/{rotation_id}")
        return answer if status == 200 else None

    async def ended(self, rotation_id: str) -> dict[str, Any]:
        """
        Wait for a rotation to end, and return its record.
        """
        record: dict[str, Any] = {}

        async def has_ended() -> bool:
            nonlocal record
            record = await self.get(rotation_id) or {}
            return record.get("state") in ENDED

        await eventually(has_ended, lambda: f"rotation {rotation_id} to end; it is {record or 'unknown'}")
        return record

    async def told(self, event_id: str) -> Any:
        """
        Wait for a completion event, and return it.
        """

        async def is_told() -> bool:
            return any(event.id == event_id for event in self.cloud.azure.events)

        await eventually(is_told, lambda: f"event {event_id}")
        return next(event for event in self.cloud.azure.events if event.id == event_id)

    async def deliver(self, payload: Any, *, headers: dict[str, str] | None = None) -> int:
        """
        Post to the Event Grid webhook as Event Grid does; return the status.
        """
        sent = {"aeg-event-type": "Notification"} | (headers or {})
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.host.webhook_url("on_secret_event"), json=payload, headers=sent) as answer,
        ):
            return answer.status

    async def pass_time(self, time: timedelta = timedelta(hours=1)) -> None:
        """
        Make everything unfinished in the ledger, and every version in the vault, look that much older.

        So what is due is due. The app may be at work on other rows meanwhile: nothing that it writes is overwritten.
        """
        vault = self.cloud.vault
        for version in [version for name in vault.names() for version in vault.versions(name)]:
            vault.update(replace(version, created_on=version.created_on - time))
        connection = self.cloud.storage.connection_string
        async with TableClient.from_connection_string(connection, NAME) as table:
            async for entity in table.query_entities("PartitionKey eq 'live' and RowKey lt 'standing:'"):
                with suppress(ResourceNotFoundError):
                    await _age(table, entity, time)

    async def free_changes(self) -> None:
        """
        Let what a change of tags has claimed expire, as it does in ten minutes.
        """
        async with TableClient.from_connection_string(self.cloud.storage.connection_string, NAME) as table:
            async for entity in table.query_entities("PartitionKey eq 'live' and Change ne ''"):
                row = json.loads(entity["Row"]) | {"claimed_until": "2026-01-01T00:00:00Z"}
                await table.update_entity(entity | {"Row": json.dumps(row)})

    async def rows(self, partition: str, key: str) -> list[Any]:
        """
        Return the ledger's row with a key, if it is there.
        """
        async with TableClient.from_connection_string(self.cloud.storage.connection_string, NAME) as table:
            found = table.query_entities(
                "PartitionKey eq @partition and RowKey eq @key", parameters={"partition": partition, "key": key}
            )
            return [entity async for entity in found]

    async def poison(self, message: bytes) -> None:
        """
        Put a message into the queue of those that have used up their retries.
        """
        connection = self.cloud.storage.connection_string
        async with QueueClient.from_connection_string(connection, "rotations-poison") as queue:
            await queue.send_message(base64.b64encode(message).decode())

    async def idle(self) -> None:
        """
        Wait until the app does nothing any more, and no message waits for it, not even one that shows again later.
        """
        connection = self.cloud.storage.connection_string
        async with QueueClient.from_connection_string(connection, "rotations") as queue:

            async def is_idle() -> bool:
                if await self.host.is_running():
                    return False
                # Asked last: a message that has been taken is counted until its run is over.
                return (await queue.get_queue_properties()).approximate_message_count == 0

            await eventually(is_idle, lambda: "the host to be idle")

    def log_lines(self, text: str) -> list[dict[str, Any]]:
        """
        Return the log records that contain a text.
        """
        return [line for line in self.host.log_lines() if text in line["message"]]


async def _age(table: TableClient, entity: TableEntity, time: timedelta) -> None:
    """
    Make a row look older, as it stands when that is written.
    """
    row = json.loads(entity["Row"])
    if "record" not in row:
        return  # A leaked key.
    for holder, field in ((row, "claimed_until"), (row, "due_on"), (row["record"], "completedOn")):
        if holder.get(field):
            earlier = datetime.fromisoformat(holder[field]) - time
            holder[field] = earlier.isoformat()
    entity["Row"] = json.dumps(row)
    try:
        await table.update_entity(entity, match_condition=MatchConditions.IfNotModified)
    except ResourceModifiedError:
        await _age(table, await table.get_entity("live", entity["RowKey"]), time)


async def eventually(condition: Callable[[], Any], what: Callable[[], str]) -> None:
    """
    Wait until a condition holds; fail with what was waited for.

    It looks ever more rarely: a look takes time from what it waits for.
    """
    pause = 0.02
    try:
        async with asyncio.timeout(PATIENCE):
            while not await condition():
                await asyncio.sleep(pause)
                pause = min(pause * 1.2, 0.1)
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE} s for {what()}") from None
