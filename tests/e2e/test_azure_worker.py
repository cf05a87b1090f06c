import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.azurite import REPOSITORY
from localcloud.cloud import LocalCloud
from tests.e2e.client import Client, Subject
from tests.e2e.test_events import cloud_event_of, event_of
from wiring import wired

if sys.version_info < (3, 13):
    pytest.skip("azure-functions-runtime runs on Python 3.13 and newer", allow_module_level=True)

from tests.e2e.azure_worker import AzureWorker, Message, http

EXPECTED = {
    "on_secret_event": {("eventGridTrigger", "in", ""), ("queue", "out", "rotations")},
    "run_rotation": {("queueTrigger", "in", "rotations"), ("queue", "out", "rotations")},
    "on_poisoned_rotation": {("queueTrigger", "in", "rotations-poison")},
    "resume_rotations": {("timerTrigger", "in", "0 */5 * * * *"), ("queue", "out", "rotations")},
    "sweep_vaults": {("timerTrigger", "in", "%ROTATION_SWEEP_SCHEDULE%"), ("queue", "out", "rotations")},
    "create_rotation": {("httpTrigger", "in", "rotations"), ("http", "out", ""), ("queue", "out", "rotations")},
    "get_rotation": {("httpTrigger", "in", "rotations/{id}"), ("http", "out", "")},
    "cancel_rotation": {("httpTrigger", "in", "rotations/{id}"), ("http", "out", "")},
    "list_rotations": {("httpTrigger", "in", "rotations"), ("http", "out", "")},
    "get_secret": {("httpTrigger", "in", "secrets/{vault}/{name}"), ("http", "out", "")},
    "manage_secret": {("httpTrigger", "in", "secrets/{vault}/{name}"), ("http", "out", "")},
    "change_secret": {("httpTrigger", "in", "secrets/{vault}/{name}"), ("http", "out", "")},
    "verify_secret": {("httpTrigger", "in", "secrets/{vault}/{name}/verify"), ("http", "out", "")},
    "list_secrets": {("httpTrigger", "in", "secrets"), ("http", "out", "")},
    "get_openapi": {("httpTrigger", "in", "openapi.json"), ("http", "out", "")},
    "get_health": {("httpTrigger", "in", "health"), ("http", "out", "")},
    "get_dashboard": {("httpTrigger", "in", "dashboard/{file?}"), ("http", "out", "")},
}


@pytest.fixture(scope="module")
async def started() -> AzureWorker:
    """
    Return the worker with this app indexed: once, as Azure does.
    """
    worker = AzureWorker(REPOSITORY)
    assert await worker.start() is None
    return worker


@pytest.fixture
async def worker(
    started: AzureWorker, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AzureWorker]:
    """
    Yield the worker in the environment of the local cloud.
    """
    for name, value in cloud.settings.items():
        monkeypatch.setenv(name, value)
    wired.cache_clear()
    yield started
    await wired().close()
    wired.cache_clear()


def messages(response: Any) -> list[str]:
    """
    Return what an invocation puts into the queue.
    """
    (output,) = response.output_data
    return [str(message) for message in json.loads(output.data.json)]


async def test_every_function_is_indexed_with_its_bindings(started: AzureWorker) -> None:
    """
    What Azure finds is the contract: names, triggers, queues, schedules, routes.
    """
    assert {name: started.bindings(name) for name in started.functions} == EXPECTED


async def test_only_health_and_the_page_are_anonymous(started: AzureWorker) -> None:
    """
    Everything else needs a function key.
    """
    for_everyone = {"get_health", "get_dashboard"}
    levels = started.levels()

    assert {name for name, level in levels.items() if level == "ANONYMOUS"} == for_everyone
    assert {level for name, level in levels.items() if name not in for_everyone} == {"FUNCTION"}


_LEVELS = """
import asyncio, json
from pathlib import Path
from tests.e2e.azure_worker import AzureWorker

async def index():
    worker = AzureWorker(Path.cwd())
    assert await worker.start() is None
    print(json.dumps(worker.levels()))

asyncio.run(index())
"""


def test_with_a_sign_in_the_host_asks_for_no_key(started: AzureWorker) -> None:
    """
    Azure would ask for both: someone who signs in has none. The app itself looks at who calls.
    """
    indexed = subprocess.run(  # noqa: S603 - the statements stand above
        [sys.executable, "-c", _LEVELS],
        cwd=REPOSITORY,
        env=os.environ | {"ROTATION_AUTHENTICATION": "entra"},
        check=True,
        capture_output=True,
        text=True,
    )
    levels = json.loads(indexed.stdout.splitlines()[-1])

    assert levels == dict.fromkeys(started.levels(), "ANONYMOUS")


async def test_a_broken_import_is_an_indexing_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What these tests rest on: the library reports an app that cannot be indexed.
    """
    (tmp_path / "function_app.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "function_app", raising=False)

    assert "no_such_module" in str(await AzureWorker(tmp_path).start())


def cloud_event(subject: Subject) -> dict[str, Any]:
    """
    Return the same event in the other schema.
    """
    return cloud_event_of(event_of(subject))


@pytest.mark.parametrize("make", [event_of, cloud_event], ids=["event grid schema", "cloud events"])
async def test_an_event_travels_through_the_queue_to_a_completed_rotation(
    worker: AzureWorker, client: Client, kind: str, make: Any
) -> None:
    """
    Event Grid trigger, queue output, queue trigger: as Azure's worker runs them.
    """
    subject = await client.subject(kind)
    rotation_id = subject.rotation_id()

    accepted = await worker.succeed("on_secret_event", event=Message(json=json.dumps(make(subject))))
    (message,) = messages(accepted)
    await worker.succeed("run_rotation", message=Message(string=message))

    assert subject.holds("Secondary")
    assert subject.regenerations() == 1
    record = await client.get(rotation_id)
    assert record["state"] == "Completed"


async def test_a_foreign_event_puts_nothing_into_the_queue(worker: AzureWorker, client: Client) -> None:
    """
    Acknowledged: success without output.
    """
    subject = await client.subject()
    event = event_of(subject, data={"Id": "https://kv.vault.azure.net/secrets/one/" + "a" * 32})

    response = await worker.succeed("on_secret_event", event=Message(json=json.dumps(event)))

    assert response.output_data == []


async def test_the_poison_queue_ends_a_rotation(worker: AzureWorker, client: Client) -> None:
    """
    The function for poisoned messages takes the same message and ends it Failed(exhausted).
    """
    subject = await client.subject()
    rotation_id = subject.rotation_id()
    accepted = await worker.succeed("on_secret_event", event=Message(json=json.dumps(event_of(subject))))
    (message,) = messages(accepted)

    await worker.succeed("on_poisoned_rotation", message=Message(string=message))
    await worker.succeed("on_poisoned_rotation", message=Message(string="not a request"))

    record = await client.get(rotation_id)
    assert (record["state"], record["error"]["code"]) == ("Failed", "exhausted")


async def test_the_timer_puts_stalled_rotations_back(worker: AzureWorker, client: Client) -> None:
    """
    Timer trigger and a list as queue output.
    """
    subject = await client.subject()
    accepted = await worker.succeed("on_secret_event", event=Message(json=json.dumps(event_of(subject))))
    (message,) = messages(accepted)
    await worker.succeed("run_rotation", message=Message(string=message))
    idle = await worker.succeed("resume_rotations", timer=Message(json='{"Schedule": {}, "IsPastDue": false}'))
    assert idle.output_data == []

    client.cloud.azure.faults.add(_drop_regenerate(subject))
    second = subject.rotation_id()
    (message,) = messages(await worker.succeed("on_secret_event", event=Message(json=json.dumps(event_of(subject)))))
    await worker.succeed("run_rotation", message=Message(string=message))
    await client.pass_time(timedelta(hours=1))
    resumed = await worker.succeed("resume_rotations", timer=Message(json='{"Schedule": {}, "IsPastDue": true}'))
    for message in messages(resumed):
        await worker.succeed("run_rotation", message=Message(string=message))

    assert (await client.get(second))["state"] == "Completed"
    assert subject.regenerations() == 2


def _drop_regenerate(subject: Subject) -> Any:
    from localcloud.azure.faults import Fault  # noqa: PLC0415 - the only use

    return Fault(operation=subject.regenerate, kind="drop", when="after")


async def test_the_http_functions_answer(worker: AzureWorker, client: Client, kind: str) -> None:
    """
    Create, get and health, with the status, type and body that Azure passes on.
    """
    subject = await client.subject(kind)

    created = await worker.succeed(
        "create_rotation", request=http("POST", "/rotations", body=json.dumps({"secret": subject.uri}))
    )
    record = json.loads(created.return_value.http.body.bytes)
    found = await worker.succeed(
        "get_rotation", request=http("GET", f"/rotations/{record['id']}", params={"id": record["id"]})
    )
    health = await worker.succeed("get_health", request=http("GET", "/health"))
    refused = await worker.succeed("create_rotation", request=http("POST", "/rotations", body="{"))

    assert (created.return_value.http.status_code, record["state"]) == ("200", "Completed")
    assert json.loads(found.return_value.http.body.bytes) == record
    assert json.loads(health.return_value.http.body.bytes)["status"] == "Healthy"
    assert refused.return_value.http.status_code == "400"
    assert refused.return_value.http.headers["content-type"] == "application/problem+json"


async def test_a_caller_that_does_not_wait_gets_202_and_the_queue_a_message(
    worker: AzureWorker, client: Client, kind: str
) -> None:
    """
    An HTTP function with a queue output beside its answer: both arrive, and the message runs.
    """
    subject = await client.subject(kind)

    accepted = await worker.succeed(
        "create_rotation",
        request=http(
            "POST", "/rotations", body=json.dumps({"secret": subject.uri}), headers={"Prefer": "respond-async"}
        ),
    )
    answer = accepted.return_value.http
    (message,) = messages(accepted)
    await worker.succeed("run_rotation", message=Message(string=message))

    record = json.loads(answer.body.bytes)
    assert (answer.status_code, record["state"]) == ("202", "Accepted")
    assert {name.lower(): value for name, value in answer.headers.items()}[
        "location"
    ] == f"/api/rotations/{record['id']}"
    assert (await client.get(record["id"]))["state"] == "Completed"


async def test_the_lists_the_description_and_the_sweep_answer(worker: AzureWorker, client: Client) -> None:
    """
    What an operator asks for, and the timer that looks through the vaults.
    """
    subject = await client.subject()
    query = {"target": subject.target.arm_id}

    swept = await worker.succeed("sweep_vaults", timer=Message(json='{"Schedule": {}, "IsPastDue": false}'))
    secrets = await worker.succeed("list_secrets", request=http("GET", "/secrets", query=query))
    rotations = await worker.succeed("list_rotations", request=http("GET", "/rotations", query=query))
    described = await worker.succeed("get_openapi", request=http("GET", "/openapi.json"))

    assert any(subject.secret in message for message in messages(swept))
    (line,) = json.loads(secrets.return_value.http.body.bytes)["secrets"]
    assert (line["secret"]["name"], line["status"]) == (subject.secret, "Overdue")
    assert json.loads(rotations.return_value.http.body.bytes) == {"rotations": [], "continuation": None}
    assert json.loads(described.return_value.http.body.bytes)["openapi"] == "3.1.0"
