"""
What the HTTP API can be asked, and what the app publishes, as OpenAPI 3.1.

It is made of the types that decode the requests and encode answers and events.
"""

from functools import cache
from typing import Any

from handlers import examples
from handlers.contract import IDEMPOTENCY_KEY, NewRotation, RotationsQuery
from handlers.openapi_events import webhooks
from handlers.openapi_parts import RETRY_AFTER, answer, problems
from handlers.openapi_secrets import change_secret, get_secret, list_secrets, manage_secret, verify_secret
from handlers.problems import STATUS
from handlers.schemas import parameters_of, reference_to, schemas
from providers import KINDS
from rotation.overview.rotations import RotationsPage
from rotation.vocabulary.record import Rotation
from wiring.authentication import Authentication
from wiring.health import Health


@cache
def document(authentication: Authentication = Authentication.KEY) -> dict[str, Any]:
    """
    Return the document for an app that lets callers in so. Paths are relative to the route prefix, `/api`.
    """
    schemes = _SCHEMES[authentication]
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
        "security": [{name: []} for name in schemes],
        "paths": {
            "/rotations": {"post": _create_rotation(), "get": _list_rotations()},
            "/rotations/{id}": {"get": _get_rotation(), "delete": _cancel_rotation()},
            "/secrets": {"get": list_secrets()},
            "/secrets/{vault}/{name}": {"get": get_secret(), "put": manage_secret(), "patch": change_secret()},
            "/secrets/{vault}/{name}/verify": {"post": verify_secret()},
            "/health": {"get": _get_health()},
            "/openapi.json": {"get": _get_openapi()},
        },
        "webhooks": webhooks(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": schemes,
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
            "200": answer(
                "Completed, Skipped with the reason, or Planned for a dry run. Where the app only observes, what would "
                "be Completed is Skipped with the steps that it would have taken",
                Rotation,
                examples.ENDED,
            ),
            "202": answer("The outcome is not known yet", Rotation, examples.ACCEPTED, headers=_LOCATION),
            **problems(*STATUS.keys() - _OF_OTHER_CALLS),
        },
    }


def _list_rotations() -> dict[str, Any]:
    return {
        "operationId": "listRotations",
        "summary": "List rotations, newest first",
        "parameters": parameters_of(RotationsQuery, examples.ROTATIONS_QUERY),
        "responses": {
            "200": answer("A page of rotations", RotationsPage, examples.ROTATIONS),
            **problems("malformed", "unavailable", "settings"),
        },
    }


def _get_rotation() -> dict[str, Any]:
    return {
        "operationId": "getRotation",
        "summary": "Show one rotation",
        "parameters": [_ROTATION_ID],
        "responses": {
            "200": answer("The rotation", Rotation, examples.RECORDS),
            **problems("rotation_not_found", "unavailable", "settings"),
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
            "200": answer("The rotation, Skipped with the reason `cancelled`", Rotation, examples.CANCELLED),
            **problems("rotation_not_found", "not_cancellable", "unavailable", "settings"),
        },
    }


def _get_health() -> dict[str, Any]:
    return {
        "operationId": "getHealth",
        "summary": "Say whether a key could be rotated right now",
        "security": [],
        "responses": {
            "200": answer("It could", Health, examples.HEALTHY),
            "503": answer("It could not; the checks say why", Health, examples.UNHEALTHY),
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
            **problems("settings"),
        },
    }


_SCHEMES: dict[Authentication, dict[str, Any]] = {
    Authentication.KEY: {
        "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
        "functionKeyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
    },
    Authentication.ENTRA: {
        "entra": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of Microsoft Entra for the app registration, with the app role `Rotations.Read` "
            "for GET and `Rotations.Operate` for all else and for `refresh=true`. A call that changes something and "
            "goes by the cookie of a browser instead needs the header `X-Rotator: 1`.",
        }
    },
}
_OF_OTHER_CALLS = {"rotation_not_found", "not_cancellable", "already_managed", "name_deleted", "observing"}
_ROTATION_ID: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The rotation's id.",
    "schema": {"type": "string", "format": "uuid"},
    "example": examples.ROTATION_ID,
}
_LOCATION = RETRY_AFTER | {
    "Location": {
        "description": "Where the rotation's record is found, from now on.",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": f"/api/rotations/{examples.ROTATION_ID}",
    }
}
