import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.infra.deployment import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

every_workflow = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)


def check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """
    Hold files against a schema that check-jsonschema brings along.
    """
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - as it stands above


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_workflows_are_what_github_reads(schema: str) -> None:
    """
    Every workflow is as GitHub's schema says, and none can hang for hours.
    """
    done = check(schema, *WORKFLOWS)

    assert WORKFLOWS
    assert done.returncode == 0, done.stdout


def test_a_broken_workflow_is_noticed(tmp_path: Path) -> None:
    """
    The check itself refuses what GitHub would.
    """
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "runs_on:"))

    assert check("vendor.github-workflows", broken).returncode == 1


def test_dependabot_is_what_github_reads() -> None:
    """
    Pinned actions stay pinned and become newer.
    """
    file = ROOT / ".github/dependabot.yml"

    assert check("vendor.dependabot", file).returncode == 0
    assert "package-ecosystem: github-actions" in file.read_text()


@every_workflow
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    """
    A tag can be moved; a commit cannot. The version stands beside it for people and for Dependabot.
    """
    uses = re.findall(r"uses: (.*)", workflow.read_text())

    assert uses
    for used in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used


@every_workflow
def test_a_workflow_starts_with_no_permission(workflow: Path) -> None:
    """
    Each job is given what it needs, by name, and no job may write to the repository.
    """
    text = workflow.read_text()

    assert "\npermissions: {}\n" in text
    assert set(re.findall(r"^      ([\w-]+: (?:read|write))", text, re.MULTILINE)) <= {
        "contents: read",
        "id-token: write",
    }


@every_workflow
def test_a_workflow_holds_no_secret(workflow: Path) -> None:
    """
    Signing in goes by OpenID Connect, so that there is nothing to leak; a script gets no text that others choose.
    """
    text = workflow.read_text()

    assert "secrets." not in text
    scripts = re.findall(r"run: (?:[|>]-?\n((?: {10,}.*\n)+)|(.*))", text)
    assert scripts
    assert not [script for script in scripts if "${{" in "".join(script)]


def test_every_supported_python_is_tested() -> None:
    """
    The matrix names the versions that tools/setup.sh supports.
    """
    (supported,) = re.findall(r"^SUPPORTED='(.*)'", (ROOT / "tools/setup.sh").read_text(), re.MULTILINE)
    (matrix,) = re.findall(r"python: \[(.*)\]", (ROOT / ".github/workflows/ci.yml").read_text())

    assert sorted(re.findall(r'"(.*?)"', matrix)) == sorted(supported.split())


@every_workflow
def test_the_commands_of_a_workflow_exist(workflow: Path) -> None:
    """
    A workflow runs the same commands as people do.
    """
    targets = set(re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = set(re.findall(r"\bmake ([\w-]+)", workflow.read_text()))

    assert asked
    assert asked <= targets


def test_azd_ships_the_package_that_was_built() -> None:
    """
    As it is: a build in Azure may take another Python, and azd itself would leave the bytecode at home.
    """
    written = (ROOT / "azure.yaml").read_text()

    assert "\n    dist: dist/azure-key-rotator\n" in written
    assert "\n    remoteBuild: false\n" in written
    assert "\n      prepackage:\n" in written


def test_an_azd_that_deletes_too_much_is_refused() -> None:
    """
    `azd down` of 1.22.4 to 1.24.0 deletes the resource groups of everything that a role was assigned on.
    """
    (least,) = re.findall(r'^  azd: ">= (.*)"$', (ROOT / "azure.yaml").read_text(), re.MULTILINE)

    assert [int(part) for part in least.split(".")] >= [1, 24, 1]
