import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotation.vocabulary.limits import LONGEST_QUOTE
from rotation.vocabulary.quoting import quoted

HIDDEN = "not shown: it may be a key"
SITE = "https://app.azurewebsites.net/api/orders"
ARM_ID = "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg"


@settings(deadline=None)
@given(key=st.binary(min_size=32, max_size=96).map(lambda data: base64.b64encode(data).decode()))
def test_no_key_that_was_pasted_into_the_wrong_place_is_shown(key: str) -> None:
    """
    Of a key alone only the length, of an address with a key what stands before it.
    """
    assert quoted(key) == f"a text of {len(key)} characters ({HIDDEN})"
    assert quoted(f"{SITE}?sig={key}") == repr(f"{SITE}...")
    for text in (f"AccountKey={key}", f"https://renders:{key}@vault.example"):
        assert key not in quoted(text)


@settings(deadline=None)
@given(key=st.from_regex(r"[0-9a-f]{32}|[A-Za-z0-9]{84}", fullmatch=True))
def test_no_key_without_punctuation_is_shown(key: str) -> None:
    """
    As those of Cognitive Services accounts are: shorter than other words that are shown.
    """
    for text in (key, f"key {key}", f"{SITE}?api-key={key}", f"{SITE}/{key}/x"):
        assert key not in quoted(text)


def test_the_version_of_a_secret_is_shown() -> None:
    """
    It looks like a key, and says which one is meant.
    """
    version = f"https://kv.vault.azure.net/secrets/one/{'0123456789abcdef' * 2}"

    assert quoted(version) == repr(version)


@pytest.mark.parametrize(
    "word", ["", "Primary", "2026-03-01", "a b.c", "w" * 31, "word " * 8, SITE, SITE.upper(), ARM_ID]
)
def test_a_word_and_an_address_are_shown_as_they_are(word: str) -> None:
    """
    A typing error is seen in what was typed.
    """
    assert quoted(word) == repr(word)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{SITE}?sig=abc", f"{SITE}..."),
        (f"{SITE}#sig", f"{SITE}..."),
        (f"{ARM_ID}\n", f"{ARM_ID}..."),
        (f"{ARM_ID}/{'a' * LONGEST_QUOTE}", f"{ARM_ID}/{'a' * LONGEST_QUOTE}"[:LONGEST_QUOTE] + "..."),
    ],
)
def test_what_is_left_out_of_an_address_is_marked(text: str, shown: str) -> None:
    """
    It ends where a signature could begin, or where it is too long to be read.
    """
    assert quoted(text) == repr(shown)


@pytest.mark.parametrize(
    "text",
    [
        "word " * 9,
        "w" * 32,
        f"a {'0123456789abcdef' * 2}",
        "schlüssel",
        "a\nb",
        "key=",
        "ftp://example",
        "https://me:w@example",
        f"{SITE}?a=@",
    ],
)
def test_anything_else_is_told_by_its_length(text: str) -> None:
    """
    It may be a key, or what surrounds one.
    """
    assert quoted(text) == f"a text of {len(text)} characters ({HIDDEN})"
