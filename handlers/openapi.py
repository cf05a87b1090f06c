"""
What the HTTP API can be asked, as OpenAPI 3.1: made of the types that decode the requests and encode the answers.
"""

from functools import cache
from typing import Any

import msgspec

from handlers import examples
from handlers.contract import (
    IDEMPOTENCY_KEY,
    NewRotation,
    ProblemDetails,
    RotationsQuery,
    SecretsQuery,
)
from handlers.problems import STATUS
from rotation.overview.rotations import RotationsPage
from rotation.overview.secrets import SecretsPage
from rotation.vocabulary.record import Rotation
from wiring.health import Health

_TYPES = (NewRotation, Rotation, RotationsPage, SecretsPage, ProblemDetails, Health)
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "30",
    }
}


@cache
def document() -> dict[str, Any]:
    """
    Return the document. Paths are relative to the route prefix, `/api`.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Azure Key Rotator",
            "version": "1",
            "summary": "Rotates the keys of Azure Batch accounts and Logic App (Standard) workflows without downtime.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api"}],
        "security": [{"functionKey": []}, {"functionKeyInQuery": []}],
        "paths": {
            "/rotations": {"post": _create_rotation(), "get": _list_rotations()},
            "/rotations/{id}": {"get": _get_rotation()},
            "/secrets": {"get": _list_secrets()},
            "/health": {"get": _get_health()},
            "/openapi.json": {"get": _get_openapi()},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "functionKeyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
            },
        },
    }


def _create_rotation() -> dict[str, Any]:
    return {
        "operationId": "createRotation",
        "summary": "Rotate the key of a secret, or regenerate one of a target",
        "description": "Answers with the outcome, or with 202 where it is not known yet or `Prefer: respond-async` "
        "asks for that. The same `Idempotency-Key` with the same body is the same rotation.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Makes a repeated request the same rotation.",
                "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY},
                "example": "quarterly-2026-4-batch-key",
            },
            {
                "name": "Prefer",
                "in": "header",
                "description": "`respond-async`: answer 202 at once (RFC 7240).",
                "schema": {"type": "string", "pattern": "^[ -~]*$"},
                "example": "respond-async",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(NewRotation), "examples": examples.REQUESTS}},
        },
        "responses": {
            "200": _answer("Completed, Skipped with the reason, or Planned for a dry run", Rotation, examples.ENDED),
            "202": _answer("The outcome is not known yet", Rotation, examples.ACCEPTED, headers=_LOCATION),
            **_problems(*STATUS),
        },
    }


def _list_rotations() -> dict[str, Any]:
    return {
        "operationId": "listRotations",
        "summary": "List rotations, newest first",
        "parameters": _parameters(RotationsQuery, examples.ROTATIONS_QUERY),
        "responses": {
            "200": _answer("A page of rotations", RotationsPage, examples.ROTATIONS),
            **_problems("malformed", "unavailable", "settings"),
        },
    }


def _get_rotation() -> dict[str, Any]:
    return {
        "operationId": "getRotation",
        "summary": "Show one rotation",
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "The rotation's id.",
                "schema": {"type": "string", "format": "uuid"},
                "example": examples.ROTATION_ID,
            }
        ],
        "responses": {
            "200": _answer("The rotation", Rotation, examples.ENDED),
            **_problems("rotation_not_found", "unavailable", "settings"),
        },
    }


def _list_secrets() -> dict[str, Any]:
    return {
        "operationId": "listSecrets",
        "summary": "List the managed secrets and how each stands",
        "parameters": _parameters(SecretsQuery, examples.SECRETS_QUERY),
        "responses": {
            "200": _answer("A page of secrets", SecretsPage, examples.SECRETS),
            **_problems("malformed", "unavailable", "settings"),
        },
    }


def _get_health() -> dict[str, Any]:
    return {
        "operationId": "getHealth",
        "summary": "Say whether a key could be rotated right now",
        "security": [],
        "responses": {
            "200": _answer("It could", Health, examples.HEALTHY),
            "503": _answer("It could not; the checks say why", Health, examples.UNHEALTHY),
        },
    }


def _get_openapi() -> dict[str, Any]:
    return {
        "operationId": "getOpenapi",
        "summary": "Show this document",
        "responses": {
            "200": {
                "description": "This document",
                "content": {"application/json": {"schema": {"type": "object"}, "example": {"openapi": "3.1.0"}}},
            },
            "401": _UNAUTHORIZED,
        },
    }


_UNAUTHORIZED = {"description": "No function key, or a wrong one: the Functions host answers, without a body"}
_LOCATION = _RETRY_AFTER | {
    "Location": {
        "description": "Where the rotation's record is found, from now on.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": f"/api/rotations/{examples.ROTATION_ID}",
    }
}


def _problems(*codes: str) -> dict[str, Any]:
    """
    Return the responses for problem codes, one for each status with an example of each code.
    """
    answers: dict[str, Any] = {"401": _UNAUTHORIZED}
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(STATUS[code], []).append(code)
    for status, coded in sorted(by_status.items()):
        answers[str(int(status))] = {
            "description": "Problem: " + ", ".join(f"`{code}`" for code in coded),
            "content": {
                "application/problem+json": {
                    "schema": _ref(ProblemDetails),
                    "examples": {code: {"value": examples.problem(code)} for code in coded},
                }
            },
        }
        if status == STATUS["unavailable"]:
            answers[str(int(status))]["headers"] = _RETRY_AFTER
    return answers


def _answer(description: str, kind: type, shown: dict[str, Any], *, headers: Any = None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": _ref(kind), "examples": shown}},
    }
    return answer | ({"headers": headers} if headers else {})


def _parameters(kind: type[msgspec.Struct], shown: dict[str, Any]) -> list[dict[str, Any]]:
    """
    Return a query's parameters: the fields of the type that decodes it. One that is left out is not sent as null.
    """
    (_,), components = msgspec.json.schema_components([kind], ref_template=_TEMPLATE)
    parameters = []
    for name, schema in components[kind.__name__]["properties"].items():
        plain = _without_null(schema)
        parameters.append(
            {
                "name": name,
                "in": "query",
                "description": plain.pop("description", f"Only those with this {name}."),
                "schema": plain,
                "example": shown[name],
                "allowEmptyValue": True,
            }
        )
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    plain = dict(schema)
    if "anyOf" in plain:
        (given,) = [choice for choice in plain.pop("anyOf") if choice != {"type": "null"}]
        plain |= given
        plain.pop("default", None)
    if "pattern" in plain:
        # The Functions host drops a parameter without a value, so it cannot be refused.
        plain["pattern"] = f"^$|{plain['pattern']}"
    return plain


_TEMPLATE = "#/components/schemas/{name}"


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(name=kind.__name__)}


def _schemas() -> dict[str, Any]:
    kinds = (*_TYPES, RotationsQuery, SecretsQuery)
    _, components = msgspec.json.schema_components(kinds, ref_template=_TEMPLATE)
    for query in (RotationsQuery, SecretsQuery):
        del components[query.__name__]
    # Which of the two subjects is meant cannot be said by a field.
    components[NewRotation.__name__]["oneOf"] = [
        {"required": ["secret"], "properties": {"secret": {"type": "string"}, "target": {"type": "null"}}},
        {
            "required": ["target", "key"],
            "properties": {
                "target": {"type": "string"},
                "secret": {"type": "null"},
                "key": {"enum": ["Primary", "Secondary"]},
                "revokePreviousAfter": {"type": "null"},
            },
        },
    ]
    return components
