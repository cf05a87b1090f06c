"""
What the HTTP API can be asked, as OpenAPI 3.1: made of the types that decode the requests and encode the answers.
"""

from functools import cache
from typing import Any

from handlers import examples
from handlers.contract import (
    IDEMPOTENCY_KEY,
    NewRotation,
    ProblemDetails,
    RotationsQuery,
    SecretsQuery,
)
from handlers.problems import STATUS
from handlers.schemas import parameters_of, reference_to, schemas, secret_path
from providers import KINDS
from rotation.overview.one_secret import SecretDetails
from rotation.overview.rotations import RotationsPage
from rotation.overview.secrets import SecretsPage
from rotation.vocabulary.record import Rotation
from wiring.health import Health

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to ask again, where that is known.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "30",
    }
}
_OF_ONE_SECRET = ("malformed", "forbidden", "secret_not_found", "vault_refused", "unavailable", "settings")


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
            "summary": "Rotates the access keys of Azure resources without downtime.",
            "description": f"The resources are {', or '.join(kind.title for kind in KINDS)}.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api"}],
        "security": [{"functionKey": []}, {"functionKeyInQuery": []}],
        "paths": {
            "/rotations": {"post": _create_rotation(), "get": _list_rotations()},
            "/rotations/{id}": {"get": _get_rotation(), "delete": _cancel_rotation()},
            "/secrets": {"get": _list_secrets()},
            "/secrets/{vault}/{name}": {"get": _get_secret()},
            "/secrets/{vault}/{name}/verify": {"post": _verify_secret()},
            "/health": {"get": _get_health()},
            "/openapi.json": {"get": _get_openapi()},
        },
        "components": {
            "schemas": schemas(),
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
                "example": "quarterly-2026-4-my-key",
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
            "content": {"application/json": {"schema": reference_to(NewRotation), "examples": examples.REQUESTS}},
        },
        "responses": {
            "200": _answer(
                "Completed, Skipped with the reason, or Planned for a dry run. Where the app only observes, what would "
                "be Completed is Skipped with the steps that it would have taken",
                Rotation,
                examples.ENDED,
            ),
            "202": _answer("The outcome is not known yet", Rotation, examples.ACCEPTED, headers=_LOCATION),
            **_problems(*STATUS.keys() - {"rotation_not_found", "not_cancellable"}),
        },
    }


def _list_rotations() -> dict[str, Any]:
    return {
        "operationId": "listRotations",
        "summary": "List rotations, newest first",
        "parameters": parameters_of(RotationsQuery, examples.ROTATIONS_QUERY),
        "responses": {
            "200": _answer("A page of rotations", RotationsPage, examples.ROTATIONS),
            **_problems("malformed", "unavailable", "settings"),
        },
    }


def _get_rotation() -> dict[str, Any]:
    return {
        "operationId": "getRotation",
        "summary": "Show one rotation",
        "parameters": [_ROTATION_ID],
        "responses": {
            "200": _answer("The rotation", Rotation, examples.RECORDS),
            **_problems("rotation_not_found", "unavailable", "settings"),
        },
    }


def _cancel_rotation() -> dict[str, Any]:
    return {
        "operationId": "cancelRotation",
        "summary": "Cancel a rotation that is Scheduled",
        "description": "That is the revocation of a leaked key, or a rotation for which it is too soon. What was "
        "cancelled before is answered in the same way. A key that was reported as leaked stays known as such.",
        "parameters": [_ROTATION_ID],
        "responses": {
            "200": _answer("The rotation, Skipped with the reason `cancelled`", Rotation, examples.CANCELLED),
            **_problems("rotation_not_found", "not_cancellable", "unavailable", "settings"),
        },
    }


def _list_secrets() -> dict[str, Any]:
    return {
        "operationId": "listSecrets",
        "summary": "List the managed secrets and how each stands",
        "parameters": parameters_of(SecretsQuery, examples.SECRETS_QUERY),
        "responses": {
            "200": _answer("A page of secrets", SecretsPage, examples.SECRETS),
            **_problems("malformed", "unavailable", "settings"),
        },
    }


def _get_secret() -> dict[str, Any]:
    return {
        "operationId": "getSecret",
        "summary": "Show one secret, and the other secrets of its target",
        "description": "Answers from what the last look has found; a secret that none has found yet is read from its "
        "vault.",
        "parameters": secret_path(examples.SECRET_PATH),
        "responses": {
            "200": _answer("The secret", SecretDetails, examples.SECRET),
            **_problems(*_OF_ONE_SECRET),
        },
    }


def _verify_secret() -> dict[str, Any]:
    return {
        "operationId": "verifySecret",
        "summary": "Compare the value of one secret with the keys of its target now",
        "description": "Changes neither. It takes some seconds where the value holds neither key, since both are read "
        "again before that is believed, and two minutes at most.",
        "parameters": secret_path(examples.SECRET_PATH),
        "responses": {
            "200": _answer("The secret as it is now", SecretDetails, examples.SECRET),
            **_problems(*_OF_ONE_SECRET, "busy"),
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


_MAY_PASS = {
    "busy",
    "too_soon",
    "revocation_pending",
    "unavailable",
    "settings",
}  # The same request may be answered otherwise later.
_UNAUTHORIZED = {"description": "No function key, or a wrong one: the Functions host answers, without a body"}
_ROTATION_ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The rotation's id.",
    "schema": {"type": "string", "format": "uuid"},
    "example": examples.ROTATION_ID,
}
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
                    "schema": reference_to(ProblemDetails),
                    "examples": {code: {"value": examples.problem(code)} for code in coded},
                }
            },
        }
        if _MAY_PASS & set(coded):
            answers[str(int(status))]["headers"] = _RETRY_AFTER
    return answers


def _answer(description: str, kind: type, shown: dict[str, Any], *, headers: Any = None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": description,
        "content": {"application/json": {"schema": reference_to(kind), "examples": shown}},
    }
    return answer | ({"headers": headers} if headers else {})
