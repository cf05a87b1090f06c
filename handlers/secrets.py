"""
The HTTP API's part about managed secrets.
"""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import azure.functions as func

from handlers.answers import answered, identity_of_target, query_of
from handlers.calls import answers
from handlers.contract import SecretsQuery
from handlers.reading import read_query, read_secret_path, require_nothing_else
from rotation.overview import secrets as overview
from rotation.overview.on_demand import verify_secret as verify_now
from rotation.overview.one_secret import SecretDetails, show_secret
from rotation.overview.review import review
from rotation.overview.sweep import look
from rotation.vocabulary.errors import OutOfTime, Unavailable
from rotation.vocabulary.limits import LOOK_WITHIN
from rotation.vocabulary.secret import SecretId
from wiring import wired

blueprint = func.Blueprint()

# By whether secrets are compared.
_refreshing: dict[bool, asyncio.Task[None]] = {}


@answers(blueprint, "GET", "secrets")
async def list_secrets(request: func.HttpRequest) -> func.HttpResponse:
    """
    Return a page of the managed secrets and how each stands, from what the last look at the vaults has found.
    """
    query = read_query(query_of(request), SecretsQuery)
    world, lead = wired().world, wired().settings.lead
    wanted = overview.Wanted(target=identity_of_target(query.target), status=query.status)
    if query.continuation is None and (query.refresh or not await overview.has_looked(world)):
        await _refresh(verify=query.refresh)
    page = await overview.list_secrets(
        world, wanted, lead=lead, top=query.top, continuation=query.continuation, sharing=wired().sharing
    )
    return answered(page)


@answers(blueprint, "GET", "secrets/{vault}/{name}")
async def get_secret(request: func.HttpRequest) -> func.HttpResponse:
    """
    Return how one secret stands, with the other secrets of its target and which key each holds.
    """
    secret = _secret_of(request)
    return answered(await _in_time(show_secret(wired().world, secret, lead=wired().settings.lead)))


@answers(blueprint, "POST", "secrets/{vault}/{name}/verify")
async def verify_secret(request: func.HttpRequest) -> func.HttpResponse:
    """
    Read one secret, compare its value with the keys of its target, and return how it stands now.
    """
    secret = _secret_of(request)
    return answered(await _in_time(verify_now(wired().world, secret, lead=wired().settings.lead)))


def _secret_of(request: func.HttpRequest) -> SecretId:
    """
    Return the secret that the path names, of a request that says nothing else.
    """
    require_nothing_else(query_of(request), request.get_body())
    return read_secret_path(request.route_params.get("vault", ""), request.route_params.get("name", ""))


async def _in_time(work: Coroutine[Any, Any, SecretDetails]) -> SecretDetails:
    """
    Return what comes of some work before App Service gives the caller up. Raises `Unavailable`.
    """
    try:
        async with asyncio.timeout(LOOK_WITHIN.total_seconds()):
            return await work
    except (TimeoutError, OutOfTime):
        raise Unavailable(f"it took longer than {LOOK_WITHIN.total_seconds():.0f} seconds; ask again") from None


async def _refresh(*, verify: bool) -> None:
    """
    Look through the vaults now, and compare all secrets with their targets: once for all who ask for it meanwhile.
    """
    # Callers cannot make it more than one of a process, whatever they do; one that goes away stops it for nobody.
    going_on = _refreshing.get(verify)
    if going_on is None or going_on.done():
        going_on = _refreshing[verify] = asyncio.create_task(_look_now(verify=verify))
    await asyncio.shield(going_on)


async def _look_now(*, verify: bool) -> None:
    world, settings = wired().world, wired().settings
    begun, begun_on = world.clock.monotonic(), world.clock.now()
    looks = await look(world, settings.lead, within=LOOK_WITHIN)
    left = LOOK_WITHIN - timedelta(seconds=world.clock.monotonic() - begun)
    before = begun_on if verify and settings.verify_every else None
    await review(world, settings.lead, looks, before=before, within=left)
