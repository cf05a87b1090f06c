import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.operator_cli.conftest import Command
from tests.unit.operator_cli.small_answers import Answer
from tests.unit.operator_cli.small_app import SmallApp
from tests.unit.operator_cli.small_records import Secret, batch_account

ROOT = Path(__file__).parents[3]
DOCTOR = ROOT / "operator_cli" / "rotator" / "doctor"
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
NOT_LOOKED_AT = "not_looked_at"


async def faults(run: Command) -> tuple[int, dict[str, dict[str, Any]]]:
    """
    Return the exit code, and the findings by code that are not well; each has a remedy.
    """
    code, document = await run.json("doctor")
    found = {one["code"]: one for one in document["findings"] if one["code"] not in {"ok", NOT_LOOKED_AT}}
    assert all(one["remedy"] for one in found.values())
    return code, found


async def test_a_well_app_has_no_fault(app: SmallApp, run: Command) -> None:
    """
    What was not looked at, for want of the app's name in Azure, is said as well.
    """
    app.secrets = [Secret("batch-key", status="Due"), Secret("another", target=batch_account("another"))]

    result = await run("doctor")

    assert result.exit_code == 0
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=2) for line in result.stdout.splitlines()[1:]]
    assert ["ok", "app", "the app is healthy"] in rows
    assert ["ok", "targets", "the app can read 2 targets as a rotation does"] in rows
    assert [row[:2] for row in rows if row[0] != "ok"] == [["unknown", "azure"]]


async def test_it_changes_nothing_and_plans_one_rotation_of_each_target(app: SmallApp, run: Command) -> None:
    """
    A dry run reads what a rotation reads.
    """
    app.secrets = [Secret("batch-key"), Secret("nightly"), Secret("another", target=batch_account("another"))]

    await run("doctor")

    asked = app.asked("POST")
    assert len(asked) == 2
    assert all(one.body["dryRun"] for one in asked)
    assert {one.method for one in app.requests} == {"GET", "POST"}


async def test_an_app_that_cannot_be_reached_is_named(app: SmallApp, run: Command) -> None:
    """
    The exit code is that of an app out of reach.
    """
    await app.stop()

    code, found = await faults(run)

    assert (code, list(found)) == (3, ["unreachable"])


async def test_a_wrong_key_is_named(app: SmallApp, run: Command) -> None:
    """
    Health needs no key: only the list shows it.
    """
    app.admits = 0

    code, found = await faults(run)

    assert (code, list(found)) == (3, ["not_admitted"])
    assert "KEY_ROTATOR_FUNCTION_KEY" in found["not_admitted"]["remedy"]


async def test_a_part_that_is_down_is_named(app: SmallApp, run: Command) -> None:
    """
    With what health says of it.
    """
    app.is_healthy = False

    code, found = await faults(run)

    assert code == 3
    assert found["vaults_unhealthy"]["detail"] == "vaults: no_answer"
    assert "Key Vault Secrets Officer" in found["vaults_unhealthy"]["remedy"]


async def test_a_malformed_setting_is_named(app: SmallApp, run: Command) -> None:
    """
    As the app's health names it.
    """
    said = "ROTATION_VAULTS must be vault URIs with commas between them"
    app.answers += [Answer(503, {"status": "Unhealthy", "checks": {"settings": said}}, {})]

    _, found = await faults(run)

    assert found["settings_unhealthy"]["detail"] == f"settings: {said}"


async def test_a_vault_that_cannot_be_listed_is_named(app: SmallApp, run: Command) -> None:
    """
    With the app's reason; what else it lists is well.
    """
    app.secrets = [Secret("batch-key"), Secret("", vault="https://kv-gone.vault.azure.net", target="", why="403")]

    code, found = await faults(run)

    assert (code, list(found)) == (1, ["vault_not_listed"])
    assert found["vault_not_listed"]["detail"] == "the app cannot list https://kv-gone.vault.azure.net: 403"


async def test_a_rotation_that_would_fail_is_named_with_the_apps_own_remedy(app: SmallApp, run: Command) -> None:
    """
    Rights on the target, scopes, values: whatever a dry run finds.
    """
    app.secrets = [Secret("batch-key", ends=("Failed", "provider_refused"))]

    code, found = await faults(run)

    assert (code, list(found)) == (1, ["provider_refused"])
    assert found["provider_refused"]["detail"] == (
        "kv-prod/batch-key would not be rotated (batchAccounts/mybatch): provider_refused: this is what would happen"
    )
    assert "docs/deploy.md" in found["provider_refused"]["remedy"]


async def test_a_dry_run_that_is_refused_is_named(app: SmallApp, run: Command) -> None:
    """
    A problem in place of a plan.
    """
    app.secrets = [Secret("batch-key")]
    app.refuses_plans = Answer(403, {"code": "forbidden", "detail": "outside ROTATION_ALLOWED_SCOPES"}, {})

    code, found = await faults(run)

    assert (code, list(found)) == (1, ["forbidden"])
    assert "ROTATION_ALLOWED_SCOPES" in found["forbidden"]["detail"]


async def test_what_passes_by_itself_is_no_fault(app: SmallApp, run: Command) -> None:
    """
    A rotation that waits, and a target that is being rotated.
    """
    app.secrets = [Secret("batch-key", ends=("Scheduled", "2099-01-01T00:00:00Z"))]
    assert (await faults(run)) == (0, {})

    app.refuses_plans = Answer(409, {"code": "busy", "detail": "another rotation is running"}, {})
    assert (await faults(run)) == (0, {})


async def test_secrets_that_need_a_person_are_named_by_status(app: SmallApp, run: Command) -> None:
    """
    A few by name, and how to see all; no rotation of them is planned.
    """
    app.secrets = [Secret(f"lost-{n}", status="Drifted", target=batch_account(f"b{n}")) for n in range(7)]

    code, found = await faults(run)

    assert (code, list(found)) == (1, ["Drifted"])
    names = ", ".join(f"kv-prod/lost-{n}" for n in range(5))
    assert found["Drifted"]["detail"] == f"Drifted: {names} and 2 more"
    assert "`rotator status --status Drifted`" in found["Drifted"]["remedy"]
    assert not app.asked("POST")


async def test_a_leaked_key_and_an_observing_app_are_warnings(app: SmallApp, run: Command) -> None:
    """
    Nothing fails by them: the exit code stays 0.
    """
    app.observes = True
    app.secrets = [Secret("batch-key", leaked={"revocation": "5c1f", "dueOn": None})]

    code, found = await faults(run)

    assert (code, set(found)) == (0, {"observing", "leaked_key"})
    assert {one["verdict"] for one in found.values()} == {"warning"}


async def test_an_app_that_manages_nothing_is_told_how_to_begin(run: Command) -> None:
    """
    It is no fault.
    """
    code, found = await faults(run)

    assert (code, list(found)) == (0, ["nothing_managed"])
    assert "`rotator create`" in found["nothing_managed"]["remedy"]


async def test_faults_stand_first(app: SmallApp, run: Command) -> None:
    """
    Then warnings, then what was not looked at, then what is well.
    """
    app.secrets = [Secret("batch-key"), Secret("lost", status="Drifted", leaked={"revocation": "x", "dueOn": None})]

    result = await run("doctor")

    verdicts = [line.split()[0] for line in result.stdout.splitlines()[1:]]
    assert verdicts[:3] == ["fault", "warning", "unknown"]
    assert set(verdicts[3:]) == {"ok"}
    assert result.stderr == "1 fault, 1 warning, 1 thing not looked at\n"


@pytest.mark.parametrize(
    "endpoint", ["http://management.azure.com", "management.azure.com", "https://user@x", "https://x/y"]
)
async def test_a_token_goes_to_azure_resource_manager_alone(app: SmallApp, run: Command, endpoint: str) -> None:
    """
    An address that is not one is refused before anything is asked.
    """
    result = await run("doctor", "--arm-endpoint", endpoint)

    assert result.exit_code == 2
    assert "--arm-endpoint is not the address of Azure Resource Manager" in result.stderr
    assert not app.requests


def test_every_code_is_on_the_page() -> None:
    """
    And no other: scripts rely on them.
    """
    section = PAGE.partition("\n## doctor\n")[2].partition("\n## ")[0]
    rows = {
        area: set(re.findall(r"`(\w+)`", codes))
        for area, codes in re.findall(r"^\| `(\w+)` \| (.*)\|$", section, re.MULTILINE)
    }
    calls = [
        node
        for path in DOCTOR.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"fault", "warning", "unknown"}
    ]
    given = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    # What the app's health, its answers and its list of secrets are named after.
    heard = {f"{part}_unhealthy" for part in ("settings", "ledger", "vaults", "identity", "events", "sweep", "sign_in")}
    heard |= {"unreachable", "not_admitted", "forbidden", "not_shown", "Drifted"}

    assert given
    assert set().union(*rows.values()) == given | heard
    assert len(rows) == 8
