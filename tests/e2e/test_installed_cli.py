import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from localcloud.azure.cloud import RESOURCE_GROUP
from localcloud.cloud import LocalCloud
from tests.e2e.client import Client
from tests.unit.operator_cli.conftest import NOT_SET

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "operator_cli"
_BIN = "Scripts" if os.name == "nt" else "bin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Return an environment in which nothing is installed but the wheel of the command line and what it needs.
    """
    folder = tmp_path_factory.mktemp("installed")
    environment = folder / "environment"
    run_uv("build", "--quiet", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, PROJECT)
    (wheel,) = folder.glob("*.whl")
    run_uv("venv", "--quiet", "--python", sys.executable, environment)
    python = environment / _BIN / "python"
    run_uv("pip", "install", "--quiet", "--python", python, "-c", PROJECT / "requirements.txt", wheel)
    return environment


def run_uv(*arguments: str | Path) -> None:
    """
    Run uv, which trusts the CAs of the machine and not the tests' own.
    """
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    subprocess.run([uv.find_uv_bin(), *arguments], cwd=ROOT, env=environment, check=True)  # noqa: S603 - ours


async def run(environment: Path, *arguments: str, folder: Path, **settings: str) -> tuple[int | None, str, str]:
    """
    Return exit code, standard output and standard error of a command of an environment, run in another folder.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {*NOT_SET, "PYTHONPATH", "VIRTUAL_ENV"}}
    process = await asyncio.create_subprocess_exec(
        environment / _BIN / arguments[0],
        *arguments[1:],
        cwd=folder,
        env=kept | settings,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    return process.returncode, stdout.decode(), stderr.decode()


async def test_the_command_line_works_where_nothing_else_is_installed(
    installed: Path, tmp_path: Path, own_cloud: LocalCloud
) -> None:
    """
    It says what it is, and rotates a key through a running app, of which `doctor` finds no fault.
    """
    code, version, _ = await run(installed, "rotator", "--version", folder=tmp_path)
    assert (code, version.split()[0]) == (0, "rotator")
    code, told, _ = await run(installed, "rotator", "--help", folder=tmp_path)
    assert (code, told.splitlines()[0]) == (0, "Usage: rotator [OPTIONS] COMMAND [ARGS]...")

    client = Client(own_cloud)
    subject = await client.subject("batch")
    await own_cloud.subscribe()
    settings = {
        "KEY_ROTATOR_URL": own_cloud.host.url,
        "KEY_ROTATOR_FUNCTION_KEY": own_cloud.host.function_key,
        "KEY_ROTATOR_APP": own_cloud.site.name,
        "KEY_ROTATOR_RESOURCE_GROUP": RESOURCE_GROUP,
        **own_cloud.azure.operator_environment(),
    }
    code, told, _ = await run(installed, "rotator", "rotate", subject.uri, "--yes", folder=tmp_path, **settings)
    assert code == 0
    assert subject.regenerations() == 1
    code, table, _ = await run(installed, "rotator", "status", "--refresh", folder=tmp_path, **settings)
    assert code == 0
    assert subject.secret in table
    code, findings, summary = await run(installed, "rotator", "doctor", folder=tmp_path, **settings)
    assert (code, summary) == (0, "1 warning\n"), findings
    assert "near-expiry events of kv-local reach the app" in findings


async def test_nothing_of_the_app_comes_with_it(installed: Path, tmp_path: Path) -> None:
    """
    Neither a module of the app nor an SDK that only the app needs.
    """
    for module in ("rotation", "handlers", "adapters", "localcloud", "azure.functions", "azure.mgmt"):
        code, _, error = await run(installed, "python", "-c", f"import {module}", folder=tmp_path)

        assert code == 1, module
        assert "ModuleNotFoundError" in error
