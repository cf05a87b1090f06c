"""
What the app itself says, asked over its API: only it can say what reaches it and what it reaches.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from rotator.api import Api
from rotator.doctor.finding import Area, Finding
from rotator.doctor.needs import type_of
from rotator.errors import CommandError, ExitCode, Refusal
from rotator.records import Health
from rotator.remedies import COMMAND, OBSERVING, remedy_for
from rotator.secret_records import ManagedSecret
from rotator.wording import counted, secret_name, some_of, target_name

_APP, _VAULTS, _TARGETS, _SECRETS = Area("app"), Area("vaults"), Area("targets"), Area("secrets")

_AT_ONCE = 8
_NEEDS_A_PERSON = ("Drifted", "TargetMissing", "Misconfigured", "Overdue", "Expired")
# What is wrong with them is said already.
_NOT_PLANNED = frozenset({"Paused", "Drifted", "Misconfigured", "NearlyManaged", "TargetMissing"})
_PASSES = frozenset({"too_soon", "busy", "revocation_pending"})
_RIGHTS = "docs/deploy.md#every-permission-and-why names every right that the app needs, and on what"
_OF_HEALTH = {
    "settings": "correct that setting of the Function App: docs/configuration.md describes each",
    "ledger": "the app needs its own storage account, and Storage Table Data Contributor on it: docs/deploy.md",
    "vaults": f"give the app Key Vault Secrets Officer on each vault, and a way to it through its firewall; {_RIGHTS}",
    "identity": "give the Function App its identity back, and let AZURE_CLIENT_ID name it",
    "events": "set PYTHON_ISOLATE_WORKER_DEPENDENCIES: docs/configuration.md#not-ours-but-honoured",
    "sign_in": "switch the sign-in of App Service on, or set ROTATION_AUTHENTICATION=key: docs/deploy.md",
    "sweep": "correct ROTATION_SWEEP_SCHEDULE: without it, no sweep finds what no event was about",
}


@dataclass
class Heard:
    """
    What the app has said: findings, the targets of its secrets, and the vaults that it could not list.
    """

    findings: list[Finding] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    not_listed: set[str] = field(default_factory=set)
    is_out_of_reach: bool = False
    """Whether the app cannot be reached, lets nobody in, or cannot work."""


async def listen(api: Api) -> Heard:
    """
    Ask the app how it is, let it look at every secret, and let it plan a rotation of each target.
    """
    heard = Heard()
    try:
        health = await api.health()
    except CommandError as error:
        heard.findings.append(_app_fault(error))
        heard.is_out_of_reach = True
        return heard
    heard.findings += _of_health(health)
    heard.is_out_of_reach = health.status != "Healthy"
    may_operate = True
    try:
        try:
            secrets = (await api.secrets(refresh=True)).secrets
        except Refusal as refusal:
            if refusal.code != "forbidden":
                raise
            # Who may only read can have what the last look has found.
            heard.findings.append(
                _APP.unknown("forbidden", f"the app was not asked to look: {refusal}", refusal.remedy)
            )
            may_operate, secrets = False, (await api.secrets()).secrets
    except CommandError as error:
        heard.findings.append(_app_fault(error))
        heard.is_out_of_reach |= error.exit_code is ExitCode.NOT_REACHED
        return heard
    heard.not_listed = {one.secret.vault.lower().rstrip("/") for one in secrets if one.secret.name is None}
    heard.targets = list({one.target.lower(): one.target for one in secrets if one.target and one.is_managed}.values())
    heard.findings += _of_vaults(secrets)
    heard.findings += _of_secrets(secrets)
    if may_operate:
        heard.findings += await _plans(api, secrets)
    return heard


def _app_fault(error: CommandError) -> Finding:
    return _APP.fault(error.code, str(error), error.remedy)


def _of_health(health: Health) -> list[Finding]:
    findings = []
    for name, said in health.checks.items():
        if said == "ok" or name in {"mode", "secrets"}:
            continue
        remedy = _OF_HEALTH.get(name, "docs/http-api.md#get-health")
        findings.append(_APP.fault(f"{name}_unhealthy", f"{name}: {said}", remedy))
    if not findings:
        findings.append(_APP.ok("the app is healthy"))
    if health.observes:
        findings.append(_APP.warning("observing", "the app only observes: it rotates nothing", OBSERVING))
    return findings


def _of_vaults(secrets: Sequence[ManagedSecret]) -> list[Finding]:
    findings = [
        _VAULTS.fault(
            "vault_not_listed",
            f"the app cannot list {one.secret.vault}: {one.why}",
            f"compare its URI in ROTATION_VAULTS; {_OF_HEALTH['vaults']}",
        )
        for one in secrets
        if one.secret.name is None
    ]
    if listed := {one.secret.vault for one in secrets if one.secret.name is not None}:
        findings.append(_VAULTS.ok(f"the app lists the secrets of {', '.join(sorted(listed))}"))
    if not any(one.is_managed for one in secrets):
        findings.append(
            _VAULTS.warning(
                "nothing_managed",
                "the app manages no secret",
                f"`{COMMAND} manage` and `{COMMAND} create` put secrets under management: docs/getting-started.md",
            )
        )
    return findings


def _of_secrets(secrets: Sequence[ManagedSecret]) -> list[Finding]:
    standing: dict[str, list[str]] = defaultdict(list)
    for one in secrets:
        if one.secret.name is not None and one.status in _NEEDS_A_PERSON:
            standing[one.status].append(secret_name(one.secret))
    findings = [
        _SECRETS.fault(status, f"{status}: {some_of(names)}", f"`{COMMAND} status --status {status}` says why of each")
        for status, names in standing.items()
    ]
    if nearly := [secret_name(one.secret) for one in secrets if one.status == "NearlyManaged"]:
        findings.append(
            _SECRETS.warning(
                "NearlyManaged",
                f"nobody rotates {some_of(nearly)}, whose tags look like the app's",
                f"`{COMMAND} manage` puts a secret under management: docs/how-to/create-or-manage-a-secret.md",
            )
        )
    if leaked := [secret_name(one.secret) for one in secrets if one.leaked_key]:
        findings.append(
            _SECRETS.warning(
                "leaked_key",
                f"a key that was reported as leaked is held by {some_of(leaked)}",
                "docs/how-to/a-key-has-leaked.md",
            )
        )
    return findings


async def _plans(api: Api, secrets: Sequence[ManagedSecret]) -> list[Finding]:
    """
    Return what would stop a rotation, by dry runs: one for each target that was not just seen to be well.
    """
    of_target = {one.target.lower(): one for one in reversed(secrets) if one.target and one.status not in _NOT_PLANNED}
    # The app has just read the keys of what is live: one of each kind is planned all the same.
    sample = {type_of(target): target for target in of_target}
    wanted = [one for target, one in of_target.items() if not one.is_live or sample[type_of(target)] == target]
    at_once = asyncio.Semaphore(_AT_ONCE)

    async def plan(secret: ManagedSecret) -> Finding | None:
        async with at_once:
            try:
                error = (await api.plan({"secret": secret.id})).error
            except CommandError as refusal:
                code, detail, remedy = refusal.code, str(refusal), refusal.remedy
            else:
                if error is None:
                    return None
                code, detail, remedy = error.code, error.message, remedy_for(error.code)
        if code in _PASSES:
            return None
        said = f"{secret_name(secret.secret)} would not be rotated ({target_name(secret.target)}): {code}: {detail}"
        return _TARGETS.fault(code, said, remedy)

    findings = [one for one in await asyncio.gather(*map(plan, wanted)) if one]
    if well := len(of_target) - len(findings):
        findings.append(_TARGETS.ok(f"the app can read {counted(well, 'target')} as a rotation does"))
    return findings
