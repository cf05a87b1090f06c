"""
How the small app puts secrets under management, and changes how they are managed.
"""

from typing import Any

from aiohttp import web

from tests.unit.operator_cli.small_answers import Answer, problem
from tests.unit.operator_cli.small_records import Secret, detailed

_JSON = {"Content-Type": "application/json"}


def id_in(request: web.Request) -> str:
    """
    Return the id of the secret that a path names.
    """
    return "https://{vault}/secrets/{name}".format(**request.match_info)


def manage(
    known: Secret | None, secret_id: str, body: dict[str, Any], *, observes: bool
) -> tuple[Answer, Secret | None]:
    """
    Return what a PUT is answered, and the secret that it is about, None where nothing has changed.
    """
    name = secret_id.rpartition("/")[2]
    refusal = _refusal(known, name, body, observes=observes)
    if refusal:
        return refusal, None
    if known is None:
        vault = secret_id.partition("/secrets/")[0]
        made = Secret(name, target=body["target"], vault=vault, key=body.get("key", "Primary"))
        return Answer(201, detailed(made), _JSON), made
    known.status, known.target = "UpToDate", body["target"]
    return Answer(200, detailed(known), _JSON), known


def _refusal(known: Secret | None, name: str, body: dict[str, Any], *, observes: bool) -> Answer | None:
    target = body["target"]
    is_managed = known is not None and known.status != "Unmanaged"
    reasons = {
        (409, "observing", "the app only observes"): observes,
        (403, "forbidden", f"{target} is outside ROTATION_ALLOWED_SCOPES"): "elsewhere" in target,
        (404, "secret_not_found", f"there is no secret {name}"): known is None and not body.get("create"),
        (409, "name_deleted", f"{name} is soft-deleted"): known is None and name.startswith("deleted"),
        (409, "already_managed", "it is managed for another target"): (
            known is not None and is_managed and known.target.lower() != target.lower()
        ),
        (409, "drift", f"the value of {name} holds no key of it"): known is not None and known.finds != ("Live", None),
    }
    return next((problem(*reason) for reason, holds in reasons.items() if holds), None)


def change(secret: Secret, body: dict[str, Any], *, observes: bool) -> Answer:
    """
    Return what a PATCH is answered.
    """
    if observes:
        return problem(409, "observing", "the app only observes")
    if body.get("managed") is False and secret.leaked:
        return problem(409, "revocation_pending", "its key is to be revoked", rotationId=secret.leaked["revocation"])
    if "paused" in body:
        secret.status = "Paused" if body["paused"] else "UpToDate"
    if body.get("managed") is False:
        secret.status = "Unmanaged"
        return Answer(204)
    return Answer(200, detailed(secret), _JSON)
