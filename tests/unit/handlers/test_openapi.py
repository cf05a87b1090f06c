import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from handlers.contract import IDEMPOTENCY_KEY, NewRotation, RotationsQuery, SecretsQuery
from handlers.examples import ENDED, HEALTHY
from handlers.openapi import document
from handlers.openapi_members import MEMBERS
from handlers.problems import STATUS
from handlers.reading import read_body, read_query
from handlers.wishes import Management
from rotation.vocabulary.errors import Malformed
from rotation.vocabulary.secret import parse_secret_id
from tests.twins.targets import parse_target
from wiring.authentication import Authentication

ROOT = Path(__file__).parents[3]
DOCUMENT = json.loads(json.dumps(document()))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """
    Return what holds a value against a schema of the document.
    """
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def media() -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Yield every body that the document describes, with a name.
    """
    for path, operations in (DOCUMENT["paths"] | DOCUMENT["webhooks"]).items():
        for method, operation in operations.items():
            bodies = [("request", operation.get("requestBody", {})), *operation["responses"].items()]
            for name, body in bodies:
                for kind, described in body.get("content", {}).items():
                    yield f"{method} {path} {name} {kind}", described


@pytest.mark.parametrize(
    ("name", "described"), list(media()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_body_has_examples_and_each_is_as_its_schema_says(name: str, described: dict[str, Any]) -> None:
    """
    What a reader copies from the document works.
    """
    shown = [example["value"] for example in described.get("examples", {}).values()]
    shown += [described["example"]] if "example" in described else []

    assert shown, name
    for value in shown:
        assert not [error.message for error in validator(described["schema"]).iter_errors(value)]


@pytest.mark.parametrize("path", list(DOCUMENT["paths"]))
def test_every_parameter_has_an_example_that_its_schema_allows(path: str) -> None:
    """
    Path, query and header parameters alike.
    """
    for operation in DOCUMENT["paths"][path].values():
        for parameter in operation.get("parameters", []):
            assert validator(parameter["schema"]).is_valid(parameter["example"]), parameter["name"]


@pytest.mark.parametrize("request_", [example["value"] for example in next(media())[1]["examples"].values()], ids=str)
def test_every_example_of_a_request_is_decoded(request_: dict[str, Any]) -> None:
    """
    By the type that the document is made of.
    """
    asked = read_body(json.dumps(request_).encode(), NewRotation, "{}")

    assert isinstance(asked, NewRotation)
    assert asked.subject(parse_target) is not None


def test_every_member_of_a_request_is_in_an_example() -> None:
    """
    A reader sees what each option looks like.
    """
    shown = [example["value"] for example in next(media())[1]["examples"].values()]

    assert set().union(*shown) == set(DOCUMENT["components"]["schemas"]["NewRotation"]["properties"])


def test_an_example_of_a_rotation_holds_what_the_app_would_answer() -> None:
    """
    A key is proven where the rotation has completed; what a rotation has not come to yet is null.
    """
    records = [
        example["value"]
        for name, described in media()
        if "rotations" in name and name.endswith(" application/json")
        for example in described.get("examples", {}).values()
        if "state" in example["value"]
    ]

    assert {"Completed", "Skipped", "Planned", "Accepted", "Scheduled"} <= {record["state"] for record in records}
    for record in records:
        assert (record["proven"] is True) is (record["state"] == "Completed")
        assert (record["completedOn"] is None) is (record["state"] in {"Planned", "Accepted", "Scheduled"})
        assert ("allowedOn" in record) is (record["state"] == "Scheduled")
        secret = record["secret"]
        assert secret is None or secret["previousVersion"] is None or record["state"] == "Completed"


def test_a_problem_that_may_pass_declares_when_to_ask_again() -> None:
    """
    With the header, and for `too_soon` with the time in the body as well.
    """
    responses = DOCUMENT["paths"]["/rotations"]["post"]["responses"]

    assert {status for status, response in responses.items() if "Retry-After" in response.get("headers", {})} == {
        "202",
        "409",
        "503",
    }
    examples = responses["409"]["content"]["application/problem+json"]["examples"]
    assert [code for code, example in examples.items() if "allowedOn" in example["value"]] == ["too_soon"]


def members() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """
    Yield every member of a body: its name, its schema, and the part of that which is not about null.
    """
    for kind, component in DOCUMENT["components"]["schemas"].items():
        for name, schema in component.get("properties", {}).items():
            yield (
                f"{kind}.{name}",
                schema,
                next(one for one in schema.get("anyOf", [schema]) if one != {"type": "null"}),
            )


@pytest.mark.parametrize(("name", "schema", "given"), list(members()), ids=[name for name, *_ in members()])
def test_every_member_says_what_it_means_and_what_it_can_be(
    name: str, schema: dict[str, Any], given: dict[str, Any]
) -> None:
    """
    Times and ids have their format, numbers their least, and what a caller writes its longest.
    """
    assert schema.keys() & {"description", "$ref"} or "description" in given
    if name.endswith("On"):
        assert given["format"] == "date-time"
    if name.endswith(("Rotation.id", "Revocation.id", "otationId", ".revocation")) and "$ref" not in given:
        assert given["format"] == "uuid"
    if given.get("type") in {"integer", "number"}:
        assert "minimum" in given
    if given.get("type") == "string" and name.startswith(("NewRotation.", "Management.", "SecretChange.")):
        assert given.keys() & {"maxLength", "enum"}


def test_no_meaning_is_given_to_a_member_that_no_body_has() -> None:
    """
    A member that is renamed takes its description along.
    """
    names = {name for name, *_ in members()}

    assert {name for name in MEMBERS if "." in name} <= names
    assert {name for name in MEMBERS if "." not in name} <= {name.partition(".")[2] for name in names}


def test_descriptions_are_in_the_words_of_json() -> None:
    """
    They come from docstrings, which speak of Python's fields and values.
    """
    described = re.findall(r'"description": "((?:[^"\\]|\\.)*)"', json.dumps(DOCUMENT))
    codes = set(STATUS)

    assert any("`skipReason`" in text for text in described)
    for text in described:
        assert not re.search(r"\b(None|True|False)\b", text), text
        assert set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)) <= codes, text


@pytest.mark.parametrize(("path", "kind"), [("/rotations", RotationsQuery), ("/secrets", SecretsQuery)])
def test_the_parameters_are_the_fields_of_the_type_that_decodes_them(
    path: str, kind: type[RotationsQuery] | type[SecretsQuery]
) -> None:
    """
    All of them and no other; the examples are read together.
    """
    parameters = DOCUMENT["paths"][path]["get"]["parameters"]

    assert {parameter["name"] for parameter in parameters} == set(kind.__struct_encode_fields__)
    read_query(
        {p["name"]: str(p["example"]).lower() if p["example"] is False else str(p["example"]) for p in parameters}, kind
    )


@pytest.mark.parametrize("code", list(STATUS))
def test_every_problem_is_described_with_its_status(code: str) -> None:
    """
    In the operation that can answer with it, and in the page for people.
    """
    path, method = {
        "rotation_not_found": ("/rotations/{id}", "get"),
        "not_cancellable": ("/rotations/{id}", "delete"),
        **dict.fromkeys(("already_managed", "name_deleted", "observing"), ("/secrets/{vault}/{name}", "put")),
    }.get(code, ("/rotations", "post"))
    described = DOCUMENT["paths"][path][method]["responses"][str(int(STATUS[code]))]
    page = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")

    assert f"`{code}`" in described["description"]
    assert code in described["content"]["application/problem+json"]["examples"]
    assert re.search(rf"^\| `{code}` \| {int(STATUS[code])} \|", page, re.MULTILINE)


def test_the_page_for_people_names_no_other_problem() -> None:
    """
    A code that is gone is gone there too.
    """
    page = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(\w+)` \| \d{3} \|", page, re.MULTILINE)) == set(STATUS)


@given(st.from_regex(r"https://[a-z0-9.:-]{1,20}/secrets/[0-9A-Za-z-]{1,10}(/[0-9a-f]{30,34})?", fullmatch=True))
def test_what_is_read_as_a_secret_is_what_the_document_calls_one(uri: str) -> None:
    """
    The schema tells callers the most of what the parser knows, and never forbids what it takes.
    """
    schema = DOCUMENT["components"]["schemas"]["NewRotation"]["properties"]["secret"]
    try:
        parse_secret_id(uri)
    except Malformed:
        return
    assert validator(schema).is_valid(uri)


@pytest.mark.parametrize(
    "arm_id",
    [
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers/Microsoft.Batch/batchAccounts/abc",
        "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/resourcegroups/g/providers/microsoft.web/sites/s/workflows/w",
    ],
)
def test_what_is_read_as_a_target_is_what_the_document_calls_one(arm_id: str) -> None:
    """
    In any case.
    """
    parse_target(arm_id)

    assert validator(DOCUMENT["components"]["schemas"]["NewRotation"]["properties"]["target"]).is_valid(arm_id)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"secret": "https://v.vault.azure.net/secrets/n", "target": "/subscriptions/x"},
        {"target": DOCUMENT["paths"]["/rotations"]["get"]["parameters"][0]["example"]},
        {"target": DOCUMENT["paths"]["/rotations"]["get"]["parameters"][0]["example"], "key": "auto"},
        {"secret": "https://v.vault.azure.net/secrets/n", "more": 1},
        {"secret": "https://v.vault.azure.net/secrets/n", "key": "primary"},
        {"secret": "https://v.vault.azure.net/secrets/n", "revokePreviousAfter": "1h"},
    ],
    ids=str,
)
def test_a_body_that_is_refused_is_refused_by_the_document_too(body: dict[str, Any]) -> None:
    """
    Where a schema can say it.
    """
    described = next(media())[1]["schema"]

    assert not validator(described).is_valid(body)
    with pytest.raises(Malformed):
        _ = read_body(json.dumps(body).encode(), NewRotation, "{}").subject(parse_target)


@pytest.mark.parametrize(
    ("key", "is_one"),
    [("a", True), ("a b", True), ("x" * 255, True), ("x" * 256, False), (" a", False), ("", False), ("\u00fc", False)],
)
def test_an_idempotency_key_is_printable_and_short(key: str, *, is_one: bool) -> None:
    """
    The pattern in the document is the one that is held against the header.
    """
    assert bool(re.fullmatch(IDEMPOTENCY_KEY, key)) is is_one


def test_blanks_around_what_a_query_says_are_ignored() -> None:
    """
    They come along when an example is copied.
    """
    query = read_query({"top": " 5", "state": "Failed\u00a0", "since": "2026-11-01T00:00:00Z\r\n"}, RotationsQuery)

    assert (query.top, query.state) == (5, "Failed")
    assert query.since is not None


@pytest.mark.parametrize("query", [{"top": "0"}, {"top": "1.5"}, {"since": "5"}, {"state": "null"}, {"order": "id"}])
def test_a_query_that_means_nothing_is_malformed_and_says_what_there_is(query: dict[str, str]) -> None:
    """
    No lax reading: a number is no time, and null is no value.
    """
    with pytest.raises(Malformed, match="must be of target, secret, state, since, top, continuation"):
        read_query(query, RotationsQuery)


@pytest.mark.parametrize(
    ("query", "kind", "choices"),
    [
        ({"status": "Drift"}, SecretsQuery, "status`, which must be one of UpToDate, Due, .*Drifted, TargetMissing"),
        ({"state": "failed"}, RotationsQuery, "state`, which must be one of Accepted, .*Failed, Skipped"),
    ],
)
def test_a_word_that_is_none_of_the_choices_of_a_query_names_them(
    query: dict[str, str], kind: type[RotationsQuery] | type[SecretsQuery], choices: str
) -> None:
    """
    All of them, so that nobody has to look them up.
    """
    with pytest.raises(Malformed, match=choices):
        read_query(query, kind)


def test_a_word_that_is_none_of_the_choices_of_a_body_names_them() -> None:
    """
    As in a query.
    """
    with pytest.raises(Malformed, match="key`, which must be one of Primary, Secondary, auto"):
        read_body(b'{"secret": "https://v.vault.azure.net/secrets/n", "key": "primary"}', NewRotation, "{}")


def test_the_document_says_how_this_app_lets_callers_in() -> None:
    """
    By a function key, or by a token; nothing else of it differs.
    """
    with_keys, signed_in = document(), document(Authentication.ENTRA)

    assert with_keys["security"] == [{"functionKey": []}, {"functionKeyInQuery": []}]
    assert signed_in["security"] == [{"entra": []}]
    assert signed_in["components"]["securitySchemes"]["entra"]["scheme"] == "bearer"
    assert signed_in["paths"] == with_keys["paths"]


def test_the_pages_show_every_check_of_health() -> None:
    """
    The page about the API names them, and the one about the command line shows what it prints.
    """
    checks = list(HEALTHY["healthy"]["value"]["checks"])
    api, command_line = (
        (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("http-api.md", "command-line.md")
    )
    (named,) = re.findall(r'"checks": \{(.*?)\}', api)
    (shown,) = re.findall(r"^    Healthy\n((?:      \w+ +ok\n)+)", command_line, re.MULTILINE)

    assert named.replace('"', "").split(", ") == checks
    assert [line.split()[0] for line in shown.splitlines()] == checks


@pytest.mark.parametrize("page", ["http-api.md", "command-line.md"])
def test_a_record_on_a_page_has_every_member(page: str) -> None:
    """
    Those that are only sometimes there may stand beside them.
    """
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    records = [record for block in shown for record in block.get("rotations", [block]) if "adopted" in record]
    always = set(ENDED["completed"]["value"])

    assert records
    for record in records:
        assert always <= set(record) <= set(DOCUMENT["components"]["schemas"]["Rotation"]["properties"])


def test_a_secret_on_the_page_has_every_member() -> None:
    """
    In the list, and where one is shown with its neighbours.
    """
    text = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]
    in_list, alone = [block for block in blocks if "seenOn" in block]
    schemas = DOCUMENT["components"]["schemas"]

    assert list(in_list) == list(schemas["SecretStatus"]["properties"])
    assert list(alone) == list(schemas["SecretDetails"]["properties"])
    assert list(alone["neighbours"][0]) == list(schemas["Neighbour"]["properties"])


@pytest.mark.parametrize(
    "body",
    [{"key": "{key}"}, {"strategy": "{key}"}, {"{key}": "Primary"}, {"create": "{key}"}, {"target": ["{key}"]}],
    ids=["key", "strategy", "a name", "a flag", "a list"],
)
@pytest.mark.parametrize("kind", [Management, NewRotation])
def test_a_key_that_somebody_pastes_into_a_body_is_not_shown(kind: type[Any], body: dict[str, Any]) -> None:
    """
    A member called `key` invites it, and an answer is logged and passed on.
    """
    key = f"{'k3yM4terial' * 8}=="
    pasted = json.dumps(body).replace("{key}", key)

    with pytest.raises(Malformed) as refused:
        read_body(pasted.encode(), kind, "{}")

    assert "k3yM4terial" not in str(refused.value)
