import pytest

from localcloud.functions_host.event_json import read_events, read_json


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.1234567Z"),
        ("2026-01-02T03:04:05.1200000Z", "2026-01-02T03:04:05.12Z"),
        ("2026-01-02T03:04:05.000Z", "2026-01-02T03:04:05Z"),
        ("2026-01-02T03:04:05.5", "2026-01-02T03:04:05.5"),
        ("2026-01-01T00:30:00.10+01:00", "2025-12-31T23:30:00.1+00:00"),
        ("2026-01-01T00:30:00-09:30", "2026-01-01T10:00:00+00:00"),
        ("2026-13-02T03:04:05Z", "2026-13-02T03:04:05Z"),
        ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"),
        ("at 2026-01-02T03:04:05.10Z", "at 2026-01-02T03:04:05.10Z"),
    ],
)
def test_a_text_that_is_a_time_is_written_again(written: str, read: str) -> None:
    """
    Without trailing zeros and in UTC, wherever it stands; what is no time stays as it is.
    """
    assert read_json(f'{{"a": ["{written}"]}}'.encode()) == {"a": [read]}


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"[]", []),
        (b'{"id": 1}', [{"id": 1}]),
        (b'[{"id": 1}, {"id": 2},]', [{"id": 1}, {"id": 2}]),
        (b'{"a": "1", "a": "2"}', [{"a": "2"}]),
        (b'/* a */ {"a": "// no comment", // one\n "b": "x,]",\t}', [{"a": "// no comment", "b": "x,]"}]),
        (rb'{"a": "\", // still text"}', [{"a": '", // still text'}]),
    ],
)
def test_a_delivery_is_an_array_or_an_object(body: bytes, events: list[object]) -> None:
    """
    Comments and trailing commas are no part of it, unless they stand in a text.
    """
    assert read_events(body) == events


@pytest.mark.parametrize("body", [b"", b"1", b'"a"', b"null", b"{", b"[1 2]", b"\xff"])
def test_anything_else_cannot_be_read(body: bytes) -> None:
    """
    The host throws, and answers 500.
    """
    with pytest.raises(ValueError):  # noqa: PT011 - which one does not matter: the host answers 500
        read_events(body)
