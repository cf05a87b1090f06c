import pytest

from tools.places import filled

PAGE = """# Title

<!-- one: written by `make it` -->
old
<!-- end of one -->
prose
<!-- two: written by `make it` -->
kept
<!-- end of two -->
"""


def test_a_part_is_written_into_its_place() -> None:
    """
    All else is left alone, and a second time changes nothing.
    """
    once = filled(PAGE, {"one": "new\n"})

    assert once == PAGE.replace("old", "new")
    assert filled(once, {"one": "new\n"}) == once


def test_a_part_without_a_place_is_an_error() -> None:
    """
    A figure that nobody will read is not dropped in silence.
    """
    with pytest.raises(LookupError, match="three"):
        filled(PAGE, {"three": "new\n"})
