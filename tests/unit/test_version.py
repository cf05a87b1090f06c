import tomllib
from pathlib import Path

from rotation.vocabulary.version import VERSION

ROOT = Path(__file__).parents[2]


def test_the_rows_of_the_ledger_name_the_version_of_the_project() -> None:
    """
    What the code says of itself is what the project says.
    """
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_the_command_line_has_the_version_of_the_app() -> None:
    """
    Both are made of one commit, and a person who reports a fault names one version.
    """
    command_line = tomllib.loads((ROOT / "operator_cli" / "pyproject.toml").read_text())

    assert command_line["project"]["version"] == VERSION
