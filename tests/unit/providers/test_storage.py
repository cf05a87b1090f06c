import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.storage import STORAGE_ACCOUNT
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from tests.unit.providers.test_kinds import NAMES

TARGET = STORAGE_ACCOUNT.target(NAMES | {"account": "mystorage"})
FRESH = KeyMaterial(base64.b64encode(b"fresh" * 13).decode())

keys = st.binary(min_size=64, max_size=64).map(lambda data: base64.b64encode(data).decode())
others = st.sampled_from(
    [
        "DefaultEndpointsProtocol=https",
        "AccountName=mystorage",
        "accountname = MyStorage",
        "EndpointSuffix=core.windows.net",
        "BlobEndpoint=https://mystorage.blob.core.windows.net/",
        "QueueEndpoint=https://queues.example:444/path?x=1",
        "",
        " ",
    ]
)
names = st.sampled_from(["AccountKey=", "accountkey=", "ACCOUNTKEY = ", "\r\nAccountKey="])


@settings(deadline=None)
@given(key=keys, name=names, before=st.lists(others), after=st.lists(others), end=st.sampled_from(["", ";", "\n"]))
def test_only_the_key_in_a_connection_string_changes(
    key: str, name: str, before: list[str], after: list[str], end: str
) -> None:
    """
    Whatever stands around it, in whichever order and case.
    """

    def written(value: str) -> str:
        return ";".join([*before, name + value, *after]) + end

    exchanged = TARGET.exchanged(KeyMaterial(written(key)), FRESH)

    assert exchanged.reveal() == written(FRESH.reveal())
    assert TARGET.fingerprint(KeyMaterial(written(key))) == KeyMaterial(key).fingerprint
    assert TARGET.exchanged(exchanged, KeyMaterial(key)).reveal() == written(key)


@settings(deadline=None)
@given(key=keys)
def test_a_key_alone_is_replaced(key: str) -> None:
    """
    It is what the resource provider gives.
    """
    assert TARGET.exchanged(KeyMaterial(key), FRESH) == FRESH
    assert TARGET.fingerprint(KeyMaterial(key)) == KeyMaterial(key).fingerprint


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("BlobEndpoint=https://mystorage.blob.core.windows.net;SharedAccessSignature=sv=2022&sig=abc", "must hold"),
        ("sharedaccesssignature=sv=2022&sig=abc", "must hold"),
        ("AccountName=another;AccountKey=abc==", "'another'"),
        (f"AccountKey=abc==;AccountName={'k' * 86}==", "not shown"),
        ('{"a": "AccountName=mystorage;AccountKey=abc=="}', "more or less than a key"),
        ('{"a": "AccountKey=abc==;AccountName=mystorage"}', "more or less than a key"),
        ('"AccountName=mystorage;AccountKey=abc=="', "more or less than a key"),
        ("AccountName=mystorage;AccountKey=abc==,BlobEndpoint=x", "more or less than a key"),
        ("AccountName=mystorage;AccountKey=ab\nc==", "more or less than a key"),
        ("AccountName=mystorage;AccountKey=", "more or less than a key"),
        ("\ufeffAccountKey=abc==;AccountName=mystorage", "more or less than a key"),
        ("AccountName=mystorage;AccountKey%3Dabc%3D%3D", "more or less than a key"),
        ("AccountName=mystorage;AccountKey=abc==;SharedAccessSignature=sig=abc;AccountKey=def==", "2 AccountKeys"),
        ("AccountName=mystorage;AccountKey=abc==;AccountKey=def==", "2 AccountKeys"),
    ],
)
def test_a_connection_string_that_cannot_hold_the_key_is_refused(value: str, word: str) -> None:
    """
    The error says what is wrong, and shows nothing that opens anything.
    """
    with pytest.raises(Misconfigured, match=word) as refused:
        TARGET.exchanged(KeyMaterial(value), FRESH)

    assert not [part for part in ("abc", "def==", "kkk") if part in str(refused.value)]


def test_of_two_keys_the_last_is_the_one_in_use() -> None:
    """
    As Microsoft's client reads it; neither is lost sight of.
    """
    value = KeyMaterial("AccountKey=b25l;AccountName=mystorage;AccountKey=dHdv")

    assert TARGET.fingerprint(value) == KeyMaterial("dHdv").fingerprint
    assert TARGET.may_hold(value, KeyMaterial("b25l"))
    assert TARGET.may_hold(value, KeyMaterial("dHdv"))
    assert not TARGET.may_hold(value, KeyMaterial("dGhyZWU="))
