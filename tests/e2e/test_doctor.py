"""
`rotator doctor` against a running app: each fault that is planted in the local Azure is named, with what to do.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from typer.testing import CliRunner

from localcloud.azure.certificates import CertificateAuthority
from localcloud.azure.cloud import RESOURCE_GROUP
from localcloud.azure.known_roles import OWNER, READER
from localcloud.azure.request_log import LoggedRequest
from localcloud.cloud import SITE, LocalCloud
from localcloud.kinds import KINDS
from rotator.app import app as command_line
from rotator.errors import ExitCode
from tests.e2e import planted_faults as faults
from tests.unit.operator_cli.conftest import NOT_SET

WEBHOOK = "on_secret_event"
WRITES = ("PUT", "PATCH", "DELETE")

Finding: TypeAlias = dict[str, Any]

# Faults that come together. Health is kept for ten seconds, and may not show that a vault is closed, or still show it.
OF_TARGETS = {"right_missing", "provider_refused", "scope_without_role"}
OF_VAULTS = {"vault_not_listed", "vault_right_missing", "vaults_unhealthy"}
ALSO: dict[faults.Fault, set[str]] = {
    faults.missing_role: OF_TARGETS,
    faults.no_role_on_a_vault: OF_VAULTS,
    faults.access_policies: OF_VAULTS,
}


@pytest.fixture(scope="module")
async def well(ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """
    Yield a cloud in which nothing is wrong: a secret of each kind of target, events on their way, a listener.
    """
    async with LocalCloud(tmp_path_factory.mktemp("doctor"), ca=ca, vault_names=("kv-one", "kv-two")) as cloud:
        for kind in KINDS:
            await cloud.add_secret(kind, f"{kind.name}1", f"{kind.name}-key")
            cloud.vault.expire(f"{kind.name}-key", datetime.now(UTC) + timedelta(days=60))
        for vault in cloud.vaults:
            await vault.subscribe(cloud.host.webhook_url(WEBHOOK), is_function=True)
        yield cloud


@pytest.fixture
def cloud(well: LocalCloud) -> Iterator[LocalCloud]:
    """
    Yield that cloud, and mend afterwards what the test has broken.
    """
    azure, site = well.azure, well.site
    subscriptions = [(vault, list(vault.subscriptions), vault.has_system_topic) for vault in well.vaults]
    assigned = [(one.principal_id, one.role, one.scope) for one in azure.roles.assignments()]
    topic, authentication = dict(vars(azure.topic)), replace(site.authentication)
    yield well
    site.changed_settings.clear()
    site.authentication, site.state = authentication, "Running"
    vars(azure.topic).update(topic)
    for vault, known, has_topic in subscriptions:
        vault.subscriptions[:], vault.has_system_topic, vault.uses_rbac = known, has_topic, True
    for one in azure.roles.assignments():
        azure.roles.remove(one.principal_id, one.role, one.scope)
    for principal, role, scope in assigned:
        azure.roles.assign(principal, role, scope)


async def examine(cloud: LocalCloud, **settings: str | None) -> tuple[int, list[Finding]]:
    """
    Return the exit code and the findings of `rotator doctor --json`, run by the operator.
    """
    environment = NOT_SET | {
        "KEY_ROTATOR_URL": cloud.host.url,
        "KEY_ROTATOR_FUNCTION_KEY": cloud.host.function_key,
        "KEY_ROTATOR_APP": "rotator",
        "KEY_ROTATOR_RESOURCE_GROUP": RESOURCE_GROUP,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        **cloud.azure.operator_environment(),
        **settings,
    }
    runner = CliRunner(env=environment)
    result = await asyncio.to_thread(runner.invoke, command_line, ["doctor", "--json"], catch_exceptions=False)
    assert cloud.host.function_key not in result.output
    return result.exit_code, json.loads(result.stdout)["findings"]


def of(findings: Iterable[Finding], *verdicts: str) -> dict[str, Finding]:
    """
    Return the findings with these verdicts by their codes.
    """
    return {one["code"]: one for one in findings if one["verdict"] in verdicts}


@contextmanager
def request_log(cloud: LocalCloud) -> Iterator[list[LoggedRequest]]:
    """
    Yield a list that has all requests of the context once it is left.
    """
    seen: list[LoggedRequest] = []
    before = len(list(cloud.azure.requests))
    yield seen
    seen += list(cloud.azure.requests)[before:]


async def test_nothing_is_wrong_where_nothing_is_planted(cloud: LocalCloud) -> None:
    """
    Every right, reach and event is found to be well, and nothing was changed to find that out.
    """
    with request_log(cloud) as requests:
        code, findings = await examine(cloud)

    assert not of(findings, "fault", "unknown")
    assert list(of(findings, "warning")) == ["nobody_listens"]
    assert code == ExitCode.DONE
    said = [one["detail"] for one in findings if one["verdict"] == "ok"]
    assert f"the app may read and regenerate the keys of {len(KINDS)} targets" in said
    assert f"the app can read {len(KINDS)} targets as a rotation does" in said
    assert {f"near-expiry events of {vault.name} reach the app" for vault in cloud.vaults} <= set(said)
    assert not [one for one in requests if one.method in WRITES or one.operation in {kind.regenerate for kind in KINDS}]


async def assert_named(cloud: LocalCloud, plant: faults.Fault, code: str, said: str, remedy: str) -> None:
    """
    Plant a fault, and see it named, with what to do, and no other one.
    """
    await plant(cloud)

    status, findings = await examine(cloud)

    assert status != ExitCode.DONE
    assert set(of(findings, "fault")) <= {code} | ALSO.get(plant, set())
    found = [one for one in findings if (one["verdict"], one["code"]) == ("fault", code)]
    assert [one for one in found if said in one["detail"] and remedy in one["remedy"]], found or findings


@pytest.mark.parametrize(
    ("plant", "code", "said", "remedy"),
    [
        (
            faults.missing_role,
            "right_missing",
            "lacks Microsoft.Storage/storageAccounts/read, Microsoft.Storage/storageAccounts/listkeys/action",
            "custom role",
        ),
        (faults.missing_role, "provider_refused", "would not be rotated", "docs/deploy.md"),
        (faults.missing_role, "scope_without_role", f"may regenerate no key in {faults.GROUP}", "custom role"),
        (
            faults.role_of_another_version,
            "right_missing",
            "lacks Microsoft.Batch/batchAccounts/regeneratekeys/action on batchAccounts/batch1",
            "",
        ),
        (faults.no_right_to_publish, "topic_right_missing", "may not publish to rotations", "EventGrid Data Sender"),
        (faults.wrong_topic, "topic_unknown", "evgt-x.westeurope-1.eventgrid.azure.net", "set it to https://localhost"),
        (faults.topic_of_another_schema, "topic_schema", "takes EventGridSchema", "CloudEventSchemaV1_0"),
        (faults.closed_topic, "topic_closed", "neither public network access", ""),
        (faults.no_subscription, "not_subscribed", "no event subscription of evgst-kv-two leads there", "postdeploy"),
        (
            faults.no_system_topic,
            "not_subscribed",
            "of kv-two reaches the app: the vault has no system topic",
            "postdeploy",
        ),
        (
            faults.subscription_without_near_expiry,
            "events_filtered",
            "leaves out Microsoft.KeyVault.SecretNearExpiry",
            "",
        ),
        (faults.broken_subscription, "subscription_broken", "of kv-one is Failed", "delete it"),
        (faults.foreign_vault, "foreign_vault", "events of kv-two reach the app, which drops them", "ROTATION_VAULTS"),
        (faults.unknown_identity, "identity_unknown", "6b7c3b0e-4a2f-4d0e-8f0b-2f4f0d7a9c11", "AZURE_CLIENT_ID"),
        (
            faults.disabled_sweep,
            "function_disabled",
            "sweep_vaults of rotator is disabled",
            "AzureWebJobs.sweep_vaults",
        ),
        (faults.stopped_app, "app_stopped", "rotator is Stopped", "az functionapp start"),
        (faults.sign_in_before_events, "events_behind_sign_in", "with 401", "/runtime/webhooks/EventGrid"),
        (faults.believed_without_sign_in, "sign_in_off", "the app lets nobody in", "ROTATION_AUTHENTICATION=key"),
        (faults.sign_in_for_any_application, "any_application", "every one of the tenant", "allowed applications"),
        (faults.sign_in_without_people, "people_refused", "sign in with a browser", "99999999-9999-4999-8999"),
        (faults.sign_in_with_a_hole, "paths_without_sign_in", "leaves out /api/dashboard/*", "exclude nothing but"),
        (faults.empty_scopes, "scopes_empty", "allows nothing", "ARM ids"),
        (faults.scope_without_rights, "scope_without_role", "rg-added", "take the scope out"),
        (faults.no_right_on_its_storage, "storage_right_missing", "lacks Storage Table Data Contributor", "assign"),
    ],
)
async def test_a_planted_fault_is_named_with_what_to_do(
    cloud: LocalCloud, plant: faults.Fault, code: str, said: str, remedy: str
) -> None:
    """
    By a code that stays the same, and in words; the exit code says that there is one. Nothing else is named with it.
    """
    await assert_named(cloud, plant, code, said, remedy)


async def test_what_the_person_may_not_read_is_said_and_fails_nothing(cloud: LocalCloud) -> None:
    """
    Somebody who sees nothing in Azure, and somebody who may not read settings.
    """
    operator = cloud.azure.operator.principal_id
    cloud.azure.roles.remove(operator, OWNER)
    status, findings = await examine(cloud)
    assert (status, list(of(findings, "unknown"))) == (ExitCode.DONE, ["not_shown"])

    cloud.azure.roles.assign(operator, READER)
    status, findings = await examine(cloud)
    (unknown,) = of(findings, "unknown").values()
    assert status == ExitCode.DONE
    assert unknown["detail"].endswith("/config/appsettings/list: 403 AuthorizationFailed")
    assert "Website Contributor" in unknown["remedy"]


async def test_what_may_be_where_the_person_sees_nothing_is_no_fault(cloud: LocalCloud) -> None:
    """
    Somebody who may read one resource group alone: topics and vaults may well be elsewhere.
    """
    operator = cloud.azure.operator.principal_id
    cloud.azure.roles.remove(operator, OWNER)
    cloud.azure.roles.assign(operator, OWNER, faults.GROUP)

    status, findings = await examine(cloud)

    assert (status, of(findings, "fault")) == (ExitCode.DONE, {})
    assert "Reader on the subscriptions" in of(findings, "unknown")["not_shown"]["remedy"]


async def test_nobody_who_is_not_signed_in_is_left_without_an_answer(cloud: LocalCloud) -> None:
    """
    What the app itself says is there; how to sign in is said as well.
    """
    status, findings = await examine(cloud, IDENTITY_HEADER="wrong")

    assert status == ExitCode.DONE
    assert "az login" in of(findings, "unknown")["not_admitted"]["remedy"]
    assert len(of(findings, "ok")) == 1


async def test_an_app_of_another_name_is_not_found(cloud: LocalCloud) -> None:
    """
    The names are said as they were given.
    """
    _, findings = await examine(cloud, KEY_ROTATOR_APP="another")

    assert "you see no Function App another" in of(findings, "unknown")["app_not_seen"]["detail"]


async def test_a_list_of_many_pages_is_read_whole(cloud: LocalCloud) -> None:
    """
    Azure Resource Manager hands out roles, topics and subscriptions in pages.
    """
    cloud.azure.control_plane.page_size = 1
    try:
        status, findings = await examine(cloud)
    finally:
        cloud.azure.control_plane.page_size = 1000

    assert (status, of(findings, "fault", "unknown")) == (ExitCode.DONE, {})


async def test_the_site_is_the_one_that_is_named(cloud: LocalCloud) -> None:
    """
    What was found out is about it and no other.
    """
    with request_log(cloud) as requests:
        await examine(cloud)

    sites = {one.path.partition("?")[0] for one in requests if "/sites/rotator" in one.path}
    assert sites == {
        SITE,
        *(f"{SITE}/{part}" for part in ("functions", "config/appsettings/list", "config/authsettingsV2")),
    }


@pytest.mark.parametrize(
    ("plant", "code", "said", "remedy"),
    [
        (
            faults.reading_role_on_a_vault,
            "vault_right_missing",
            "in kv-one, the app lacks the right to setSecret, update",
            "Secrets Officer",
        ),
        (faults.no_role_on_a_vault, "vault_not_listed", "cannot list https://localhost", "Key Vault Secrets Officer"),
        (faults.no_role_on_a_vault, "vault_right_missing", "in kv-two, the app lacks the right to readMetadata", ""),
        (faults.access_policies, "vault_right_missing", "kv-two uses access policies", "Azure RBAC"),
    ],
)
async def test_a_vault_without_its_rights_is_named_with_what_to_do(
    cloud: LocalCloud, plant: faults.Fault, code: str, said: str, remedy: str
) -> None:
    """
    As above. These come last: the app's health, which is kept for ten seconds, may go on saying so.
    """
    await assert_named(cloud, plant, code, said, remedy)
