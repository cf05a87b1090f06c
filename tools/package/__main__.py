"""
Make the deployment package, and tell how large it is and how soon it runs: `python -m tools.package`.
"""

import argparse
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.package.archive import unpack
from tools.package.build import build
from tools.package.cold_start import is_for_this_machine, measure
from tools.package.errors import PackageError

_REPOSITORY = Path(__file__).resolve().parents[2]
_ARCHIVE = Path("dist/azure-key-rotator.zip")


def main() -> None:
    """
    Make it from the command line. An earlier one is there until the new one is complete, and has been imported.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=__doc__)
    parser.add_argument("--app", type=Path, default=_REPOSITORY, help="the folder of the app (default: this one)")
    parser.add_argument(
        "--output", type=Path, default=_ARCHIVE, help=f"the zip (default: {_ARCHIVE}), unpacked beside it"
    )
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".package-", dir=options.output.parent) as folder:
        archive = Path(folder) / options.output.name
        try:
            build(options.app, archive)
            figures = f"{_size(archive)}\ncold import: {_cold_import(archive)}\n"
        except PackageError as error:
            sys.exit(f"No package: {error}.")
        unpacked = Path(folder) / "unpacked"
        unpack(archive, unpacked)
        shutil.rmtree(options.output.with_suffix(""), ignore_errors=True)
        unpacked.replace(options.output.with_suffix(""))
        archive.replace(options.output)
    sys.stdout.write(f"{options.output}: {figures}")


def _size(archive: Path) -> str:
    with zipfile.ZipFile(archive) as file:
        sizes = [entry.file_size for entry in file.infolist()]
    return f"{archive.stat().st_size / 1e6:.1f} MB, {sum(sizes) / 1e6:.1f} MB unpacked, {len(sizes):,} files"


def _cold_import(archive: Path) -> str:
    if not is_for_this_machine():
        return "not measured, as the package is for Linux on x86_64"
    with tempfile.TemporaryDirectory(prefix="package-") as folder, zipfile.ZipFile(archive) as file:
        file.extractall(folder)
        start = measure(Path(folder))
    return (
        f"function_app {start.app:.3f} s, azure.functions alone {start.azure_functions:.3f} s,"
        f" ratio {start.app / start.azure_functions:.2f}"
    )


if __name__ == "__main__":
    main()
