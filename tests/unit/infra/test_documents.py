import re

from tests.unit.infra.templates import INFRA, ROOT, only, template
from tests.unit.infra.test_least_privilege import ASSIGNMENTS

DEPLOY = (ROOT / "docs/deploy.md").read_text()


def test_every_role_is_explained() -> None:
    """
    The table of docs/deploy.md has a row for each role that is assigned, with the template that does.
    """
    rows = [line for line in DEPLOY.splitlines() if line.startswith("|")]
    for (made_in, _, _), roles in ASSIGNMENTS.items():
        for role in roles - {"roleName"}:
            assert any(role in row and f"`{made_in}`" in row for row in rows), (role, made_in)
        if roles == {"roleName"}:
            assert f"`{made_in}`" in DEPLOY


def test_every_action_is_explained() -> None:
    """
    The table of docs/deploy.md has a row for each action of the custom role.
    """
    (permissions,) = only("Microsoft.Authorization/roleDefinitions").properties["permissions"]
    rows = {line.split("|")[1].strip() for line in DEPLOY.splitlines() if line.startswith("| `Microsoft.")}

    assert {f"`{action}`" for action in permissions["actions"]} <= rows


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
    outputs = template(INFRA / "main.bicep").outputs
    asked = set(re.findall(r"azd env get-value (\w+)", DEPLOY))

    assert asked
    assert asked <= set(outputs)


def test_links_lead_somewhere() -> None:
    """
    A relative link of the two documents names a file, and a heading where it names one.
    """
    for name in ("deploy.md", "security.md"):
        text = (ROOT / "docs" / name).read_text()
        for target, anchor in re.findall(r"\]\((?!https:)([^)#]*)#?([^)]*)\)", text):
            file = ROOT / "docs" / (target or name)
            assert file.exists(), f"{name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
                assert anchor in slugs, f"{name}: {target}#{anchor}"
