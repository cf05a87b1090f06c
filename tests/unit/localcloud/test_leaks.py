import base64
import json
import secrets
from collections.abc import Callable
from urllib.parse import quote

import pytest

from localcloud.azure.key_history import KeyHistory
from localcloud.leaks import Place, find_leaks

OWNER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/a"
# What makes the encodings differ: both have characters that URLs, JSON or base64url write in another way.
KEY = base64.b64encode(bytes(range(251, 187, -1))).decode()
SIGNATURE = "Zr-41_fvUQpBBs8hUlu9tSTl2PzrSCUywbn7eUW_t-M"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "without its padding": lambda key: key.rstrip("="),
    "in a callback URL": lambda key: f"https://localhost/api/w/triggers/manual/invoke?sp=%2Ftriggers&sv=1.0&sig={key}",
    "URL-encoded": lambda key: quote(key, safe=""),
    "URL-encoded but for slashes": quote,
    "URL-encoded in lower case": lambda key: quote(key, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
    "URL-encoded twice": lambda key: quote(quote(key, safe=""), safe=""),
    "in JSON": lambda key: json.dumps({"value": key}),
    "in JSON with escaped slashes": lambda key: json.dumps({"value": key}).replace("/", r"\/"),
    "in JSON as .NET writes it": lambda key: json.dumps({"value": key}).replace("+", r"\u002B"),
    "in JSON within JSON": lambda key: json.dumps(json.dumps({"value": key}).replace("/", r"\/")),
    "in base64": lambda key: base64.b64encode(key.encode()).decode(),
    "in base64url": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "in base64, as a part": lambda key: base64.b64encode(f'{{"key":"{key}","x":1}}'.encode()).decode(),
    "in base64, as another part": lambda key: base64.b64encode(f'{{"a":"{key}"}}'.encode()).decode(),
    "in base64, as yet another part": lambda key: base64.b64encode(f'{{"ab":"{key}"}}'.encode()).decode(),
    "in base64url, as a part": lambda key: base64.urlsafe_b64encode(f"??{key}~~".encode()).decode(),
}


@pytest.fixture
def history() -> KeyHistory:
    """
    Return a history of a key, dead by now, and a signature.
    """
    history = KeyHistory()
    history.begin(OWNER, "Primary", KEY)
    history.begin(OWNER, "Primary", base64.b64encode(secrets.token_bytes(64)).decode())
    history.begin(f"{OWNER}/triggers/manual", "Secondary", SIGNATURE)
    return history


@pytest.mark.parametrize(("value", "key"), [(KEY, "Primary"), (SIGNATURE, "Secondary")])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("distance", [0, 1, 7, 30, 31, 32])
def test_a_leak_is_found_in_every_form(history: KeyHistory, value: str, key: str, form: str, distance: int) -> None:
    """
    However a program came to write it, whichever character it begins at.
    """
    text = f"{'x' * distance} {FORMS[form](value)} and so on"

    report = find_leaks(history, [Place("innocent", "nothing here"), Place("log", text)])

    assert report.count == 1
    (leak,) = report.leaks
    assert (leak.source, leak.key) == ("log", key)
    assert leak.owner.startswith(OWNER)


def test_no_leak_is_told_with_its_value(history: KeyHistory) -> None:
    """
    A report can be printed.
    """
    report = find_leaks(history, [Place("log", f"{KEY} {SIGNATURE} {quote(KEY)}")])

    assert report.count == 3
    shown = repr(report) + "".join(map(str, report.leaks))
    assert not [part for value in (KEY, SIGNATURE) for part in (value[:12], value[-12:]) if part in shown]


def test_repetitions_are_counted(history: KeyHistory) -> None:
    """
    Also those in other places of the same source.
    """
    report = find_leaks(history, [Place("log", f"{KEY} {KEY}"), Place("log", KEY.encode()), Place("row", KEY)])

    assert {leak.source: leak.count for leak in report.leaks} == {"log": 3, "row": 1}
    assert (report.values, report.places, report.size) == (3, 3, 4 * len(KEY) + 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rotation 0cca73ed-b22b-5161-b890-a99da0511610: stored (key Secondary)",
        base64.b64encode(secrets.token_bytes(10_000)).decode(),
        base64.b64encode(b"another key of the same alphabet and length " * 2).decode(),
        KEY[:40] + "*" + KEY[40:],
        KEY[::-1],
    ],
)
def test_other_text_is_no_leak(history: KeyHistory, text: str) -> None:
    """
    Ids, fingerprints, other random text.
    """
    assert find_leaks(history, [Place("log", text)]).count == 0


def test_nothing_is_found_where_no_key_ever_was() -> None:
    """
    An empty history is no reason to fail.
    """
    assert find_leaks(KeyHistory(), [Place("log", "anything")]).leaks == []


def test_hundreds_of_keys_in_tens_of_megabytes_take_seconds(history: KeyHistory) -> None:
    """
    One key at the very end of a long log, among hundreds, is found: in time, or the test run's patience ends.
    """
    for _ in range(300):
        history.begin(OWNER, "Primary", base64.b64encode(secrets.token_bytes(64)).decode())
    line = b'{"time": "2026-11-22T04:19:40.147Z", "logger": "rotation", "message": "rotation 0cca73ed: stored"}\n'
    log = line * (20_000_000 // len(line)) + SIGNATURE.encode()

    report = find_leaks(history, [Place("log", log)])

    assert [(leak.form, leak.count) for leak in report.leaks] == [("as it is", 1)]
    assert report.values == 303
