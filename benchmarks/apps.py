"""
What takes part in a measurement.
"""

import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from localcloud.azurite import REPOSITORY
from localcloud.kinds import named

MEASURED = {"Batch": named("batch"), "workflow": named("workflow")}
"""The kinds of target that have rivals, as they are shown."""

# What runs in the measured process beside the app comes from here, and with it what knows nothing of the app.
_NOT_OF_THE_APP = ("benchmarks", "localcloud", "tests")


class App(NamedTuple):
    """
    An app: its name in the tables and in its module, the folder of its modules, and settings of its own.
    """

    name: str
    module: str = "function_app"
    variable: str = "app"
    folder: Path = REPOSITORY
    settings: Mapping[str, str] = {}


OURS = App("ours")
SAMPLE = App("sample", "benchmarks.rivals", "sample")
TUTORIAL = App("tutorial", "benchmarks.rivals", "tutorial")
BARE = App("limit", "azure.functions")
"""What every app in Python imports, and no app: the limit of a start."""
RIVALS = (SAMPLE, TUTORIAL)


@contextmanager
def checked_out(commit: str, repository: Path = REPOSITORY) -> Iterator[App]:
    """
    Return the app of another commit, in a folder that is gone afterwards. Raises `CalledProcessError` without it.
    """
    paths = (".", *(f":(exclude){name}" for name in _NOT_OF_THE_APP))
    git = ["/usr/bin/env", "git", "-C", str(repository), "archive", "--format=tar", commit, "--", *paths]
    archive = subprocess.run(git, check=True, capture_output=True)  # noqa: S603 - what the command line says
    with TemporaryDirectory(prefix="before-") as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tree:
            tree.extractall(folder, filter="data")
        yield App("before", folder=Path(folder))
