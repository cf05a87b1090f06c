"""
Deployments as Azure Resource Manager evaluates them: snapshots, by the Bicep compiler, of the files in `parameters/`.

Conditions, loops, names and scopes are what they become. What only a deployed resource knows stays an expression, such
as `[reference('...').principalId]`. Evaluating takes seconds, so that results are kept in `.local/bicep`, by what they
are made of.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.compiler import Compiler, RefusedError

ROOT = Path(__file__).parents[3]
INFRA = ROOT / "infra"
ROLES_OF_KINDS = sorted((ROOT / "providers").glob("*/role.json"))  # Read by infra/modules/rotation-permissions.bicep.
PARAMETERS = Path(__file__).parent / "parameters"

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
OTHER_SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
TENANT = "33333333-3333-4333-8333-333333333333"

# What `environment()` is, which a snapshot leaves open: `az cloud show`.
CLOUDS = {
    "AzureCloud": ("management.azure.com", "login.microsoftonline.com", "core.windows.net", ".vault.azure.net"),
    "AzureUSGovernment": (
        "management.usgovcloudapi.net",
        "login.microsoftonline.us",
        "core.usgovcloudapi.net",
        ".vault.usgovcloudapi.net",
    ),
    "AzureChinaCloud": (
        "management.chinacloudapi.cn",
        "login.chinacloudapi.cn",
        "core.chinacloudapi.cn",
        ".vault.azure.cn",
    ),
}


@dataclass(frozen=True)
class Deployment:
    """
    The resources that a deployment makes, as the bodies of their requests, and its outputs.
    """

    resources: list[dict[str, Any]]
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str, name: str = "") -> list[dict[str, Any]]:
        """
        Return the resources of one type, such as `Microsoft.Web/sites`, and of one name where a type has several.
        """
        return [one for one in self.resources if one["type"] == kind and one["name"].endswith(name)]

    def one(self, kind: str, name: str = "") -> dict[str, Any]:
        """
        Return the one resource of its type and name.
        """
        (found,) = self.of(kind, name)
        return found

    def settings(self) -> dict[str, str]:
        """
        Return the settings of the app.
        """
        return dict(self.one("Microsoft.Web/sites/config", "/appsettings")["properties"])


def deployment(name: str, *, cloud: str = "AzureCloud", **parameters: str | dict[str, str]) -> Deployment:
    """
    Return what a parameter file deploys, with some of its parameters exchanged; raise RefusedError if that is refused.

    Without `bicep` on PATH, the test is skipped.
    """
    if shutil.which("bicep") is None:
        pytest.skip("bicep is not on PATH")
    exchanged = {name: _bicep(value) for name, value in parameters.items()}
    return _evaluated(name, cloud, tuple(sorted(exchanged.items())))


def parameter_files() -> list[str]:
    """
    Return the names of the parameter files.
    """
    return sorted(path.stem for path in PARAMETERS.glob("*.bicepparam"))


def _bicep(value: str | dict[str, str]) -> str:
    if isinstance(value, str):
        return f"'{value}'"
    return "\n".join(["{", *(f"  {name}: '{inner}'" for name, inner in value.items()), "}"])


@cache
def _evaluated(name: str, cloud: str, parameters: tuple[tuple[str, str], ...]) -> Deployment:
    text = (PARAMETERS / f"{name}.bicepparam").read_text()
    for parameter, value in parameters:
        text = (
            re.sub(rf"^param {parameter} = (?:\{{\n(?:.*\n)*?\}}|.*)\n", "", text, flags=re.MULTILINE)
            + f"param {parameter} = {value}\n"
        )
    kept = ROOT / ".local" / "bicep" / f"{_fingerprint(text, cloud)}.json"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            result = Path(folder) / "result.json"
            result.write_text(json.dumps(_snapshot(Path(folder), text, cloud)))
            result.replace(kept)
    found = json.loads(kept.read_text())
    if "refused" in found:
        raise RefusedError(found["refused"])
    return Deployment(found["predictedResources"], found["outputs"])


def _fingerprint(text: str, cloud: str) -> str:
    compiler = Path(shutil.which("bicep") or "").stat()
    made_of = hashlib.sha256(f"{text}{cloud}{CLOUDS[cloud]}{compiler.st_size}{compiler.st_mtime_ns}".encode())
    for path in [*sorted(INFRA.rglob("*.*")), *ROLES_OF_KINDS]:
        made_of.update(path.read_bytes())
    return made_of.hexdigest()[:32]


def _snapshot(folder: Path, text: str, cloud: str) -> dict[str, Any]:
    shutil.copytree(INFRA, folder / "infra")
    for path in ROLES_OF_KINDS:
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        shutil.copy(path, copy)
    (folder / "infra" / "cloud.json").write_text(json.dumps(_environment(cloud)))
    for path in folder.rglob("*.bicep"):
        here = os.path.relpath(folder / "infra" / "cloud.json", path.parent)
        path.write_text(path.read_text().replace("environment()", f"loadJsonContent('{here}')"))
    parameters = folder / "it.bicepparam"
    parameters.write_text(text.replace("../../../../infra/", "infra/"))
    try:
        return _compiler().snapshot(parameters)
    except RefusedError as error:
        return {"refused": str(error)}


@cache
def _compiler() -> Compiler:
    return Compiler(subscriptionId=SUBSCRIPTION, tenantId=TENANT, location="westeurope")


def _environment(cloud: str) -> dict[str, Any]:
    manager, login, storage, vault = CLOUDS[cloud]
    return {
        "name": cloud,
        "resourceManager": f"https://{manager}/",
        "authentication": {"loginEndpoint": f"https://{login}/"},
        "suffixes": {"storage": storage, "keyvaultDns": vault},
    }
