import tomllib
from pathlib import Path

from rotation.vocabulary.version import VERSION

ROOT = Path(__file__).parents[2]


def test_the_rows_of_the_ledger_name_the_version_of_the_project() -> None:
    """
    What the code says of itself is what the project says.
    """
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
