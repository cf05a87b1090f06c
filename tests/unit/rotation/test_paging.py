import base64

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rotation.overview.paging import continuation_of, read_continuation
from rotation.vocabulary.errors import Malformed

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@settings(deadline=None)
@given(place=st.lists(texts, min_size=1, max_size=4))
def test_a_place_comes_back_as_it_was_given(place: list[str]) -> None:
    """
    Whatever stands in it, as a word that needs no quoting in a URL.
    """
    token = continuation_of(*place)

    assert read_continuation(token, len(place)) == place
    assert token.isascii()
    assert all(letter.isalnum() or letter in "-_" for letter in token)


@settings(deadline=None)
@given(token=st.text(max_size=60) | st.binary(max_size=60).map(lambda data: base64.urlsafe_b64encode(data).decode()))
@example("")
@example("a")
@example("W10")
@example("WzFd")
@example("e30")
@example("bnVsbA")
@example("IlwiIg")
@example("WyJcdWQ4MDAiXQ")
@example("WyJhIl0=")
def test_whatever_else_is_refused_or_read(token: str) -> None:
    """
    No text breaks it: it is a place of one word, or it is malformed.
    """
    refusal = None
    try:
        place = read_continuation(token, 1)
    except Malformed as error:
        refusal = error

    assert refusal is not None or [type(word) for word in place] == [str]


def test_a_place_of_another_list_is_refused() -> None:
    """
    It has another number of parts.
    """
    for token, parts in ((continuation_of("a", "b"), 1), (continuation_of("a"), 2), (continuation_of(), 1)):
        with pytest.raises(Malformed):
            read_continuation(token, parts)


@pytest.mark.parametrize("stray", ["!", " ", "+", "=", "\n"])
def test_a_token_that_was_changed_on_its_way_is_refused(stray: str) -> None:
    """
    What does not belong there is not passed over.
    """
    token = continuation_of("place")

    with pytest.raises(Malformed):
        read_continuation(f"{token[:4]}{stray}{token[4:]}", 1)
