"""
The Function of docs/events.md, as it stands there, on the topic to which the running app publishes.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import azure.functions as func
import pytest
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.meta import Datum

from localcloud.azurite import Azurite
from localcloud.cloud import LocalCloud
from localcloud.functions_host.process import FunctionsHost
from rotation.ports.announcer import EventType
from tests.e2e.client import Client, eventually
from tests.e2e.markdown_page import read

PAGE = read("docs/events.md")
(SAMPLE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SAMPLES = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]


@pytest.fixture
async def listener(own_cloud: LocalCloud, tmp_path: Path) -> AsyncIterator[FunctionsHost]:
    """
    Yield another Function App, whose only function is subscribed to the topic of an app of its own.
    """
    (tmp_path / "function_app.py").write_text(SAMPLE)
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    settings = {"AzureWebJobsStorage": own_cloud.storage.connection_string}
    async with FunctionsHost(app=tmp_path, environment=settings, log=tmp_path / "host.log") as host:
        await own_cloud.azure.topic.subscribe(host.webhook_url("on_key_rotator_event"))
        yield host
        await own_cloud.azure.topic.settle()


def lines(host: FunctionsHost, text: str) -> list[dict[str, Any]]:
    """
    Return what the function has logged.
    """
    return [line for line in host.log_lines() if text in line["message"]]


async def test_the_function_on_the_page_acts_once_on_each_event(own_cloud: LocalCloud, listener: FunctionsHost) -> None:
    """
    On a rotation that completes, one that fails, and a secret that needs a person; a duplicate changes nothing.
    """
    client = Client(own_cloud)
    subject = await client.subject("batch")
    _, record = await client.rotate(subject)
    subject.target.regenerate("Secondary")
    _, problem = await client.rotate(subject)
    needy = await client.subject("batch")
    await client.ask("GET", "/secrets?refresh=true")
    told = {
        f"{subject.secret} holds Secondary since {record['completedOn']}": "INFO",
        f"drift: secret '{subject.secret}': ": "ERROR",
        f"{needy.secret} is Overdue: ": "ERROR",
    }

    def missing() -> list[str]:
        return [text for text in told if not lines(listener, text)]

    async def is_told() -> bool:
        return not missing()

    await eventually(is_told, lambda: f"{missing()} in the log")
    event = await client.told(f"{record['id']}:completed")
    again = {"aeg-event-type": "Notification", "content-type": "application/cloudevents+json; charset=utf-8"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(listener.webhook_url("on_key_rotator_event"), json=event.content, headers=again) as answer,
    ):
        assert answer.status == 202

    assert [line["level"] for text in told for line in lines(listener, text)] == list(told.values())
    assert problem["code"] == "drift"


async def test_an_event_on_which_it_could_not_act_is_not_taken_for_seen(
    azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Event Grid delivers it again, and then it is acted on.
    """
    monkeypatch.setenv("AzureWebJobsStorage", azurite.connection_string)
    sample: dict[str, Any] = {}
    exec(SAMPLE, sample)  # noqa: S102 - what the page shows
    event = EventGridEventInConverter.decode(Datum(json.dumps(SAMPLES[0]), "json"), trigger_metadata=None)
    assert isinstance(event, func.CloudEvent)
    acted: list[tuple[str, Any]] = []

    def act(kind: str, data: Any) -> None:
        acted.append((kind, data))
        if len(acted) == 1:
            raise RuntimeError("the ticket system is down")

    monkeypatch.setitem(sample, "act", act)
    function = sample["on_key_rotator_event"].build().get_user_function()

    with pytest.raises(RuntimeError):
        await asyncio.to_thread(function, event)
    for _ in range(2):
        await asyncio.to_thread(function, event)

    assert acted == [(EventType.ROTATION_COMPLETED, SAMPLES[0]["data"])] * 2
