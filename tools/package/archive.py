"""
The zip: the same files give the same bytes. And the folder that it unpacks to, which azd and func ship.
"""

import stat
import zipfile
from pathlib import Path

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a zip can tell
_MADE_ON_UNIX = 3  # Azure uses the modes only then.
_FILE_THAT_ALL_MAY_READ = (stat.S_IFREG | 0o644) << 16


def write_archive(folder: Path, archive: Path) -> None:
    """
    Put all files below a folder into a zip.
    """
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    with zipfile.ZipFile(archive, "w") as file:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EARLIEST)
            entry.create_system = _MADE_ON_UNIX
            entry.external_attr = _FILE_THAT_ALL_MAY_READ
            file.writestr(entry, files[name].read_bytes(), zipfile.ZIP_DEFLATED)


def unpack(archive: Path, folder: Path) -> None:
    """
    Unpack the zip, with a file that has azd and func leave nothing of it at home: without one, azd drops bytecode.
    """
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    (folder / ".funcignore").write_text("# Everything here is deployed.\n")
