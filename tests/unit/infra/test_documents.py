import json
import re

from handlers.admission import OPERATE, READ
from tests.unit.infra.deployment import INFRA, ROOT, parameter_files
from tests.unit.infra.test_least_privilege import ROTATION, assignments

DEPLOY = (ROOT / "docs/deploy.md").read_text()


def test_every_role_is_explained() -> None:
    """
    The table of docs/deploy.md has a row for each role that is assigned.
    """
    rows = [line for line in DEPLOY.splitlines() if line.startswith("|")]
    roles = {one.role for name in parameter_files() for one in assignments(name)} - {"rotation"}

    assert roles
    for role in roles:
        assert any(row.startswith(f"| {role}") for row in rows), role


def test_every_module_that_assigns_a_role_is_named() -> None:
    """
    The table says where each role is assigned, and names no file that assigns none.
    """
    assigning = {
        f"modules/{path.name}" for path in (INFRA / "modules").glob("*.bicep") if "roleAssignments@" in path.read_text()
    }
    table = DEPLOY.partition("## Every permission, and why")[2].partition("\n## ")[0]

    assert set(re.findall(r"`(modules/[\w-]+\.bicep)`", table)) == assigning


def test_the_actions_of_the_custom_role_are_explained_and_no_other() -> None:
    """
    The table of docs/deploy.md has one row for each action.
    """
    table = DEPLOY.partition("| action of the custom role |")[2].partition("\n\n")[0]

    assert sorted(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == sorted(ROTATION)


def test_every_variable_of_azd_is_explained() -> None:
    """
    What `azd env set` can choose is in docs/deploy.md, with the parameter that it sets, and nothing that cannot.
    """
    given = re.findall(r"\$\{(ROTATION_\w+)", (INFRA / "main.parameters.json").read_text())
    explained = re.findall(r"^\| `(ROTATION_\w+)`", DEPLOY, re.MULTILINE)

    assert sorted(given) == sorted(explained)


def test_every_output_that_is_used_in_a_command_exists() -> None:
    """
    A command of docs/deploy.md that reads a value of azd's environment finds it there.
    """
    outputs = re.findall(r"^output (\w+)", (INFRA / "main.bicep").read_text(), re.MULTILINE)
    asked = set(re.findall(r"azd env get-value (\w+)", DEPLOY))

    assert asked
    assert asked <= set(outputs)


def test_the_app_registration_has_the_roles_that_the_app_looks_for() -> None:
    """
    As docs/deploy.md registers it: for people and machines, by the same names; each id of its own.
    """
    roles = json.loads((INFRA / "app-roles.json").read_text())
    (scope,) = json.loads((INFRA / "app-api.json").read_text())["api"]["oauth2PermissionScopes"]

    assert [role["value"] for role in roles] == [READ, OPERATE]
    assert all(role["isEnabled"] and role["allowedMemberTypes"] == ["User", "Application"] for role in roles)
    assert len({*(role["id"] for role in roles), scope["id"]}) == 3
    section = DEPLOY.partition("## Entra authentication for the HTTP API")[2].partition("\n## ")[0]
    assert {"@infra/app-roles.json", "@infra/app-api.json", scope["id"], READ, OPERATE} <= set(
        re.findall(r"@infra/[\w-]+\.json|Rotations\.\w+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", section)
    )
