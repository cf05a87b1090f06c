import re
import tomllib
from pathlib import Path

from rotation.vocabulary.version import VERSION

ROOT = Path(__file__).parents[2]


def test_the_rows_of_the_ledger_name_the_version_of_the_project() -> None:
    """
    The version in the code is the one in pyproject.toml.
    """
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_the_changelog_has_a_section_for_the_version() -> None:
    """
    It is the newest release, with its date; only changes that are not released may stand above it.
    """
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    releases = [heading for heading in headings if heading != "Unreleased"]

    assert re.fullmatch(rf"{re.escape(VERSION)} \(\d{{4}}-\d{{2}}-\d{{2}}\)", releases[0])
