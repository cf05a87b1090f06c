"""
The Azure Developer CLI, as hooks use it.
"""

import shutil
import subprocess

from tools.azd.errors import HookError


class Azd:
    """
    Runs `azd`.
    """

    def set(self, environment: str, name: str, value: str) -> None:
        """
        Keep a value in an environment; raise HookError if that fails.
        """
        azd = shutil.which("azd")
        if azd is None:
            raise HookError("The Azure Developer CLI (azd) is not on PATH.")
        command = [azd, "env", "set", name, value, "--environment", environment]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - as it stands above
        if done.returncode:
            raise HookError(f"azd env set {name} failed: {done.stderr.strip() or done.stdout.strip()}")
