"""
The results in docs/performance.md: what stands between two comments is written anew, all else is left alone.
"""

import re
from pathlib import Path

from benchmarks.figure import Section, Table
from benchmarks.report import Results
from localcloud.azurite import REPOSITORY

FILE = REPOSITORY / "docs" / "performance.md"
PICTURE = REPOSITORY / "docs" / "performance.svg"

_PLACE = re.compile(r"(<!-- bench: ([\w-]+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def write(results: Results, file: Path = FILE) -> None:
    """
    Put every section into its place. One that was not measured keeps what it has.
    """
    sections = {section.name: as_markdown(section) for section in results.sections}
    sections["circumstances"] = f"{results.circumstances}.\n"
    file.write_text(filled(file.read_text(encoding="utf-8"), sections), encoding="utf-8")


def filled(document: str, sections: dict[str, str]) -> str:
    """
    Return a document with new sections, each in its place. Raises `LookupError` for a section without a place.
    """
    places = {name for _, name, _ in _PLACE.findall(document)}
    if missing := sections.keys() - places:
        raise LookupError(f"the document has no place for {', '.join(sorted(missing))}: <!-- bench: NAME -->")

    def replace(found: re.Match[str]) -> str:
        return found[1] + sections[found[2]] + found[3] if found[2] in sections else found[0]

    return _PLACE.sub(replace, document)


def as_markdown(section: Section) -> str:
    """
    Return a section as Markdown, without its title.
    """
    content = section.content
    if not isinstance(content, Table):
        return "```\n" + "\n".join(line.rstrip() for line in content) + "\n```\n"
    head = "| " + " | ".join(content.columns) + " |"
    rule = "|" + "---|" * content.words + "---:|" * (len(content.columns) - content.words)
    return "\n".join([head, rule, *("| " + " | ".join(row) + " |" for row in content.rows), ""])
