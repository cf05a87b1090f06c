"""
The schemas of the events: files that subscribers take, made of the types that the events are made of.
"""

import ast
import copy
import json
import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from handlers.openapi import document
from handlers.openapi_members import FAILURES
from rotation.ports.announcer import EventType
from tests.event_schemas import problems_of, schema_of
from tests.twins.world import TwinWorld
from tools.schemas import FOLDER, files

ROOT = Path(__file__).parents[2]
DESCRIBED = json.loads(json.dumps(document()))["webhooks"]
COMPLETED, FAILED, ATTENTION = map(str, EventType)


def example(event_type: str) -> dict[str, Any]:
    """
    Return the first event that the API's description shows for a type.
    """
    (body,) = DESCRIBED[event_type]["post"]["requestBody"]["content"].values()
    return dict(copy.deepcopy(next(iter(body["examples"].values()))["value"]))


def changed(event: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """
    Return an event with another value at a path, or without a member where there is no value.
    """
    event = copy.deepcopy(event)
    *outer, last = path.split(".")
    inner = event
    for name in outer:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return event


def test_the_files_say_what_the_code_says() -> None:
    """
    One for each event and no other: `python -m tools.schemas` writes them.
    """
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == files()


@pytest.mark.parametrize("event_type", list(EventType))
def test_each_file_is_a_schema_that_stands_alone(event_type: str) -> None:
    """
    Of JSON Schema 2020-12, with an id of its own; what it refers to is in it, and all that is in it is referred to.
    """
    schema = schema_of(event_type)
    text = json.dumps(schema)

    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:azure-key-rotator:event:{event_type.partition('.')[2]}"
    assert set(re.findall(r'"\$ref": "([^"]+)"', text)) == {f"#/$defs/{name}" for name in schema["$defs"]}


@pytest.mark.parametrize("event_type", list(EventType))
def test_the_description_of_the_api_says_the_same_of_the_event(event_type: str) -> None:
    """
    Its `webhooks` have one operation for each, which asks for no key, with the schema of the file.
    """
    operation = DESCRIBED[event_type]["post"]
    schema = schema_of(event_type)
    (kind,) = operation["requestBody"]["content"]
    reference = operation["requestBody"]["content"][kind]["schema"]["$ref"]
    components = json.loads(json.dumps(document()["components"]["schemas"]))
    inlined = json.loads(json.dumps(components).replace("#/components/schemas/", "#/$defs/"))

    assert set(DESCRIBED) == set(EventType)
    assert (kind, operation["security"]) == ("application/cloudevents+json", [])
    assert inlined[reference.rpartition("/")[2]] == {
        name: part for name, part in schema.items() if name not in {"$schema", "$id", "$defs"}
    }
    assert {name: inlined[name] for name in schema["$defs"]} == schema["$defs"]


@pytest.mark.parametrize("event_type", list(EventType))
def test_every_example_is_as_the_file_says_formats_included(event_type: str) -> None:
    """
    What the API's description shows could have been published.
    """
    (body,) = DESCRIBED[event_type]["post"]["requestBody"]["content"].values()

    assert body["examples"]
    for shown in body["examples"].values():
        assert problems_of(shown["value"]) == []


@pytest.mark.parametrize("event_type", list(EventType))
def test_a_member_that_a_later_version_adds_is_no_fault(event_type: str) -> None:
    """
    In the event, in its data, and in every object of that.
    """
    event = example(event_type)
    for path in ("added", "data.added", "data.secret.added"):
        event = changed(event, path, {"later": True})

    assert problems_of(event) == []


@pytest.mark.parametrize("event_type", list(EventType))
def test_each_member_that_the_app_always_writes_is_required(event_type: str) -> None:
    """
    Of the event and of its data: all that the example has, which leaves out what is only sometimes there.
    """
    event = example(event_type)
    paths = [*event, *(f"data.{name}" for name in event["data"]), "data.secret.vault", "data.secret.name"]

    for path in paths:
        if path != "type":
            assert problems_of(changed(event, path, ...)), path


@pytest.mark.parametrize(
    ("event_type", "path", "value"),
    [
        (COMPLETED, "specversion", "0.3"),
        (COMPLETED, "id", "0b112d10-c79f-56c4-a589-e94e094e8418:failed"),
        (COMPLETED, "source", ""),
        (COMPLETED, "source", "/subscriptions/1/resourceGroups/stra\u00dfe"),
        (COMPLETED, "time", "2026-11-22 04:17:01"),
        (COMPLETED, "time", "2026-11-22T04:17:01"),
        (COMPLETED, "time", None),
        (COMPLETED, "data.id", "r-1"),
        (COMPLETED, "data.state", "Failed"),
        (COMPLETED, "data.state", "Skipped"),
        (COMPLETED, "data.trigger", "Timer"),
        (COMPLETED, "data.provider", None),
        (COMPLETED, "data.provider", "batch"),
        (COMPLETED, "data.target", "mybatch"),
        (COMPLETED, "data.keyName", "key1"),
        (COMPLETED, "data.keyName", None),
        (COMPLETED, "data.secret.vault", "my-vault.vault.azure.net"),
        (COMPLETED, "data.secret.version", "latest"),
        (COMPLETED, "data.completedOn", None),
        (COMPLETED, "data.completedOn", "2026-13-22T04:17:01Z"),
        (COMPLETED, "data.attempts", -1),
        (COMPLETED, "data.adopted", "false"),
        (COMPLETED, "data.error", {"code": "drift", "message": "", "retryable": False}),
        (COMPLETED, "data.skipReason", "paused"),
        (COMPLETED, "data.gapSeconds", -1),
        (FAILED, "data.state", "Completed"),
        (FAILED, "data.error", None),
        (FAILED, "data.error.code", "something_else"),
        (FAILED, "data.error.retryable", None),
        (ATTENTION, "id", "https://my-vault.vault.azure.net/secrets/my-key:Due:2026-11-24T03:00:09.123456Z"),
        (ATTENTION, "id", "https://my-vault.vault.azure.net/secrets/my-key:Drifted:2026-11-24T03:00:09Z"),
        (ATTENTION, "data.status", "Due"),
        (ATTENTION, "data.status", "NearlyManaged"),
        (ATTENTION, "data.secret.name", None),
        (ATTENTION, "data.sharesTargetWith", ["one"]),
        (ATTENTION, "data.verified.result", "Drifted"),
        (ATTENTION, "data.lastRotation.error", "something_else"),
    ],
)
def test_what_the_app_never_publishes_is_refused(event_type: str, path: str, value: Any) -> None:
    """
    Another state, a value that is none of a set, a member in another format, or null where it never is.
    """
    assert problems_of(example(event_type)) == []

    assert problems_of(changed(example(event_type), path, value))


def test_an_error_can_have_each_code_of_the_code_and_no_other() -> None:
    """
    Those of all endings that are a failure, in whichever module of the domain one is defined.
    """
    bases: dict[str, str] = {}
    codes: dict[str, str] = {}
    for path in (ROOT / "rotation").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    bases[node.name] = ast.unparse(base)
                for part in node.body:
                    if isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "code":
                        codes[node.name] = str(ast.literal_eval(part.value))

    def is_failure(name: str) -> bool:
        return name == "Failure" or (name in bases and is_failure(bases[name]))

    assert sorted(code for name, code in codes.items() if is_failure(name)) == FAILURES
    for event_type in (COMPLETED, FAILED):
        assert schema_of(event_type)["$defs"]["Problem"]["properties"]["code"]["enum"] == FAILURES


async def test_a_key_that_was_refused_for_an_hour_is_published_as_its_schema_says() -> None:
    """
    The one failure that no test waits for in the local cloud.
    """
    world = TwinWorld()
    world.provider.settling = math.inf
    rotation = await world.rotate()
    while rotation.completed_on is None:
        (rotation,) = await world.resume(timedelta(minutes=5))
    (announced,) = world.announcer.published

    event = {"specversion": "1.0", **json.loads(msgspec.json.encode(announced))}

    assert event["data"]["error"]["code"] == "key_refused"
    assert problems_of(event) == []
