import re
from pathlib import Path

import pytest

from providers import KINDS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/adding-a-provider.md").read_text(encoding="utf-8")
FILES = re.findall(r"^\| \d+ \| `([^`]+)` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("kind", [kind.package.rpartition(".")[2] for kind in KINDS])
def test_every_kind_is_where_the_walk_through_says(kind: str) -> None:
    """
    The page is checked against each kind that there is, the last one included.
    """
    missing = [file for file in FILES if not is_there(file.format(kind=kind))]

    assert missing == []


def test_a_new_kind_touches_eight_files_at_most() -> None:
    """
    Outside the documents, the requirements and the tests.
    """
    assert len(FILES) <= 8


def test_what_the_page_names_is_there() -> None:
    """
    Modules and tests that it sends people to.
    """
    named = re.findall(r"`((?:providers|rotation|adapters|localcloud|infra|tests|tools)/[\w./-]+)`", PAGE)

    assert len(named) > len(FILES)
    assert [path for path in named if not is_there(path)] == []


def is_there(path: str) -> bool:
    """
    Return whether a file or a folder exists; a small kind of the local cloud is one module.
    """
    return (ROOT / path).exists() or (ROOT / f"{path.rstrip('/')}.py").exists()
