import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotation.vocabulary.material import KeyMaterial

SECRET = "s3cr3t-k3y"


class Holder(msgspec.Struct):
    """
    A struct with a key in it.
    """

    key: KeyMaterial


@dataclass
class Record:
    """
    A dataclass with a key in it.
    """

    key: KeyMaterial


def test_only_reveal_gives_the_value() -> None:
    """
    The one call that needs the value gets it unchanged.
    """
    assert KeyMaterial(SECRET).reveal() == SECRET


def test_a_key_in_a_log_line_is_called_hidden() -> None:
    """
    A reader sees why there is nothing to see.
    """
    assert repr(KeyMaterial(SECRET)) == "KeyMaterial(hidden)"


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        pprint.pformat,
        "{}".format,
        "{!r}".format,
        "{!s:>30}".format,
        "{:>30}".format,
        "{:s}".format,
        lambda key: "%s" % key,  # noqa: UP031 - logging formats so
        lambda key: "%r" % key,  # noqa: UP031 - as above
        lambda key: str([key]),
        lambda key: str({"key": key}),
        lambda key: repr(Holder(key)),
        lambda key: repr(Record(key)),
        lambda key: str(ValueError(key)),
        lambda key: "".join(traceback.format_exception(ValueError("bad", key))),
    ],
)
def test_key_material_is_never_shown(show: Callable[[Any], str]) -> None:
    """
    However it is printed, alone or inside of something, its text says that it is hidden.
    """
    shown = show(KeyMaterial(SECRET))

    assert SECRET not in shown
    assert "hidden" in shown


def test_key_material_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    """
    A log line that is given the key by mistake does not hold it.
    """
    with caplog.at_level(logging.INFO):
        logging.getLogger(__name__).info("%s %r %s", KeyMaterial(SECRET), KeyMaterial(SECRET), [KeyMaterial(SECRET)])

    assert caplog.text.count("hidden") == 3
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "write",
    [
        pickle.dumps,
        lambda key: pickle.dumps(key, protocol=0),
        copy.copy,
        copy.deepcopy,
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        msgspec.to_builtins,
        lambda key: msgspec.json.encode(Holder(key)),
        lambda key: asdict(Record(key)),
        lambda key: copy.deepcopy(Holder(key)),
        hash,
        lambda key: {key},
        vars,
    ],
)
def test_key_material_is_never_written_down(write: Callable[[Any], Any]) -> None:
    """
    Pickling, copying, serialising or hashing it is an error, and the error does not hold it.
    """
    with pytest.raises(TypeError) as refusal:
        write(KeyMaterial(SECRET))
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


@given(one=st.text(), other=st.text())
def test_keys_are_equal_if_their_values_are(one: str, other: str) -> None:
    """
    Equality is that of the values, and nothing but key material equals key material.
    """
    assert KeyMaterial(one) == KeyMaterial(one)
    assert (KeyMaterial(one) == KeyMaterial(other)) == (one == other)
    assert KeyMaterial(one) != one
    assert one != KeyMaterial(one)


def test_keys_can_be_compared_whatever_they_hold() -> None:
    """
    A value that JSON can bring and UTF-8 cannot hold compares like any other.
    """
    odd = json.loads('"\\ud800"')

    assert KeyMaterial(odd) == KeyMaterial(odd)
    assert KeyMaterial(odd) != KeyMaterial(SECRET)
