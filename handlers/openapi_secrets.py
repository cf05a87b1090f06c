"""
The operations of the API's description that are about managed secrets.
"""

from typing import Any

from handlers import examples
from handlers.contract import SecretsQuery
from handlers.openapi_parts import answer, problems
from handlers.schemas import parameters_of, reference_to, secret_path
from handlers.wishes import Management, SecretChange
from rotation.overview.one_secret import SecretDetails
from rotation.overview.secrets import SecretsPage

_OF_ONE_SECRET = ("malformed", "forbidden", "secret_not_found", "vault_refused", "unavailable", "settings")
_MERGE_PATCH = ("application/merge-patch+json", "application/json")


def list_secrets() -> dict[str, Any]:
    """
    Return the operation of GET /secrets.
    """
    return {
        "operationId": "listSecrets",
        "summary": "List the managed secrets and how each stands",
        "parameters": parameters_of(SecretsQuery, examples.SECRETS_QUERY),
        "responses": {
            "200": answer("A page of secrets", SecretsPage, examples.SECRETS),
            **problems("malformed", "unavailable", "settings"),
        },
    }


def get_secret() -> dict[str, Any]:
    """
    Return the operation of GET /secrets/{vault}/{name}.
    """
    return {
        "operationId": "getSecret",
        "summary": "Show one secret, and the other secrets of its target",
        "description": "Answers from what the last look has found; a secret that none has found yet is read from its "
        "vault.",
        "parameters": secret_path(examples.SECRET_PATH),
        "responses": {
            "200": answer("The secret", SecretDetails, examples.SECRET),
            **problems(*_OF_ONE_SECRET),
        },
    }


def verify_secret() -> dict[str, Any]:
    """
    Return the operation of POST /secrets/{vault}/{name}/verify.
    """
    return {
        "operationId": "verifySecret",
        "summary": "Compare the value of one secret with the keys of its target now",
        "description": "Changes neither. It takes some seconds where the value holds neither key, since both are read "
        "again before that is believed, and two minutes at most.",
        "parameters": secret_path(examples.SECRET_PATH),
        "responses": {
            "200": answer("The secret as it is now", SecretDetails, examples.SECRET),
            **problems(*_OF_ONE_SECRET, "busy"),
        },
    }


def manage_secret() -> dict[str, Any]:
    """
    Return the operation of PUT /secrets/{vault}/{name}.
    """
    return {
        "operationId": "manageSecret",
        "summary": "Put a secret under management",
        "description": "Its value must hold one live key of the target. Tags of others stay, and its expiry becomes "
        "the earlier of what it has and the validity from now. With `create` the app stores the first version: the "
        "key that the other secrets of the target hold, never one that has leaked. The same again changes nothing.",
        "parameters": secret_path(examples.SECRET_PATH),
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": reference_to(Management), "examples": examples.MANAGEMENTS}},
        },
        "responses": {
            "200": answer("It is managed", SecretDetails, examples.SECRET),
            "201": answer("It was created", SecretDetails, examples.SECRET),
            **problems(
                *_OF_ONE_SECRET,
                "too_large",
                "target_not_found",
                "busy",
                "drift",
                "misconfigured",
                "already_managed",
                "name_deleted",
                "revocation_pending",
                "observing",
                "provider_refused",
                "key_refused",
            ),
        },
    }


def change_secret() -> dict[str, Any]:
    """
    Return the operation of PATCH /secrets/{vault}/{name}.
    """
    return {
        "operationId": "changeSecret",
        "summary": "Pause a managed secret, change its validity or strategy, or take it out of management",
        "description": "Changes the tags of the current version and keeps those of others (RFC 7396: null is the "
        "default again). It waits for no rotation: one of the target that runs is 409 `busy`.",
        "parameters": secret_path(examples.SECRET_PATH),
        "requestBody": {
            "required": True,
            "content": {
                kind: {"schema": reference_to(SecretChange), "examples": examples.CHANGES} for kind in _MERGE_PATCH
            },
        },
        "responses": {
            "200": answer("The secret as it is now", SecretDetails, examples.SECRET),
            "204": {"description": "It is not managed any more"},
            **problems(*_OF_ONE_SECRET, "too_large", "busy", "misconfigured", "revocation_pending", "observing"),
        },
    }
