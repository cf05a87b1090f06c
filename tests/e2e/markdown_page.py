"""
The commands that a Markdown page shows.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

IN_AZURE = "**In Azure"
"""How the line before a block begins that needs a subscription."""

ALL_IN_AZURE = "**In Azure:** every command of this page needs a subscription."
"""A line at the top of a page whose blocks all need one."""

RUNBOOK = (
    "docs/operations.md",
    "docs/how-to/observe-first.md",
    "docs/how-to/a-secret-that-needs-a-person.md",
    "docs/how-to/pause-a-secret.md",
    "docs/how-to/rotate-a-secret.md",
    "docs/how-to/a-failed-rotation.md",
    "docs/how-to/a-key-has-leaked.md",
    "docs/how-to/upgrade.md",
)
"""The pages whose commands tests/e2e/test_operations.py runs, one after another on one local cloud."""

FIRST_STEPS = ("docs/getting-started.md", "docs/how-to/create-or-manage-a-secret.md")
"""The pages whose commands tests/e2e/test_getting_started.py runs."""

# A fence, or lines that are indented.
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<fenced>(?s:.*?))^```$|(?P<indented>(?:^    .*\n?)+)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """
    Commands that stand together, as they stand.
    """

    text: str
    needs_azure: bool
    language: str = ""
    """What the fence says, nothing where the lines are indented."""

    @property
    def name(self) -> str:
        """
        The first command, without its comment.
        """
        return re.split(r"\s+# ", self.text.partition("\n")[0])[0]


def read(page: str) -> str:
    """
    Return the text of a page, named by its path in the project.
    """
    return (ROOT / page).read_text(encoding="utf-8")


def section(page: str, heading: str) -> str:
    """
    Return what stands in the text of a page under a heading, up to the next one of any level.
    """
    (found,) = re.findall(rf"^#+ {heading}\n(.*?)(?=^#+ |\Z)", page, re.MULTILINE | re.DOTALL)
    return str(found)


def blocks(page: str) -> list[Block]:
    """
    Return the blocks of a page from top to bottom, all but the queries for Application Insights.
    """
    found = []
    everywhere = f"\n{ALL_IN_AZURE}\n" in page.partition("\n## ")[0]
    for block in _BLOCK.finditer(page):
        before = page[: block.start()].rstrip("\n")
        if block["language"] != "kusto":
            text = block["fenced"] or re.sub(r"^    ", "", block["indented"], flags=re.MULTILINE)
            needs_azure = everywhere or before.rpartition("\n")[2].startswith(IN_AZURE)
            found.append(Block(text.rstrip("\n"), needs_azure, block["language"] or ""))
    return found
