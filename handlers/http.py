"""
The HTTP API.
"""

import uuid
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlsplit

import azure.functions as func
import msgspec

from adapters.wiring import wired
from handlers import problems
from rotation.acceptance import accept
from rotation.errors import Malformed, SettingsError, UnknownRotation
from rotation.quoting import quoted
from rotation.record import Rotation, State
from rotation.secret import SecretId, parse_secret_id
from rotation.target import KeyName

blueprint = func.Blueprint()

# App Service gives a caller up after 230 seconds: an answer that is late by then is better a 202.
_PATIENCE = timedelta(seconds=120)
_LARGEST_BODY = 16 * 1024  # bytes
_EXAMPLE = '{"secret": "https://...", "key": "auto" or "Primary" or "Secondary", "force": false, "reason": "..."}'
_DURATION = r"^P(?!$)(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$"  # ISO 8601, in days and shorter


class NewRotation(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """
    The body of `POST /rotations`.
    """

    secret: Annotated[str, msgspec.Meta(max_length=400)] | None = None
    target: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    key: Literal["auto", "Primary", "Secondary"] = "auto"
    force: bool = False
    dry_run: bool = False
    reason: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    revoke_previous_after: Annotated[str, msgspec.Meta(pattern=_DURATION)] | None = None


@blueprint.route(route="rotations", methods=["POST"], trigger_arg_name="request")
@problems.answering
async def create_rotation(request: func.HttpRequest) -> func.HttpResponse:
    """
    Rotate the key of a secret, and answer when that is done or when its outcome is not known yet.
    """
    asked = _read(request)
    world = wired().world
    key = None if asked.key == "auto" else KeyName(asked.key)
    accepted = await accept(world, _secret(asked), key=key, force=asked.force, reason=asked.reason)
    rotation = await wired().rotator.rotate(accepted, last_send=_PATIENCE)
    if rotation.state is State.FAILED:
        return problems.failure(rotation)
    if rotation.state in {State.COMPLETED, State.SKIPPED}:
        return _json(rotation)
    location = f"{urlsplit(request.url).path.rstrip('/')}/{rotation.id}"
    return _json(rotation, HTTPStatus.ACCEPTED, {"Location": location, "Retry-After": "30"})


@blueprint.route(route="rotations/{id}", methods=["GET"], trigger_arg_name="request")
@problems.answering
async def get_rotation(request: func.HttpRequest) -> func.HttpResponse:
    """
    Return one rotation's record.
    """
    written = request.route_params.get("id", "")
    try:
        rotation_id = str(uuid.UUID(written))
    except ValueError:
        raise UnknownRotation(f"there is no rotation {quoted(written)}; an id is a UUID") from None
    rotation = await wired().ledger.find(rotation_id)
    if rotation is None:
        raise UnknownRotation(f"there is no rotation {rotation_id}")
    return _json(rotation)


@blueprint.route(route="health", methods=["GET"], trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS)
async def get_health(request: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger has to arrive
    """
    Return whether the app could rotate a key right now.
    """
    try:
        health = await wired().health.report()
    except SettingsError as error:
        checks = {"settings": f"{error.setting} must be {error.expected}"}
        return _json({"status": "Unhealthy", "checks": checks}, HTTPStatus.SERVICE_UNAVAILABLE)
    return _json(health, HTTPStatus.OK if health.status == "Healthy" else HTTPStatus.SERVICE_UNAVAILABLE)


def _read(request: func.HttpRequest) -> NewRotation:
    """
    Return the body, checked; whatever would be ignored is refused.
    """
    body = request.get_body()
    if len(body) > _LARGEST_BODY:
        raise Malformed(f"the body has {len(body)} bytes; it must have at most {_LARGEST_BODY}")
    if not body.strip():
        raise Malformed(f"the body is empty; it must be JSON such as {_EXAMPLE}")
    try:
        asked = msgspec.json.decode(body, type=NewRotation)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"the body cannot be read ({error}); it must be JSON such as {_EXAMPLE}") from None
    if asked.secret and asked.target:
        raise Malformed("the body names both secret and target; it must name one of them")
    if asked.target and asked.key == "auto":
        raise Malformed("a request with target needs an explicit key, Primary or Secondary")
    for option, is_used in (
        ("target", asked.target is not None),
        ("dryRun", asked.dry_run),
        ("revokePreviousAfter", asked.revoke_previous_after is not None),
        ("the header Idempotency-Key", "Idempotency-Key" in request.headers),
        ("the header Prefer: respond-async", "respond-async" in request.headers.get("Prefer", "").lower()),
    ):
        if is_used:
            raise Malformed(f"{option} is not supported by this version; leave it out")
    return asked


def _secret(asked: NewRotation) -> SecretId:
    if not asked.secret:
        raise Malformed(
            "the body names no secret; it must have one, such as https://my-vault.vault.azure.net/secrets/name"
        )
    return parse_secret_id(asked.secret)


def _json(
    body: Rotation | msgspec.Struct | dict[str, object],
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
) -> func.HttpResponse:
    return func.HttpResponse(
        msgspec.json.encode(body), status_code=status, mimetype="application/json", headers=headers
    )
