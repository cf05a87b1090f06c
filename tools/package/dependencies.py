"""
The dependencies, as Azure needs them: for its Python and its Linux, whatever this machine is.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.package.errors import PackageError

# What a Flex Consumption app runs on. Wheels for such an old glibc run on every Linux that Azure may move it to.
PLATFORM = "x86_64-manylinux2014"


def install(requirements: Path, folder: Path) -> None:
    """
    Install pinned requirements from wheels; raise PackageError if one is not to be had.

    The wheels are kept in uv's cache, so that the second time costs a second or two. Certificates are held against what
    the system trusts, as pip does, which has made the environment that this runs in.
    """
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--system-certs"]
    command += ["--python", sys.executable, "--python-platform", PLATFORM]
    # requirements.txt is complete: what it does not name is not wanted.
    command += ["--no-deps", "--only-binary", ":all:", "--requirements", str(requirements)]
    # Copied, as what is changed below must not be changed in uv's cache.
    command += ["--link-mode", "copy", "--target", str(folder)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - it stands above
        raise PackageError(f"the dependencies in {requirements.name} could not be installed; uv says above why")
    _remove_commands(folder)


def _remove_commands(folder: Path) -> None:
    """
    Remove the command-line programs: they name the Python of this machine, and the app runs none.
    """
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for record in folder.glob("*.dist-info/RECORD"):
        rows = record.read_bytes().splitlines(keepends=True)
        record.write_bytes(b"".join(row for row in rows if not row.startswith(b"bin/")))
