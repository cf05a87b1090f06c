"""
The commands that a Markdown page shows.
"""

import re
from dataclasses import dataclass

IN_AZURE = "**In Azure"
"""How the line before a block begins that needs a subscription."""

# A fence, or lines that are indented.
_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<fenced>(?s:.*?))^```$|(?P<indented>(?:^    .*\n?)+)", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """
    Commands that stand together, as they stand.
    """

    text: str
    section: str
    """The heading of the second level that they are under."""
    needs_azure: bool
    language: str = ""
    """What the fence says, nothing where the lines are indented."""

    @property
    def name(self) -> str:
        """
        The first command, without its comment.
        """
        return re.split(r"\s+# ", self.text.partition("\n")[0])[0]


def blocks(page: str) -> list[Block]:
    """
    Return the blocks of a page from top to bottom, all but the queries for Application Insights.
    """
    found = []
    for block in _BLOCK.finditer(page):
        before = page[: block.start()].rstrip("\n")
        headings = re.findall(r"^## (.*)$", before, re.MULTILINE)
        if block["language"] != "kusto":
            text = block["fenced"] or re.sub(r"^    ", "", block["indented"], flags=re.MULTILINE)
            needs_azure = before.rpartition("\n")[2].startswith(IN_AZURE)
            section = headings[-1] if headings else ""
            found.append(Block(text.rstrip("\n"), section, needs_azure, block["language"] or ""))
    return found
