from collections.abc import Callable
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from providers.workflow import WORKFLOW
from rotation.policy.values import active_key, exchanged, require_exchange
from rotation.vocabulary.endings import Misconfigured
from rotation.vocabulary.limits import LARGEST_VALUE
from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.target import KeyName
from tests.unit.providers.test_kinds import example
from tests.unit.providers.values import around, require_rotatable, rotated

TARGET = example(WORKFLOW)
PARAMETERS = "sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0"
signatures = st.text("ABCXYZabcxyz0189-_", min_size=43, max_size=43)
# As elsewhere in Azure: base64 with all its characters.
odd_signatures = st.text("ABCxyz019+/=", min_size=43, max_size=43)
quick = settings(deadline=None, max_examples=20)
BEFORE = ["", "api-version=2022-05-01", "api-version=2022-05-01&tenant=a,b;c'd", "x=1&x=2", "note=%26sig%3D", "q=(1)"]
AFTER = ["", "&code=abc", "&code=abc#part?sig=no", "#part", "&&a", "&tail=x|y"]
HOSTS = [
    "https://shop.azurewebsites.net:443/api/orders/triggers/manual/invoke",
    "https://shop-staging.azurewebsites.net/api/orders/triggers/manual/invoke",
    "https://orders.contoso.example/v2/api/orders/triggers/manual/invoke/paths/orders/4711",
    "HTTPS://[2001:db8::1]:8443/orders",
    "http://localhost/",
    "https://umlaut.example/\u00e4/\u6f22/{id}",
]


def fresh(signature: str, parameters: str = PARAMETERS) -> str:
    """
    Return what the client of the kind gives for a key.
    """
    host = "https://shop.azurewebsites.net:443/api/orders/triggers/manual/invoke"
    return f"{host}?api-version=2022-05-01&{parameters}&sig={quote(signature, safe='')}"


ESCAPES: dict[str, Callable[[str], str]] = {
    "as it is": lambda url: url,
    "JSON of .NET": lambda url: url.replace("&", r"\u0026"),
    "JSON of Gson": lambda url: url.replace("/", r"\/").replace("&", r"\u0026").replace("=", r"\u003d"),
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
@quick
@given(
    one=signatures | odd_signatures,
    two=signatures | odd_signatures,
    host=st.sampled_from(HOSTS),
    before=st.sampled_from(BEFORE),
    after=st.sampled_from(AFTER),
    text=st.tuples(around, around),
)
def test_only_the_signature_changes(
    escape: Callable[[str], str], one: str, two: str, host: str, before: str, after: str, text: tuple[str, str]
) -> None:
    """
    Host, port, path, further parameters, fragment and the text around stay, whichever case its escapes have.
    """
    assume(one != two)

    def written(signature: str) -> str:
        query = "&".join(part for part in (before, PARAMETERS, "sig=") if part)
        return f'{text[0]} "{escape(f"{host}?{query}")}{signature}{escape(after)}" {text[1]}'

    lower = quote(one, safe="").replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")
    for spelled in (quote(one, safe=""), lower):
        second = rotated(TARGET, written(spelled), fresh(one), fresh(two))

        assert second == written(quote(two, safe=""))
        assert rotated(TARGET, second, fresh(two), fresh(one)) == written(quote(one, safe=""))
        assert [found.credential.reveal() for found in TARGET.candidates(KeyMaterial(second))] == [two]


@pytest.mark.parametrize(
    ("present", "given", "expected"),
    [
        ("sp=a&sig=1&se=2030&api-version=1", "sp=a&sv=1.0&sig=2", "sp=a&sig=2&sv=1.0&api-version=1"),
        ("se=2030&sig=1", "sig=2", "sig=2"),
        ("sig=1&se=2030", "sig=2", "sig=2"),
        ("sig=1", "sp=%2Fa&sv=1.0&se=2031&sig=2", "sig=2&sp=%2Fa&sv=1.0&se=2031"),
        ("x=1&sig=1&y=2", "sp=a&sig=2", "x=1&sig=2&sp=a&y=2"),
        ("sp=/a/run&sv=1.0&sig=1", "sp=%2fa%2Frun&sv=1%2E0&sig=2", "sp=/a/run&sv=1.0&sig=2"),
        ("sp=a&sig=1", "sp=b&sig=2", "sp=b&sig=2"),
        ("sp=&sig=1", "sp=b&sig=2", "sp=b&sig=2"),
        ("sp&sig=1", "sp=b&sig=2", "sp=b&sig=2"),
    ],
)
@pytest.mark.parametrize("ampersand", ["&", r"\u0026"])
def test_what_the_key_signs_goes_with_the_signature(present: str, given: str, expected: str, ampersand: str) -> None:
    """
    What the fresh URL has is set, what it lacks is removed, and what means the same stays as it is written.
    """
    value = f"https://own.example/path?{present}#part".replace("&", ampersand)

    made = rotated(TARGET, value, "https://x.example/?sig=1", f"https://fresh.example/api?{given}")

    separator = ampersand if "&" in present else "&"
    assert made == f"https://own.example/path?{expected}#part".replace("&", separator)


@pytest.mark.parametrize(
    "form",
    [
        "{}\n",
        "\ufeff{}\r\n",
        "'{}'",
        "<{}>",
        "({})",
        "Url={};Other=1",
        "[orders]({}), and more",
        '{{"url": "{}", "x": 1}}',
        "curl -X POST '{}' -d {{}}",
        "url: {} # as of today",
        "`{}`",
        "https://no-signature.example/?x=1 {}",
    ],
)
def test_the_text_around_a_url_stays(form: str) -> None:
    """
    Also where the signature is the last thing in it.
    """
    assert rotated(TARGET, form.format(fresh("1")), fresh("1"), fresh("2")) == form.format(fresh("2"))


LIVE = {KeyName.PRIMARY: KeyMaterial(fresh("live-1")), KeyName.SECONDARY: KeyMaterial(fresh("live-2"))}


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (f"{fresh('live-1')} {fresh('dead')}", "2 URLs"),
        (f"{fresh('live-1')}\n{fresh('live-1')}", "2 URLs"),
        (f'["{fresh("dead")}", "{fresh("gone")}"]', "2 URLs"),
        (f"{fresh('live-1')}&sig=dead", "'sig' more than once"),
        (f"{fresh('live-1')}&sp=1", "'sp' more than once"),
        (f"{fresh('dead')}&se=1&se=2", "'se' more than once"),
        (quote(fresh("live-2"), safe=""), "spelling"),
    ],
)
def test_a_value_in_which_no_signature_can_be_exchanged_is_refused(value: str, word: str) -> None:
    """
    The error says what is wrong, and shows no signature.
    """
    with pytest.raises(Misconfigured, match=word) as refused:
        active_key(TARGET, LIVE, KeyMaterial(value), tagged=None)

    assert not [secret for secret in ("live", "dead", "gone") if secret in str(refused.value)]


@pytest.mark.parametrize("key", KeyName)
@pytest.mark.parametrize("form", ["{} {}", "{}\n{}", '{{"a": "{}", "b": "{}"}}'])
def test_a_value_with_several_urls_protects_the_key_of_each(form: str, key: KeyName) -> None:
    """
    It is not rotated itself, and no other secret's rotation kills a key in it.
    """
    value = KeyMaterial(form.format(*(url.reveal() for url in LIVE.values())))

    assert TARGET.may_hold(value, LIVE[key])


@pytest.mark.parametrize(
    "value",
    [
        "",
        "abc",
        "https://own.example/api/orders",
        "https://own.example/?SIG=a",
        "https://own.example/#sig=a",
        "sig=abc",
    ],
)
def test_a_value_without_a_signed_url_holds_neither_key(value: str) -> None:
    """
    That is drift; healing replaces all of it.
    """
    assert active_key(TARGET, LIVE, KeyMaterial(value), tagged=None) is None
    assert exchanged(TARGET, KeyMaterial(value), None, LIVE[KeyName.PRIMARY]) == LIVE[KeyName.PRIMARY]


def test_healing_keeps_the_shape_of_a_url() -> None:
    """
    Its dead signature is the only candidate.
    """
    value = KeyMaterial("https://own.example/orders?x=1&sig=dead\n")

    healed = exchanged(TARGET, value, None, KeyMaterial(fresh("new"))).reveal()

    url = urlsplit(healed)
    assert (url.hostname, url.path, healed[-1]) == ("own.example", "/orders", "\n")
    assert dict(parse_qsl(url.query.strip())) == {"x": "1", "sig": "new", "sp": "/triggers/manual/run", "sv": "1.0"}


@quick
@given(one=odd_signatures, two=odd_signatures)
def test_what_has_room_for_the_longest_signature_has_room_for_every_one(one: str, two: str) -> None:
    """
    It is asked before a key is regenerated.
    """
    start = fresh(one)
    value = f"{'x' * (LARGEST_VALUE - len(start) - 1)} {start}"

    try:
        keys = dict.fromkeys(KeyName, KeyMaterial(start))
        require_exchange(TARGET, KeyMaterial(value), TARGET.fingerprint(KeyMaterial(start)), keys, KeyName.PRIMARY)
    except Misconfigured:
        return
    assert len(rotated(TARGET, value, start, fresh(two))) <= LARGEST_VALUE


@pytest.mark.parametrize(
    "form",
    [
        "hook='{}'&alt='https://z/?a=1&b=2'",
        "Url={};Next=https://other/?a=1&b=2",
        "{{'a':'{}','b':'https://o/?y=1&z=2'}}",
        "Call {}. Then call https://o/?y=1&z=2.",
        "[{}](https://o/?sp=1&sv=2)",
        "{}|https://o/?sv=2&x",
    ],
)
@pytest.mark.parametrize("order", ["sig={sig}&sp={sp}&sv={sv}", "sp={sp}&sv={sv}&sig={sig}"])
def test_what_follows_a_url_is_never_part_of_it(form: str, order: str) -> None:
    """
    Whichever of its parameters comes last, and though a query follows.
    """

    def written(signature: str, permission: str = "%2Fa", version: str = "1.0") -> str:
        return form.format("https://own.example/v2?" + order.format(sig=signature, sp=permission, sv=version))

    assert rotated(TARGET, written("A"), "https://x/?sig=A", "https://x/?sp=%2Fa&sv=1.0&sig=B") == written("B")
    made = rotated(TARGET, written("A"), "https://x/?sig=A", "https://x/?sp=%2Fb&sv=2.0&sig=B")
    assert made == written("B", "%2Fb", "2.0")


@pytest.mark.parametrize("present", ["sig=", "sig", "sig=&x=1", "x=1&sig"])
def test_healing_fills_in_a_signature_that_is_missing(present: str) -> None:
    """
    What it makes can be rotated again.
    """
    value = KeyMaterial(f'{{"url": "https://own.example/v2?{present}"}}')

    healed = exchanged(TARGET, value, None, LIVE[KeyName.PRIMARY])

    assert active_key(TARGET, LIVE, healed, tagged=None) is KeyName.PRIMARY
    again = rotated(TARGET, healed.reveal(), fresh("live-1"), fresh("live-2"))
    assert again == healed.reveal().replace("live-1", "live-2")


@pytest.mark.parametrize(
    ("present", "left"),
    [
        ("sp=1&sv=2&sig=A", "sig=CCC"),
        ("sp=1&sv=2&se=3&sig=A&x=1", "sig=CCC&x=1"),
        ("sig=A&sv=2&se=3", "sig=CCC"),
        ("se=3&sig=A&sp=1", "sig=CCC"),
    ],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_what_is_removed_takes_its_separator_along(present: str, left: str, *, mixed: bool) -> None:
    """
    Whichever the separators are, nothing else goes.
    """
    query = present.replace("&", r"\u0026", 1) if mixed else present

    made = rotated(TARGET, f"https://own.example/p?{query}", "https://x/?sig=A", "https://x/?sig=CCC")

    assert made == f"https://own.example/p?{left}"


@pytest.mark.parametrize(
    "form",
    [
        r'{{"a": "{{\"url\": \"https://h/?sig={}\\u0026sp=1\"}}"}}',
        "<a href='https://h/?sig={}&amp;sp=1'>",
        "https://h/?sig={}&next=https%3A%2F%2Fh2%2F%3Fsig%3D{other}",
        "https://h/?sig={},https://h2/?sig={other}",
    ],
)
def test_a_url_in_a_text_that_cannot_be_written_again_is_refused(form: str) -> None:
    """
    Escaped twice, as HTML has it, or with a second live one where no URL is expected.
    """
    long = {key: KeyMaterial(fresh(f"{letter * 43}")) for key, letter in zip(KeyName, "AB", strict=True)}
    value = KeyMaterial(form.format("A" * 43, other="B" * 43))

    with pytest.raises(Misconfigured):
        require_rotatable(TARGET, value, long)
