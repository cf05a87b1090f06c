import re
import subprocess
import sys
from pathlib import Path

import azure.functions as func
import pytest

import function_app

ROOT = Path(__file__).parents[2]
SLOW = (
    "azure.mgmt",
    "azure.identity",
    "azure.keyvault",
    "azure.data",
    "azure.eventgrid",
    "azure.core",
    "aiohttp",
    "opentelemetry",
)


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """
    Return the modules that a fresh process imports with the function app.
    """
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import function_app"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(re.findall(r"^import time:.*\| +(\S+)$", process.stderr, re.MULTILINE))


@pytest.mark.parametrize("package", SLOW)
def test_a_cold_start_imports_no_sdk(imported: set[str], package: str) -> None:
    """
    An SDK is imported by whoever first needs it, and not with the app.
    """
    assert not {module for module in imported if f"{module}.".startswith(f"{package}.")}


def test_a_cold_start_imports_the_app(imported: set[str]) -> None:
    """
    The list of imports that the other tests look through is the real one.
    """
    assert {"function_app", "azure.functions", "handlers.http", "rotation.rotator", "adapters.wiring"} <= imported


def test_there_is_one_function_app() -> None:
    """
    The Functions host refuses a module with two.
    """
    apps = [name for name, value in vars(function_app).items() if isinstance(value, func.FunctionApp)]

    assert apps == ["app"]
