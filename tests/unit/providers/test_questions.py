"""
What is sent to a data plane is signed as Microsoft's clients sign it, and goes nowhere else.
"""

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.data_plane import DataPlane, Reply
from providers import KINDS
from providers.questions import ApiKeyQuestion, Question, SharedKeyQuestion
from rotation.vocabulary.material import KeyMaterial

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = st.binary(min_size=64, max_size=64).map(lambda key: base64.b64encode(key).decode())


class Sent(Exception):
    """
    What a client was about to send.
    """

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        super().__init__()
        self.url = url
        self.headers = headers


class Recorder(RequestsTransport):  # type: ignore[misc]  # exported lazily, so untyped
    """
    Sends nothing.
    """

    def send(self, request: Any, **_: Any) -> Any:
        """
        Raise what was to be sent.
        """
        raise Sent(request.url, {name.lower(): value for name, value in request.headers.items()})


def sent_by(call: Callable[[], object]) -> Sent:
    """
    Return what a client of Microsoft's sends.
    """
    with pytest.raises(Sent) as sent:
        call()
    return sent.value


def list_containers(key: str) -> None:
    """
    Ask as azure-storage-blob does.
    """
    client = BlobServiceClient("https://account1.blob.core.windows.net", _named(key), transport=Recorder())
    next(iter(client.list_containers(results_per_page=1)))


def list_pools(key: str) -> None:
    """
    Ask as azure-batch does.
    """
    client = BatchClient("https://account1.westeurope.batch.azure.com", _named(key), transport=Recorder())
    next(iter(client.list_pools(max_results=1, ocp_date=datetime.now(UTC))))


def _named(key: str) -> AzureNamedKeyCredential:
    return AzureNamedKeyCredential("account1", key)


@pytest.mark.parametrize(
    ("call", "prefix", "date_header"), [(list_containers, "x-ms-", "x-ms-date"), (list_pools, "ocp-", "ocp-date")]
)
@settings(max_examples=10, deadline=None)
@given(key=KEYS)
def test_a_question_is_signed_as_microsofts_client_signs_it(
    call: Callable[[str], None], prefix: str, date_header: str, key: str
) -> None:
    """
    The same request gets the same signature.
    """
    sent = sent_by(lambda: call(key))
    headers = {name: value for name, value in sent.headers.items() if name.startswith(prefix) and name != date_header}
    question = SharedKeyQuestion(sent.url, "account1", date_header, headers)

    signed = question.signed(KeyMaterial(key), parsedate_to_datetime(sent.headers[date_header]))

    assert signed["Authorization"] == sent.headers["authorization"]
    assert signed[date_header] == sent.headers[date_header]


def test_a_key_that_is_not_base64_signs_nothing() -> None:
    """
    The error does not show it.
    """
    question = SharedKeyQuestion("https://account1.batch.azure.com/pools", "account1", "ocp-date")

    with pytest.raises(ValueError, match="base64") as error:
        question.signed(KeyMaterial("no base64!"), NOW)
    assert "no base64!" not in str(error.value)


@pytest.mark.parametrize(
    ("question", "reply", "refused"),
    [
        (SharedKeyQuestion("u", "a", "ocp-date"), Reply(403, "AuthenticationFailed"), True),
        (SharedKeyQuestion("u", "a", "ocp-date"), Reply(401, "AuthenticationFailed"), True),
        (SharedKeyQuestion("u", "a", "ocp-date"), Reply(401, None), False),
        (SharedKeyQuestion("u", "a", "ocp-date"), Reply(403, "AuthorizationFailure"), False),
        (SharedKeyQuestion("u", "a", "ocp-date"), Reply(403, "KeyBasedAuthenticationNotPermitted"), False),
        (SharedKeyQuestion("u", "a", "ocp-date"), Reply(404, "AuthenticationFailed"), False),
        (ApiKeyQuestion("u"), Reply(401, "401"), True),
        (ApiKeyQuestion("u"), Reply(401, None), True),
        (ApiKeyQuestion("u"), Reply(403, "AuthenticationTypeDisabled"), False),
        (ApiKeyQuestion("u"), Reply(429, None), False),
    ],
)
def test_only_a_clear_answer_is_a_refusal(question: Question, reply: Reply, refused: bool) -> None:
    """
    Other answers are about networks, permissions, load, or keys being switched off.
    """
    assert question.is_refusal(reply) is refused


class TestHosts:
    """
    A person who may change an account could name any host in it.
    """

    @pytest.mark.parametrize(
        "url",
        [
            "https://account1.westeurope.batch.azure.com/pools",
            "https://batch.azure.com/pools",
            "https://ACCOUNT1.BATCH.AZURE.COM/pools",
            "https://account1.batch.azure.com:443/pools",
            "https://private.example.org/pools",
            "https://localhost:8443/pools",
        ],
    )
    def test_those_of_the_suffixes_are_asked(self, url: str) -> None:
        """
        In any case, with any port.
        """
        assert DataPlane(None, ["batch.azure.com", "example.org", "localhost"]).obstacle(url) is None

    @pytest.mark.parametrize(
        "url",
        [
            "http://account1.batch.azure.com/pools",
            "https://evilbatch.azure.com/pools",
            "https://account1.batch.azure.com.evil.example/pools",
            "https://account1.batch.azure.com@evil.example/pools",
            "https://evil.example/account1.batch.azure.com/pools",
            "https://evil.localhost/pools",
            "https://evil.example#account1.batch.azure.com",
            "https://evil.example?account1.batch.azure.com",
            "https://evil.example\\@account1.batch.azure.com/pools",
            "https://user@account1.batch.azure.com/pools",
            "https://evil\uff0eexample\u2044.batch.azure.com/pools",
            "https://account1.batch.azure.com./pools",
            "https://account1.batch.azure.com",
            "https:///pools",
            "account1.batch.azure.com/pools",
            "",
        ],
    )
    def test_no_others_are(self, url: str) -> None:
        """
        Nor any without TLS.
        """
        obstacle = DataPlane(None, ["batch.azure.com", "localhost"]).obstacle(url)

        assert obstacle

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.data_plane], ids=lambda kind: kind.provider)
    def test_the_suffixes_of_a_kind_are_hosts_of_azures(self, kind: Any) -> None:
        """
        Each has three words at least: under two there may be everybody.
        """
        for suffixes in kind.data_plane.values():
            assert suffixes
            for suffix in suffixes:
                assert suffix == suffix.lower().strip(".")
                assert suffix.count(".") >= 2
