"""
Whether the app could rotate a key right now.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from adapters import decoding
from rotation.overview.schedule import Schedule
from rotation.vocabulary.errors import RotationError
from rotation.vocabulary.limits import HEALTH_KEPT_FOR, HEALTH_WITHIN

if TYPE_CHECKING:
    from adapters.credential import Identity
    from adapters.inventory import TableInventory
    from adapters.key_vault import KeyVaults
    from adapters.ledger import TableLedger

_log = logging.getLogger(__name__)


class Health(Struct, frozen=True):
    """
    The state of each thing a rotation needs, in words that mean nothing to a stranger.

    `mode` is there where the app only observes.
    """

    status: str
    checks: dict[str, str]


class HealthCheck:
    """
    Asks each part at most once in some seconds, all at the same time.

    A notice is something that an operator should know of although keys can be rotated: it returns words, or none.
    """

    def __init__(
        self,
        probes: Mapping[str, Callable[[], Awaitable[None]]],
        notices: Mapping[str, Callable[[], Awaitable[str]]] | None = None,
    ) -> None:
        self._probes = probes
        self._notices = notices or {}
        self._asking = asyncio.Lock()
        self._health: Health | None = None
        self._asked_at = 0.0

    async def report(self) -> Health:
        """
        Return the health, from memory if it is fresh.
        """
        async with self._asking:
            if self._health is None or time.monotonic() - self._asked_at > HEALTH_KEPT_FOR:
                answers = await asyncio.gather(*(_ask(name, probe) for name, probe in self._probes.items()))
                noticed = await asyncio.gather(*(_ask(name, notice) for name, notice in self._notices.items()))
                checks = {"settings": "ok"} | dict(zip(self._probes, answers, strict=True))
                status = "Healthy" if set(checks.values()) == {"ok"} else "Unhealthy"
                self._health = Health(status, checks | dict(zip(self._notices, noticed, strict=True)))
                self._asked_at = time.monotonic()
            return self._health


def check_of(  # noqa: PLR0913 - what a rotation needs
    *,
    ledger: "TableLedger",
    inventory: "TableInventory",
    vaults: "KeyVaults",
    identity: "Identity",
    arm_scope: str,
    sweep_schedule: str,
    observes: bool,
    lacks_sign_in: bool,
) -> HealthCheck:
    """
    Return the health check of an app that is made of these parts.
    """

    async def resource_manager() -> None:
        await identity.get_token(arm_scope)

    async def secrets() -> str:
        # Anybody may ask: not which, and not how many.
        looks = [await inventory.vault_facts(vault) for vault in vaults.uris]
        return "needs attention" if any(look.needs_attention for look in looks if look) else ""

    async def sweep() -> str:
        # Keys are rotated all the same: the host leaves only `sweep_vaults` out.
        try:
            Schedule.parse(sweep_schedule)
        except ValueError as error:
            return f"ROTATION_SWEEP_SCHEDULE {error}; it must be an NCRONTAB expression, such as 0 0 3 * * *"
        return ""

    async def mode() -> str:
        return "observing"

    async def sign_in() -> str:
        return "ROTATION_AUTHENTICATION must be key as long as the authentication of App Service is off"

    probes = {
        "ledger": ledger.probe,
        "vaults": vaults.probe,
        "identity": resource_manager,
        "events": decoding.probe,
    }
    notices = {"secrets": secrets, "sweep": sweep} | ({"mode": mode} if observes else {})
    # Nobody can call; events and sweeps go on.
    notices |= {"sign_in": sign_in} if lacks_sign_in else {}
    return HealthCheck(probes, notices)


async def _ask(name: str, probe: Callable[[], Awaitable[str | None]]) -> str:
    try:
        async with asyncio.timeout(HEALTH_WITHIN):
            return await probe() or "ok"
    except TimeoutError:
        _log.warning("health: %s did not answer within %s seconds", name, HEALTH_WITHIN)
        return "no_answer"
    except RotationError as error:
        _log.warning("health: %s: %s", name, error)
        return error.code
    except Exception:  # noqa: BLE001 - whatever it is, the answer is 503
        _log.exception("health: %s", name)
        return "failed"
