import base64
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.storage import STORAGE_ACCOUNT
from rotation.policy.values import active_key, exchanged
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName
from tests.unit.providers.test_kinds import NAMES
from tests.unit.providers.values import rotated

TARGET = STORAGE_ACCOUNT.target(NAMES | {"account": "mystorage"})
PRIMARY, SECONDARY, OTHER = (f"{letter * 86}==" for letter in "pso")
LIVE = {KeyName.PRIMARY: KeyMaterial(PRIMARY), KeyName.SECONDARY: KeyMaterial(SECONDARY)}

keys = st.binary(min_size=64, max_size=64).map(lambda data: base64.b64encode(data).decode())
others = st.sampled_from(
    [
        "DefaultEndpointsProtocol=https",
        "AccountName=mystorage",
        "accountname = MyStorage",
        "EndpointSuffix=core.windows.net",
        "BlobEndpoint=https://mystorage.blob.core.windows.net/",
        "QueueEndpoint=https://queues.example:444/path?x=1",
        "SharedAccessSignature=sv=2022&sig=abc",
        "",
        " ",
    ]
)
names = st.sampled_from(["AccountKey=", "accountkey=", "ACCOUNTKEY = ", "\r\nAccountKey=", "AccountKey= \t"])


@settings(deadline=None, max_examples=40)
@given(
    one=keys,
    two=keys,
    name=names,
    before=st.lists(others),
    after=st.lists(others),
    end=st.sampled_from(["", ";", "\n"]),
)
def test_only_the_key_in_a_connection_string_changes(
    one: str, two: str, name: str, before: list[str], after: list[str], end: str
) -> None:
    """
    Whatever stands around it, in whichever order and case.
    """

    def written(value: str) -> str:
        return ";".join([*before, name + value, *after]) + end

    assert rotated(TARGET, written(one), one, two) == written(two)
    assert rotated(TARGET, quote(written(one)), one, two).replace("%2F", "/") == quote(written(two))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("BlobEndpoint=https://mystorage.blob.core.windows.net;SharedAccessSignature=sv=2022&sig=abc", "must hold"),
        ("sharedaccesssignature=sv=2022&sig=abc", "must hold"),
        ('{"storage": "SharedAccessSignature=sv=2022&sig=abc"}', "must hold"),
        (f"AccountName=another;AccountKey={OTHER}", "another account"),
        (f"AccountName=another;AccountKey={PRIMARY}", "another account"),
        (f"AccountName%3Danother%3BAccountKey%3D{quote(PRIMARY)}", "another account"),
        (f'["AccountKey={PRIMARY};AccountName=another", "AccountName=mystorage"]', "another account"),
        (f"AccountKey={OTHER};AccountName={'k' * 86}==", "another account"),
        (f"AccountName=https://a:{OTHER};AccountKey={OTHER}", "another account"),
        (f'["a;SharedAccessSignature=abc", "AccountEndpoint=https://c;AccountKey={OTHER}"]', "another service"),
        (f"AccountName=mystorage;AccountKey={OTHER};SharedAccessKeyName=abc", "another service"),
        ("AccountName=mystorage;AccountKey=", "no key there"),
        ("AccountName=mystorage;AccountKey=abc==", "no key there"),
        ("AccountName=mystorage;AccountKey=ab\nc==", "no key there"),
        (f"AccountName=mystorage;AccountKey={PRIMARY};AccountKey={SECONDARY}", "both keys"),
    ],
)
def test_a_value_in_which_no_key_can_be_exchanged_is_refused(value: str, word: str) -> None:
    """
    The error says what is wrong, and shows nothing that opens anything.
    """
    with pytest.raises(Misconfigured, match=word) as refused:
        active_key(TARGET, LIVE, KeyMaterial(value), tagged=None)

    assert not [part for part in ("abc", "ppp", "sss", "ooo", "kkk") if part in str(refused.value)]


@pytest.mark.parametrize(
    "form",
    [
        '["AccountName=another;AccountKey={other}", "AccountKey={key};AccountName=mystorage"]',
        "A='AccountName=another;AccountKey={other}'\nB=AccountName=mystorage;AccountKey={key}\n",
        "AccountName=mystorage;AccountKey={key},AccountName=another;AccountKey={other}",
        "AccountName=mystorage;AccountKey={key};AccountKey={other}",
        "AccountName=mystorage AccountKey={key} {other}",
        "AccountName=mystorage&AccountKey={key}&x={other}",
        "AccountName = MyStorage|AccountKey={key}\t{other}",
        '{{"a": "AccountKey={key};AccountName=mystorage", "c": "AccountEndpoint=https://c;AccountKey={other};"}}',
    ],
)
def test_of_several_keys_ours_is_exchanged(form: str) -> None:
    """
    What belongs to another account is never touched.
    """
    value = form.format(key=PRIMARY, other=OTHER)

    assert active_key(TARGET, LIVE, KeyMaterial(value), tagged=None) is KeyName.PRIMARY
    assert rotated(TARGET, value, PRIMARY, SECONDARY) == form.format(key=SECONDARY, other=OTHER)


def test_healing_leaves_the_key_of_another_account_alone() -> None:
    """
    A dead key is replaced where it stands in a connection string of this account, or in none.
    """
    form = '{{"theirs": "AccountName=another;AccountKey={}", "ours": "AccountName=mystorage;AccountKey={}"}}'
    value = KeyMaterial(form.format(OTHER, f"{'d' * 86}=="))

    assert active_key(TARGET, LIVE, value, tagged=None) is None
    assert exchanged(TARGET, value, None, LIVE[KeyName.PRIMARY]).reveal() == form.format(OTHER, PRIMARY)
