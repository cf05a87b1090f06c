"""
The Azure CLI, as hooks use it.
"""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.azd.errors import HookError


class AzureCli:
    """
    Runs `az`.
    """

    def ask(self, *arguments: str) -> Any:
        """
        Return what a command answers, of its JSON; raise HookError, with what it says, if it fails.
        """
        done = self._run(arguments)
        if done.returncode:
            raise HookError(f"az {' '.join(arguments[:3])} failed: {done.stderr.strip() or done.stdout.strip()}")
        return json.loads(done.stdout or "null")

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

    def _run(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        # On Windows it is az.cmd, which is found by its whole path only.
        az = shutil.which("az")
        if az is None:
            raise HookError("The Azure CLI (az) is not on PATH: install it, run az login, and run the hook again.")
        command = [az, *arguments, "--output", "json", "--only-show-errors"]
        return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - as it stands above
