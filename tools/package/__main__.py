"""
Make the deployment package, and tell how large it is and how soon it runs: `python -m tools.package`.
"""

import argparse
import platform
import sys
import tempfile
import zipfile
from pathlib import Path

from tools.package.build import build
from tools.package.cold_start import measure
from tools.package.errors import PackageError

_REPOSITORY = Path(__file__).resolve().parents[2]
_ARCHIVE = Path("dist/azure-key-rotator.zip")


def main() -> None:
    """
    Make it from the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.package", description=__doc__)
    parser.add_argument("--app", type=Path, default=_REPOSITORY, help="the folder of the app (default: this one)")
    parser.add_argument("--output", type=Path, default=_ARCHIVE, help=f"the zip (default: {_ARCHIVE})")
    options = parser.parse_args()
    try:
        build(options.app, options.output)
    except PackageError as error:
        sys.exit(f"No package: {error}.")
    sys.stdout.write(report(options.output))


def report(archive: Path) -> str:
    """
    Return the figures of a package, a line each.
    """
    with zipfile.ZipFile(archive) as file:
        entries = file.infolist()
        packed, unpacked = archive.stat().st_size, sum(entry.file_size for entry in entries)
        lines = [
            f"{archive}: {packed / 1e6:.1f} MB, {unpacked / 1e6:.1f} MB unpacked, {len(entries):,} files",
            f"cold import: {_cold_import(file)}",
        ]
    return "".join(f"{line}\n" for line in lines)


def _cold_import(file: zipfile.ZipFile) -> str:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "not measured, as the package is for Linux on x86_64"
    with tempfile.TemporaryDirectory(prefix="package-") as folder:
        file.extractall(folder)
        start = measure(Path(folder))
    return (
        f"function_app {start.app:.3f} s, azure.functions alone {start.azure_functions:.3f} s,"
        f" ratio {start.app / start.azure_functions:.2f}"
    )


if __name__ == "__main__":
    main()
