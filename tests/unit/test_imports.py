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


def imported_by(statement: str) -> set[str]:
    """
    Return the modules that a fresh process imports with a statement.
    """
    process = subprocess.run(  # noqa: S603 - the statements are the tests' own
        [sys.executable, "-X", "importtime", "-c", statement],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(re.findall(r"^import time:.*\| +(\S+)$", process.stderr, re.MULTILINE))


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """
    Return the modules that a fresh process imports with the function app.
    """
    return imported_by("import function_app")


@pytest.mark.parametrize("package", SLOW)
def test_a_cold_start_imports_no_sdk(imported: set[str], package: str) -> None:
    """
    An SDK is imported where it is first needed, and not with the app.
    """
    assert not {module for module in imported if f"{module}.".startswith(f"{package}.")}


def test_a_cold_start_imports_the_app(imported: set[str]) -> None:
    """
    The list of imports that the other tests look through is the real one.
    """
    assert {
        "function_app",
        "azure.functions",
        "handlers.http",
        "rotation.vocabulary.request",
        "wiring.parts",
    } <= imported


def test_a_cold_start_imports_one_package_more_than_azures_own(imported: set[str]) -> None:
    """
    msgspec, and nothing else of others' that `import azure.functions` does not bring.
    """
    ours = imported - imported_by("import azure.functions")
    roots = {module.partition(".")[0] for module in ours} - set(sys.stdlib_module_names)
    others = {root for root in roots if not (ROOT / root).is_dir() and not (ROOT / f"{root}.py").is_file()}

    assert others - {"typing_extensions"} == {"msgspec"}


def test_there_is_one_function_app() -> None:
    """
    The Functions host refuses a module with two.
    """
    apps = [name for name, value in vars(function_app).items() if isinstance(value, func.FunctionApp)]

    assert apps == ["app"]
