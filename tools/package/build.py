"""
From the repository to the zip.

It rests on assumption 110 of docs/fidelity.md.
"""

import shutil
import tempfile
from pathlib import Path

from tools.package.app_files import find_app_files
from tools.package.archive import write_archive
from tools.package.bytecode import compile_all, require_azures_python
from tools.package.dependencies import install

SITE_PACKAGES = ".python_packages/lib/site-packages"  # Where Azure's worker looks first.


def build(root: Path, archive: Path) -> None:
    """
    Make the package of the app in `root`; raise PackageError if that cannot be done.
    """
    require_azures_python()
    files = find_app_files(root)
    with tempfile.TemporaryDirectory(prefix="package-") as directory:
        folder = Path(directory).resolve()
        for path in files:
            copy = folder / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, copy)
        install(root / "requirements.txt", folder / SITE_PACKAGES)
        compile_all(folder)
        write_archive(folder, archive)
