import ast
import re
from pathlib import Path

from tests.live.fidelity import PAGE, read_page

ROOT = Path(__file__).parents[2]
CODE = [path for folder in ("adapters", "handlers", "rotation", "localcloud") for path in (ROOT / folder).rglob("*.py")]
MENTION = re.compile(r"assumptions? ((?:\d+(?:, | and )?)+)")


def mentioned(path: Path) -> set[int]:
    """
    Return the numbers that a file mentions.
    """
    return {int(number) for found in MENTION.findall(path.read_text()) for number in re.findall(r"\d+", found)}


def marked() -> dict[str, set[int]]:
    """
    Return the numbers that each test is marked with.
    """
    found: dict[str, set[int]] = {}
    for path in sorted([*(ROOT / "tests/contract").glob("test_*.py"), *(ROOT / "tests/live").glob("test_*.py")]):
        text = path.read_text()
        for number in re.findall(r"^pytestmark = pytest\.mark\.assumption\((\d+)\)$", text, re.MULTILINE):
            found.setdefault(path.name, set()).add(int(number))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(ROOT).as_posix()}::{node.name}"
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.assumption":
                        numbers = {ast.literal_eval(argument) for argument in mark.args}
                        found.setdefault(name, set()).update(numbers)
    return found


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
    And every number of the page is mentioned: by the code that rests on it, or by a test that confirms it.
    """
    known = {one.number for one in read_page()}
    of_code = {number for path in CODE for number in mentioned(path)}
    of_tests = {number for numbers in marked().values() for number in numbers}

    assert of_code <= known
    assert of_tests <= known
    assert len(of_code) > 80


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
    tried = {number for numbers in marked().values() for number in numbers}

    assert {one.number for one in read_page() if one.live.startswith("tried")} == tried


def test_it_is_said_what_happens_if_it_is_wrong() -> None:
    """
    Safe or not, where it comes from, and whether it can be tried.
    """
    for one in read_page():
        assert one.source, one.number
        assert one.consequence.startswith(("safe: ", "not safe: ")), one.number
        assert one.live.startswith(("tried", "could be tried: ", "cannot be tried: ")), one.number


def test_the_unsafe_ones_are_listed_at_the_top() -> None:
    """
    What an operator has to know stands where it is read.
    """
    introduction = PAGE.read_text().partition("\n## ")[0]
    unsafe = {one.number for one in read_page() if one.consequence.startswith("not safe: ")}

    assert unsafe <= {int(number) for number in re.findall(r"\b\d+\b", introduction)}
