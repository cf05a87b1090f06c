"""
A small app that speaks the API's contract: what it is asked it remembers, and what it answers can be arranged.
"""

import asyncio
import itertools
import json
import ssl
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from aiohttp import web

from tests.unit.operator_cli.small_answers import Answer, problem
from tests.unit.operator_cli.small_management import change, id_in, manage
from tests.unit.operator_cli.small_records import OTHER, Secret, begun, detailed, is_waived, listed, planned, steps_of

FOREVER = 1_000_000
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Asked:
    """
    One request.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class SmallApp:
    """
    The app, for `async with`. Anyone who has the key, or the token, is let in.
    """

    function_key = "the-function-key-that-nobody-may-see=="
    token = "the-token-that-nobody-may-see"
    page_size = 2

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.port = 0
        self.requests: list[Asked] = []
        self.secrets: list[Secret] = []
        self.rotations: dict[str, dict[str, Any]] = {}
        self.answers: deque[Answer] = deque()
        """What the next requests are answered, whatever they ask."""
        self.looks = 2
        """How often a rotation is looked at until it has ended."""
        self.wait: str | None = "0"
        """What `Retry-After` says while a rotation runs."""
        self.location = "/api/rotations/{id}"
        self.is_healthy = True
        self.has_looked = True
        self.most_at_once = 0
        self.overlaps: list[str] = []
        """The targets that were asked for while they were being rotated."""
        self.watched = asyncio.Event()
        """Set when a rotation is looked at."""
        self.arrived = asyncio.Event()
        """Set when a request has come."""
        self.observes = False
        self.refuses_plans: Answer | None = None
        """What a dry run is answered instead."""
        self.revocation_looks = FOREVER
        self.revocation_ends: tuple[str, str | None] = ("Completed", None)
        self.moves_after = 1
        """How often the list is looked at until the others have moved away from a leaked key."""
        self.is_silent = False
        """Whether it takes requests and answers none."""
        self.admits: int | None = None
        """How many more requests the key opens, if it is to be changed."""
        self._looks_left: dict[str, int] = {}
        self._ends: dict[str, tuple[str, str | None]] = {}
        self._keyed: dict[str, tuple[Any, str]] = {}
        self._versions = itertools.count(1)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """
        Listen: at any port first, at the same one afterwards.
        """
        app = web.Application(middlewares=[self._admit])
        app.router.add_get("/msi/token", self._give_token)
        app.router.add_post("/api/rotations", self._create)
        app.router.add_get("/api/rotations", self._list_rotations)
        app.router.add_get("/api/rotations/{id}", self._get)
        app.router.add_delete("/api/rotations/{id}", self._cancel)
        app.router.add_get("/elsewhere/{id}", self._get)
        app.router.add_get("/api/elsewhere/{id}", self._get)
        app.router.add_get("/api/secrets", self._list_secrets)
        app.router.add_get("/api/secrets/{vault}/{name}", self._get_secret)
        app.router.add_put("/api/secrets/{vault}/{name}", self._manage_secret)
        app.router.add_patch("/api/secrets/{vault}/{name}", self._change_secret)
        app.router.add_post("/api/secrets/{vault}/{name}/verify", self._verify_secret)
        app.router.add_get("/api/health", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """
        Be gone.
        """
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """
        The base URL, without /api.
        """
        return f"http{'s' if self._tls else ''}://localhost:{self.port}"

    def asked(self, method: str, path: str = "/api/rotations") -> list[Asked]:
        """
        Return the requests of one kind.
        """
        return [one for one in self.requests if (one.method, one.path) == (method, path)]

    def begin(self, secret: Secret, *, looks: int | None = None, **fields: Any) -> dict[str, Any]:
        """
        Begin a rotation as another trigger would.
        """
        record = begun({"secret": secret.id}, secret, f"{next(self._versions):032x}") | fields
        self._begin(record, secret.ends, looks)
        return record

    def finish(self, rotation_id: str) -> None:
        """
        Let a rotation end at the next look.
        """
        self._looks_left[rotation_id] = 1

    @web.middleware
    async def _admit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = json.loads(await request.read() or "null")
        self.requests.append(
            Asked(request.method, request.path, dict(request.query), {**request.headers}, body),
        )
        self.arrived.set()
        if self.is_silent:
            await asyncio.Event().wait()
        if self.answers:
            return _arranged(request, self.answers.popleft())
        given = {request.headers.get("x-functions-key"), request.headers.get("Authorization")}
        is_open = request.path in {"/api/health", "/msi/token"}
        if not is_open and (self.admits == 0 or not given & {self.function_key, f"Bearer {self.token}"}):
            return web.Response(status=401)
        self.admits = self.admits and self.admits - 1
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _give_token(self, request: web.Request) -> web.Response:
        later = str(int((datetime.now(UTC) + timedelta(days=1)).timestamp()))
        granted = {"access_token": self.token, "expires_on": later, "resource": request.query["resource"]}
        return web.json_response({**granted, "token_type": "Bearer"})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        secret = self._find(body.get("secret"))
        if refusal := self._refusal(body, secret):
            return _answer(refusal)
        if body.get("dryRun"):
            sharing = [one.id for one in self._sharing(secret)]
            return _answer(self.refuses_plans or Answer(200, planned(body, secret, sharing), _JSON))
        keyed = request.headers.get("Idempotency-Key")
        if keyed in self._keyed:
            known, rotation_id = self._keyed[keyed]
            if known != body:
                return _answer(problem(422, "idempotency_conflict", "the Idempotency-Key was used with another body"))
            return web.json_response(self.rotations[rotation_id])
        record = begun(body, secret, f"{next(self._versions):032x}")
        if keyed:
            self._keyed[keyed] = body, record["id"]
        busy = [one for one in self._running() if one["target"].lower() == record["target"].lower()]
        self.overlaps += [record["target"] for _ in busy]
        ends = secret.ends if secret and not is_waived(body, secret) else ("Completed", None)
        if secret and "revokePreviousAfter" in body and ends[1] not in {"observing", "unmanaged", "disabled"}:
            self._report(record, secret, body)
        self._begin(record, ("Skipped", "busy") if busy else ends)
        if "respond-async" not in request.headers.get("Prefer", ""):
            self._end(record)
            return web.json_response(record)
        headers = {"Location": self.location.format(id=record["id"])} | self._waiting()
        return web.json_response(record, status=202, headers=headers)

    async def _get(self, request: web.Request) -> web.Response:
        record = self.rotations.get(request.match_info["id"])
        if record is None:
            return _answer(problem(404, "rotation_not_found", f"there is no rotation {request.match_info['id']}"))
        self.watched.set()
        self._looks_left[record["id"]] -= 1
        if self._looks_left[record["id"]] > 0:
            if record["state"] != "Scheduled":
                record["state"] = "Regenerating"
            return web.json_response(record, headers=self._waiting())
        self._end(record)
        return web.json_response(record)

    async def _cancel(self, request: web.Request) -> web.Response:
        record = self.rotations.get(request.match_info["id"])
        if record is None:
            return _answer(problem(404, "rotation_not_found", f"there is no rotation {request.match_info['id']}"))
        if record["state"] != "Scheduled" and record.get("skipReason") != "cancelled":
            detail = f"rotation {record['id']} cannot be cancelled: it has ended ({record['state']})"
            return _answer(problem(409, "not_cancellable", detail, rotationId=record["id"]))
        record.pop("allowedOn", None)
        record |= {"state": "Skipped", "skipReason": "cancelled", "completedOn": "2026-11-22T04:20:00Z"}
        for secret in self.secrets:
            if secret.leaked and secret.leaked["revocation"] == record["id"]:
                secret.leaked |= {"dueOn": None}
        return web.json_response(record)

    def _sharing(self, secret: Secret | None) -> list[Secret]:
        """
        Return the other secrets of the target that hold the same key.
        """
        same = [one for one in self.secrets if secret and (one.target, one.key) == (secret.target, secret.key)]
        return [one for one in same if one is not secret]

    def _report(self, record: dict[str, Any], secret: Secret, body: dict[str, Any]) -> None:
        due = (datetime.now(UTC) + timedelta(hours=1, seconds=30)).isoformat()
        revocation = begun({"target": secret.target, "reason": body.get("reason")}, None, "")
        revocation |= {"state": "Scheduled", "allowedOn": due}
        self._begin(revocation, self.revocation_ends, self.revocation_looks)
        for one in (secret, *self._sharing(secret)):
            one.leaked = {"revocation": revocation["id"], "dueOn": due}
            if one is not secret:
                move = begun({"secret": one.id}, one, f"{next(self._versions):032x}")
                self._begin(move | {"revocation": record.get("revocation")}, one.ends)
        record["revocation"] = {"id": revocation["id"], "dueOn": due}
        for move in self.rotations.values():
            if "revocation" in move:
                move["revocation"] = record["revocation"]

    def _refusal(self, body: dict[str, Any], secret: Secret | None) -> Answer | None:
        if "secret" in body and secret is None:
            return problem(404, "secret_not_found", f"there is no secret {body['secret']}")
        if secret and "revokePreviousAfter" in body and (revocation := self._left(secret)):
            return problem(409, "revocation_pending", "the other key was reported before", rotationId=revocation)
        return None

    def _left(self, secret: Secret) -> str | None:
        """
        Return the revocation that has moved a secret to its other key, which is needed until that has ended.
        """
        moves = [one for one in self.rotations.values() if "revocation" in one and one["trigger"] == "Http"]
        if moves:
            self._move()
        last = self.rotations.get(secret.last["id"]) if secret.last else None
        return str(last["revocation"]["id"]) if last in moves and last else None

    def _move(self) -> None:
        """
        Let those move that can, once the list was looked at often enough.
        """
        self.moves_after -= 1
        for move in [one for one in self.rotations.values() if "revocation" in one] if self.moves_after < 0 else []:
            self._end(move)

    async def _list_rotations(self, request: web.Request) -> web.Response:
        query = request.query
        found = [
            record
            for record in reversed(self.rotations.values())
            if query.get("state") in {None, record["state"]} and query.get("target") in {None, record["target"]}
        ]
        start, top = int(query.get("continuation", 0)), min(int(query["top"]), self.page_size)
        more = str(start + top) if start + top < len(found) else None
        return web.json_response({"rotations": found[start : start + top], "continuation": more})

    async def _list_secrets(self, request: web.Request) -> web.Response:
        query = request.query
        self._move()
        if query.get("refresh") == "true":
            self.has_looked = True
            self.secrets = [replace(secret, is_new=False) for secret in self.secrets]
        found = [
            secret
            for secret in self.secrets
            if not secret.is_new
            and query.get("status") in {None, secret.status}
            and query.get("target") in {None, secret.target}
        ]
        start = int(query.get("continuation", 0))
        more = str(start + self.page_size) if start + self.page_size < len(found) else None
        lines = [listed(secret) for secret in found[start : start + self.page_size]]
        as_of = "2026-11-22T03:00:00Z" if self.has_looked else None
        return web.json_response({"secrets": lines, "asOf": as_of, "continuation": more})

    async def _get_secret(self, request: web.Request) -> web.Response:
        secret = self._named(request)
        return web.json_response(detailed(secret)) if secret else _answer(_unknown(request))

    async def _verify_secret(self, request: web.Request) -> web.Response:
        secret = self._named(request)
        if secret is None:
            return _answer(_unknown(request))
        busy = [one for one in self._running() if one["target"].lower() == secret.target.lower()]
        if busy:
            return _answer(problem(409, "busy", "another rotation is running", rotationId=busy[0]["id"]))
        secret.status, secret.verified, secret.is_new = secret.becomes or secret.status, secret.finds, False
        return web.json_response(detailed(secret))

    async def _manage_secret(self, request: web.Request) -> web.Response:
        answer, secret = manage(self._named(request), id_in(request), await request.json(), observes=self.observes)
        if secret and secret not in self.secrets:
            self.secrets.append(secret)
        return _answer(answer)

    async def _change_secret(self, request: web.Request) -> web.Response:
        secret = self._named(request)
        if secret is None:
            return _answer(_unknown(request))
        busy = [one for one in self._running() if one["target"].lower() == secret.target.lower()]
        if busy:
            answer = problem(409, "busy", "another rotation is running", rotationId=busy[0]["id"])
            return _answer(replace(answer, headers={**answer.headers, "Retry-After": "15"}))
        return _answer(change(secret, await request.json(), observes=self.observes))

    def _named(self, request: web.Request) -> Secret | None:
        return self._find(id_in(request))

    async def _health(self, request: web.Request) -> web.Response:
        vaults = "ok" if self.is_healthy else "no_answer"
        status = "Healthy" if self.is_healthy else "Unhealthy"
        mode = {"mode": "observing"} if self.observes else {}
        body = {"status": status, "checks": {"ledger": "ok", "vaults": vaults, **mode}}
        return web.json_response(body, status=200 if self.is_healthy else 503)

    def _find(self, secret_id: str | None) -> Secret | None:
        return next((one for one in self.secrets if one.id.lower() == (secret_id or "").lower()), None)

    def _begin(self, record: dict[str, Any], ends: tuple[str, str | None], looks: int | None = None) -> None:
        self.rotations[record["id"]] = record
        self._looks_left[record["id"]] = self.looks if looks is None else looks
        self._ends[record["id"]] = ends
        self.most_at_once = max(self.most_at_once, len(self._running()))

    def _end(self, record: dict[str, Any]) -> None:
        state, why = self._ends[record["id"]]
        if record["state"] == state:
            return
        if state == "Scheduled":
            record["state"], record["keyName"], record["allowedOn"] = state, "Primary", why
            return
        record["state"], record["completedOn"] = state, "2026-11-22T04:17:03.300000Z"
        if state == "Skipped":
            record["skipReason"] = why
            if why == "paused":
                record["target"] = None  # Its tags were not read further.
        if why == "observing":
            record["steps"] = steps_of(record)
        if state == "Failed":
            record["error"] = {"code": why, "message": "this is what happened", "retryable": False}
        secret = record["secret"]
        if state == "Completed" and secret:
            found = self._find(f"{secret['vault']}/secrets/{secret['name']}")
            record["secret"] = secret | {
                "previousVersion": secret["version"],
                "version": f"{next(self._versions):032x}",
                "expiresOn": (datetime.now(UTC) + timedelta(days=90, hours=1)).isoformat(),
            }
            if found and "revocation" in record:
                found.last = {"id": record["id"], "state": state, "completedOn": record["completedOn"]}
            if found:
                found.leaked = None
                record["previousKeyName"], record["keyName"] = found.key, OTHER[found.key]
                found.key = OTHER[found.key]

    def _running(self) -> list[dict[str, Any]]:
        return [one for one in self.rotations.values() if one["state"] in {"Accepted", "Regenerating"}]

    def _waiting(self) -> dict[str, str]:
        return {} if self.wait is None else {"Retry-After": self.wait}


def _unknown(request: web.Request) -> Answer:
    """
    Return the answer about a secret that is not there.
    """
    return problem(404, "secret_not_found", f"there is no secret {request.match_info['name']}")


def _arranged(request: web.Request, answer: Answer) -> web.Response:
    if answer.status is None and request.transport:
        request.transport.abort()
    return _answer(answer)


def _answer(answer: Answer) -> web.Response:
    text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
    return web.Response(status=answer.status or 500, text=text, headers=answer.headers)
