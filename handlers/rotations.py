"""
The HTTP API's part about rotations.

It rests on assumption 69 of docs/fidelity.md.
"""

import hashlib
import re
import uuid
from http import HTTPStatus
from typing import List
from urllib.parse import urlsplit

import azure.functions as func
import msgspec
from msgspec import UNSET, structs

from handlers import problems
from handlers.admission import caller_of
from handlers.answers import answered, identity_of_target, query_of
from handlers.calls import answers
from handlers.contract import (
    IDEMPOTENCY_KEY,
    NewRotation,
    RotationsQuery,
)
from handlers.messages import messages
from handlers.reading import ROTATION_EXAMPLE, read_body, read_query
from rotation.overview import rotations as history
from rotation.ports.history import Wanted
from rotation.run.acceptance import accept, accept_target
from rotation.run.cancelling import cancel
from rotation.run.leaks import report_leak
from rotation.run.rehearsal import rehearse
from rotation.vocabulary.endings import SkipReason
from rotation.vocabulary.errors import (
    Busy,
    DependencyError,
    KeyReused,
    Malformed,
    Unfinished,
    UnknownRotation,
)
from rotation.vocabulary.limits import (
    ASK_AGAIN_AFTER,
    LAST_LOOK_FOR_HTTP,
    LAST_SEND_FOR_HTTP,
    LONGEST_IDEMPOTENCY_KEY,
    QUEUED_FOR,
)
from rotation.vocabulary.log_lines import report
from rotation.vocabulary.pasted import unwrapped
from rotation.vocabulary.quoting import quoted
from rotation.vocabulary.record import Reservation, Rotation, State, WaitingRotation
from rotation.vocabulary.request import RotationRequest, keyed_id
from rotation.vocabulary.secret import SecretId, parse_secret_id
from rotation.vocabulary.target import KeyName
from wiring import wired

blueprint = func.Blueprint()


@blueprint.queue_output(arg_name="rotations", queue_name="rotations", connection="AzureWebJobsStorage")
@answers(blueprint, "POST", "rotations")
async def create_rotation(request: func.HttpRequest, rotations: func.Out[List[str]]) -> func.HttpResponse:
    """
    Rotate the key of a secret, or regenerate one of a target; answer when that is done, or at once if so preferred.
    """
    asked = read_body(request.get_body(), NewRotation, ROTATION_EXAMPLE)
    _ = asked.subject(wired().providers.parse_target), asked.revocation
    if asked.dry_run:
        return answered(await rehearse(wired().world, await _accept(request, asked, None)))
    rotation_id = _keyed_id(request)
    digest = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()
    ledger = wired().ledger
    if rotation_id and (known := await ledger.find(rotation_id)):
        _require_same(digest, await ledger.reserve(rotation_id, Reservation(digest)))
        return _answer(request, known)
    accepted = await _accept(request, asked, rotation_id)
    if rotation_id:
        first = await ledger.reserve(rotation_id, Reservation(digest, accepted.secret))
        _require_same(digest, first)
        # Repeated, it is about what it was about at first: somebody may have rotated the secret since.
        accepted = structs.replace(accepted, secret=first.secret or accepted.secret)
    accepted = await report_leak(wired().world, accepted)
    if _prefers_async(request):
        return await _queue(request, accepted, rotations, {"Preference-Applied": "respond-async"})
    try:
        rotation = await _rotate(accepted)
    except (Busy, Unfinished, DependencyError):
        if accepted.revocation is None:
            raise
        # The leak is on record: it does not depend on the caller's coming back.
        return await _queue(request, accepted, rotations)
    if moves := await _moves(accepted):
        rotations.set(messages(moves))
    return _answer(request, rotation)


@answers(blueprint, "GET", "rotations/{id}")
async def get_rotation(request: func.HttpRequest) -> func.HttpResponse:
    """
    Return one rotation's record.
    """
    rotation_id = _id_in(request)
    rotation = await wired().ledger.find(rotation_id)
    if rotation is None:
        raise UnknownRotation(f"there is no rotation {rotation_id}")
    return answered(rotation)


@answers(blueprint, "DELETE", "rotations/{id}")
async def cancel_rotation(request: func.HttpRequest) -> func.HttpResponse:
    """
    Cancel a rotation that waits for its time.
    """
    return answered(await cancel(wired().world, _id_in(request)))


@answers(blueprint, "GET", "rotations")
async def list_rotations(request: func.HttpRequest) -> func.HttpResponse:
    """
    Return a page of rotations, newest first.
    """
    query = read_query(query_of(request), RotationsQuery)
    secret = parse_secret_id(query.secret) if query.secret else None
    wanted = Wanted(
        target=identity_of_target(query.target),
        secret=secret.identity if secret else None,
        state=query.state,
        since=query.since,
    )
    page = await history.list_rotations(wired().history, wanted, top=query.top, continuation=query.continuation)
    return answered(page)


async def _rotate(accepted: RotationRequest) -> Rotation:
    """
    Return the record of a rotation as far as it gets while its caller waits. Raises as `Rotator.rotate` does.
    """
    try:
        return await wired().rotator.rotate(accepted, last_send=LAST_SEND_FOR_HTTP)
    except Busy as busy:
        if busy.running != accepted.id:
            raise
        # The same Idempotency-Key at the same time: the other request is at it.
        return await wired().ledger.find(accepted.id) or wired().world.accepted(accepted, accepted.accepted_on)


async def _queue(
    request: func.HttpRequest,
    accepted: RotationRequest,
    rotations: func.Out[List[str]],
    headers: dict[str, str] | None = None,
) -> func.HttpResponse:
    """
    Answer 202, and put a rotation into the queue, with those of the secrets that share the leaked key it reports.
    """
    record = await _promise(accepted)
    moves = await _moves(accepted, but=accepted.secret)
    rotations.set(messages([structs.replace(accepted, waits=True), *moves]))
    return _answer(request, record, headers)


def _id_in(request: func.HttpRequest) -> str:
    """
    Return the id of the rotation that a path names. Raises `UnknownRotation` for what cannot be one.
    """
    written = request.route_params.get("id", "")
    try:
        return str(uuid.UUID(unwrapped(written)))
    except ValueError:
        raise UnknownRotation(f"there is no rotation {quoted(written)}; an id is a UUID") from None


async def _accept(request: func.HttpRequest, asked: NewRotation, rotation_id: str | None) -> RotationRequest:
    world, subject = wired().world, asked.subject(wired().providers.parse_target)
    key = None if asked.key == "auto" else KeyName(asked.key)
    if isinstance(subject, SecretId):
        return await accept(
            world,
            subject,
            rotation_id=rotation_id,
            key=key,
            force=asked.force,
            ignore_grace=asked.ignore_grace,
            reason=asked.reason,
            revoke_previous_after=asked.revocation,
            requested_by=caller_of(request),
        )
    return accept_target(
        world,
        subject,
        KeyName(asked.key),
        rotation_id=rotation_id,
        force=asked.force,
        ignore_grace=asked.ignore_grace,
        reason=asked.reason,
        requested_by=caller_of(request),
    )


async def _moves(accepted: RotationRequest, *, but: SecretId | None = None) -> list[RotationRequest]:
    """
    Return the rotations of the secrets that hold the leaked key which a request reports.
    """
    return await wired().rotator.moves(accepted, but=but, last_send=LAST_LOOK_FOR_HTTP)


async def _promise(accepted: RotationRequest) -> Rotation:
    """
    Remember a rotation that will be answered with 202, so that its Location resolves from that moment.
    """
    request = structs.replace(accepted, waits=True)
    record = wired().world.accepted(request, request.accepted_on)
    await wired().ledger.wait(WaitingRotation(request, record, request.accepted_on + QUEUED_FOR))
    report(record, "accepted")
    return record


def _keyed_id(request: func.HttpRequest) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not re.fullmatch(IDEMPOTENCY_KEY, key):
        raise Malformed(
            f"the header Idempotency-Key must have 1 to {LONGEST_IDEMPOTENCY_KEY} characters, all printable ASCII"
        )
    return keyed_id(key)


def _require_same(digest: str, known: Reservation) -> None:
    if digest != known.digest:
        raise KeyReused("the Idempotency-Key was used with another body before; it must be a new one for a new request")


def _prefers_async(request: func.HttpRequest) -> bool:
    """
    Return whether a preference of the request is `respond-async` (RFC 7240).
    """
    preferences = request.headers.get("Prefer", "").lower().split(",")
    return any(preference.partition(";")[0].strip() == "respond-async" for preference in preferences)


def _answer(request: func.HttpRequest, rotation: Rotation, headers: dict[str, str] | None = None) -> func.HttpResponse:
    """
    Answer with a rotation: its record, the problem that it ended with, or where its outcome will be found.
    """
    if rotation.state is State.FAILED:
        return problems.failure(rotation)
    if rotation.skip_reason is SkipReason.TOO_SOON:
        return problems.too_soon(rotation, wired().world.clock.now())
    if rotation.state in {State.COMPLETED, State.SKIPPED}:
        return answered(rotation)
    location = f"{urlsplit(request.url).path.rstrip('/')}/{rotation.id}"
    seconds = 1 if rotation.state is State.ACCEPTED else ASK_AGAIN_AFTER
    if rotation.allowed_on is not UNSET:
        seconds = problems.seconds_until(rotation.allowed_on, wired().world.clock.now())
    found = {"Location": location, "Retry-After": str(seconds)} | (headers or {})
    return answered(rotation, HTTPStatus.ACCEPTED, found)
