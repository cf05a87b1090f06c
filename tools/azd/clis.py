"""
The command lines that hooks run: the Azure CLI and the Azure Developer CLI.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class HookError(Exception):
    """
    A hook cannot go on; the message says why, and what to do.
    """


class AzureCli:
    """
    Runs `az`.
    """

    def ask(self, *arguments: str) -> Any:
        """
        Return what a command answers, of its JSON; raise HookError, with what it says, if it fails.
        """
        missing = "The Azure CLI (az) is not on PATH: install it, run az login, and run the hook again."
        told = _run("az", *arguments, "--output", "json", "--only-show-errors", named=arguments[:3], missing=missing)
        return json.loads(told or "null")

    def deploy(self, *where: str, template: Path, parameters: Mapping[str, str]) -> Any:
        """
        Deploy a template with `az deployment` and return what is answered; raise HookError if that fails.

        The parameters go by a file, as every shell has rules of its own for what stands between quotes.
        """
        written = {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#",
            "contentVersion": "1.0.0.0",
            "parameters": {name: {"value": value} for name, value in parameters.items()},
        }
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "parameters.json"
            file.write_text(json.dumps(written), encoding="utf-8")
            return self.ask("deployment", *where, "--template-file", str(template), "--parameters", f"@{file}")

    def problem_of(self, *arguments: str) -> str:
        """
        Return why a command fails; nothing if it does not.
        """
        try:
            self.ask(*arguments)
        except HookError as error:
            return str(error)
        return ""


class Azd:
    """
    Runs `azd`.
    """

    def set(self, environment: str, name: str, value: str) -> None:
        """
        Keep a value in an environment; raise HookError if that fails.
        """
        missing = "The Azure Developer CLI (azd) is not on PATH."
        arguments = ("env", "set", name, value, "--environment", environment)
        _run("azd", *arguments, named=("env", "set", name), missing=missing)


def _run(program: str, *arguments: str, named: tuple[str, ...], missing: str) -> str:
    # On Windows az is az.cmd, which is found by its whole path only.
    found = shutil.which(program)
    if found is None:
        raise HookError(missing)
    done = subprocess.run([found, *arguments], check=False, capture_output=True, text=True)  # noqa: S603 - as it is asked
    if done.returncode:
        raise HookError(f"{program} {' '.join(named)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
