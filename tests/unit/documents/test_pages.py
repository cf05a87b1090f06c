import re
import subprocess

import pytest

from tests.e2e.markdown_page import FIRST_STEPS, ROOT, RUNBOOK, blocks, read

FOLDERS = ("", ".github/", "docs/", "docs/how-to/", "docs/adr/", "operator_cli/")
PAGES = sorted(f"{folder}{path.name}" for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))
#: Words that readers trip over, put together here so that a search for them finds none.
HARD = re.compile(rf"\b(who{'ever'}|a{'new'}|he{'ed'})\b|\b(tell|told|tells) {'of'}\b")
LONGEST = 400
#: How a block begins that a person types.
TYPED = re.compile(r"(az|azd|cd|curl|echo|export|func|git|npm|pip|pipx|python|rotator) |\w+=\"?\$\(")


def slugs(text: str) -> set[str]:
    """
    Return what a link may name in a page: its headings as GitHub spells them, and what is marked.
    """
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    named = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
    return named | set(re.findall(r'<a id="([^"]+)"', text))


def links(page: str) -> list[tuple[str, str]]:
    """
    Return the relative links of a page: the path in the project, and the heading or nothing.
    """
    found = re.findall(r"\]\((?![a-z]+:)([^)#\s]*)#?([^)]*)\)", read(page))
    folder = (ROOT / page).parent
    return [
        (str((folder / target).resolve().relative_to(ROOT)) if target else page, anchor) for target, anchor in found
    ]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """
    A relative link names a file, and a heading where it names one.
    """
    for target, anchor in links(page):
        assert (ROOT / target).exists(), target
        if anchor:
            assert anchor in slugs(read(target)), f"{target}#{anchor}"


def test_every_page_is_in_the_list_of_documents() -> None:
    """
    A page of docs/ is found from docs/README.md, a decision from the list of decisions.
    """
    listed = {target for index in ("docs/README.md", "docs/adr/README.md") for target, _ in links(index)}

    assert {page for page in PAGES if page.startswith("docs/")} - listed == {"docs/README.md"}


@pytest.mark.parametrize("page", PAGES)
def test_a_line_is_a_sentence(page: str) -> None:
    """
    No paragraph stands in one line, so that a diff shows a sentence. Tables and code are free.
    """
    prose = re.sub(r"^```(?s:.*?)^```$|^ {4,}.*$|^\s*\|.*$|^<picture>.*$", "", read(page), flags=re.MULTILINE)

    assert [line for line in prose.splitlines() if len(line) > LONGEST] == []


def test_no_file_has_words_that_readers_trip_over() -> None:
    """
    In documents, code, messages and tests alike.
    """
    kinds = (".md", ".py", ".bicep", ".js", ".html", ".json", ".yml", ".yaml", ".http", ".sh", ".toml")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout  # noqa: S607
    mine = [ROOT / name for name in listed.splitlines() if name.endswith(kinds)]

    assert [str(path.relative_to(ROOT)) for path in mine if HARD.search(path.read_text(encoding="utf-8"))] == []


def targets_of_make() -> set[str]:
    """
    Return the commands of the Makefile.
    """
    return set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_a_make_command_exists(page: str) -> None:
    """
    In a sentence as in a block.
    """
    assert set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", read(page), re.MULTILINE)) <= targets_of_make()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_run_by_a_test_or_needs_azure(page: str) -> None:
    """
    The runbook and the first steps are run; what is shown with what it prints is held by tests of the command line.
    """
    if page not in (*RUNBOOK, *FIRST_STEPS):
        assert [block.name for block in blocks(read(page)) if TYPED.match(block.text) and not block.needs_azure] == []
