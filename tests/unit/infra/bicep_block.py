"""
Bicep that a page shows, as the compiler understands it.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest


def compiled(source: str, folder: Path) -> list[dict[str, Any]]:
    """
    Return the resources of a template. Anything that the compiler or its linter has to say is a failure.

    Without `bicep` on PATH, the test is skipped.
    """
    if shutil.which("bicep") is None:
        pytest.skip("bicep is not on PATH")
    file = folder / "main.bicep"
    file.write_text(source, encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - a file of ours
        ["bicep", "build", "--stdout", str(file)],  # noqa: S607 - from PATH
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    resources = json.loads(done.stdout)["resources"]
    # A template of a later language version names them.
    return list(resources.values() if isinstance(resources, dict) else resources)
