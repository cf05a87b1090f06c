import re
from pathlib import Path

import pytest

from benchmarks import document
from benchmarks.document import as_markdown, filled
from benchmarks.figure import Curve, Point, Section, Table
from benchmarks.plot import draw

PAGE = "# Title\n\n<!-- bench: one -->\nold\n<!-- /bench -->\nprose\n<!-- bench: two -->\nkept\n<!-- /bench -->\n"


def test_a_section_is_written_into_its_place() -> None:
    """
    All else is left alone, and a second time changes nothing.
    """
    once = filled(PAGE, {"one": "new\n"})

    assert once == PAGE.replace("old", "new")
    assert filled(once, {"one": "new\n"}) == once


def test_a_section_without_a_place_is_an_error() -> None:
    """
    A figure that nobody will read is not dropped in silence.
    """
    with pytest.raises(LookupError, match="three"):
        filled(PAGE, {"three": "new\n"})


def test_every_place_of_the_page_is_there_once() -> None:
    """
    docs/performance.md is what the benchmark writes into.
    """
    places = re.findall(r"<!-- bench: ([\w-]+) -->", document.FILE.read_text())

    assert len(places) == len(set(places))
    assert set(places) >= {
        "circumstances",
        "figures",
        "goals",
        "cold",
        "timeline-batch",
        "timeline-workflow",
        "machine",
    }
    assert set(places) >= {"growth", "growth-sweep", "units", "ceilings"}


def test_tables_and_drawings_become_markdown() -> None:
    """
    Numbers stand to the right, and a drawing keeps its blanks.
    """
    table = Section("one", "One", Table(["what", "ms"], [["a", "1"]]))
    drawing = Section("two", "Two", ["  x  ", "y"])

    assert as_markdown(table) == "| what | ms |\n|---|---:|\n| a | 1 |\n"
    assert as_markdown(drawing) == "```\n  x\ny\n```\n"


def test_the_same_figures_make_the_same_picture(tmp_path: Path) -> None:
    """
    A commit shows a new picture only where something was measured anew.
    """
    curves = [
        Curve("rotations", [Point(10, 1.0, 80_000_000), Point(100, 9.0, 90_000_000), Point(1_000, 80.0, None, False)]),
        Curve("reckoned", [Point(10, 2.0, None, False), Point(100, 20.0, None, False)]),
    ]
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]

    for file in files:
        draw(curves, file)

    assert files[0].read_bytes() == files[1].read_bytes()
    assert "rotations" in files[0].read_text()
