import re
import subprocess
from functools import cache
from pathlib import Path

from tests.live.fidelity import PAGE, read_page

ROOT = Path(__file__).parents[2]
MENTION = re.compile(r"\b[Aa]ssumptions?\s((?:\d+(?:,\s(?:#\s|//\s)?|\sand\s)?)+)")
MARK = re.compile(r"pytest\.mark\.assumption\(([\d, ]+)\)")


@cache
def written() -> dict[str, str]:
    """
    Return the text of every file of code, infrastructure and tests.
    """
    kinds = ["*.py", "*.bicep", "*.yaml", "*.yml"]
    listed = subprocess.run(["git", "ls-files", *kinds], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603, S607 - as it stands here
    return {name: (ROOT / name).read_text() for name in listed.stdout.splitlines() if (ROOT / name).exists()}


def numbers_in(found: list[str]) -> set[int]:
    """
    Return the numbers in some texts.
    """
    return {int(number) for text in found for number in re.findall(r"\d+", text)}


def marked() -> set[int]:
    """
    Return the numbers that tests are marked with.
    """
    return {number for text in written().values() for number in numbers_in(MARK.findall(text))}


def test_every_entry_of_the_page_is_read() -> None:
    """
    Numbers run from 1 without a gap, and each entry has its four lines.
    """
    numbers = [one.number for one in read_page()]

    assert len(numbers) > 100
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(re.findall(r"^### ", PAGE.read_text(), re.MULTILINE)) == len(numbers)


def test_every_number_that_code_and_tests_mention_is_on_the_page() -> None:
    """
    And every number of the page is mentioned: by what rests on it, or by a test that confirms it.
    """
    mentioned = {number for text in written().values() for number in numbers_in(MENTION.findall(text))}

    assert mentioned | marked() == {one.number for one in read_page()}


def test_every_test_that_the_page_names_is_there() -> None:
    """
    What holds an assumption here can be looked up.
    """
    for one in read_page():
        for test in one.held_by:
            path, _, name = test.partition("::")
            assert re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), test


def test_what_make_live_tries_is_what_the_page_says() -> None:
    """
    `tried` stands at those numbers that a test is marked with, and at no other.
    """
    assert {one.number for one in read_page() if one.live.startswith("tried")} == marked()


def test_it_is_said_what_happens_if_it_is_wrong() -> None:
    """
    Safe or not, where it comes from, and whether it can be tried.
    """
    for one in read_page():
        assert one.source, one.number
        assert one.consequence.startswith(("safe: ", "not safe: ")), one.number
        assert one.live.startswith(("tried", "tried in part: ", "could be tried: ", "cannot be tried: ")), one.number


def test_the_unsafe_ones_are_listed_at_the_top() -> None:
    """
    What an operator has to know stands where it is read.
    """
    introduction = PAGE.read_text().partition("\n## ")[0]
    unsafe = {one.number for one in read_page() if one.consequence.startswith("not safe: ")}

    assert unsafe <= {int(number) for number in re.findall(r"\b\d+\b", introduction)}
