import time
import uuid
from datetime import UTC, datetime

import pytest

from adapters.service_messages import one_line

GUID = "88888888-8888-4888-8888-888888888888"
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-demo/providers/Microsoft.Batch/batchAccounts/demobatch"


def said(template: str) -> str:
    """
    Return a message with ids and times of its own, as each answer has them.
    """
    now = datetime.now(UTC)
    return template.format(
        id=uuid.uuid4(),
        oid=str(uuid.uuid4()).upper(),
        iso=now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.monotonic_ns() % 10**7:07}Z",
        us=f"{now:%m/%d/%Y} 3:54:{time.monotonic_ns() % 60:02} PM",
        wait=time.monotonic_ns() % 1000,
    )


@pytest.mark.parametrize(
    ("template", "line"),
    [
        (
            "The specified account does not exist.\nRequestId:{id}\nTime:{iso}",
            "The specified account does not exist.",
        ),
        (
            (
                "Caller is not authorized to perform action on resource.\r\n"
                "If role assignments, deny assignments or role definitions were changed recently, please observe "
                "propagation time.\r\n"
                "Caller: appid={id};oid={oid};iss=https://sts.windows.net/{id}/\r\n"
                "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n"
                "Assignment: (not found)\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: demo-vault\r\n"
            ),
            (
                "Caller is not authorized to perform action on resource. If role assignments, deny assignments or role "
                "definitions were changed recently, please observe propagation time. Caller: appid=...;oid=...;"
                "iss=https://sts.windows.net/.../ Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action' "
                "Assignment: (not found) DecisionReason: 'DeniedWithNoValidRBAC' Vault: demo-vault"
            ),
        ),
        (
            (
                "Client address is not authorized and caller is not a trusted service.\r\nClient address: 192.0.2.10"
                "\r\nCaller: appid={id};oid={oid}"
            ),
            (
                "Client address is not authorized and caller is not a trusted service. Client address: 192.0.2.10 "
                "Caller: appid=...;oid=..."
            ),
        ),
        (
            (
                "The client '{id}' with object id '{oid}' does not have authorization to perform action "
                f"'Microsoft.Batch/batchAccounts/listKeys/action' over scope '{ACCOUNT}' or the scope is invalid."
            ),
            (
                "The client '...' with object id '...' does not have authorization to perform action "
                f"'Microsoft.Batch/batchAccounts/listKeys/action' over scope '{ACCOUNT}' or the scope is invalid."
            ),
        ),
        (
            (
                f"Number of 'read' requests for subscription '{SUBSCRIPTION}' actor '{{id}}' exceeded. "
                "Please try again after '{wait}' seconds."
            ),
            (
                f"Number of 'read' requests for subscription '{SUBSCRIPTION}' actor '...' exceeded. "
                "Please try again after '...' seconds."
            ),
        ),
        (
            "The access token expiry UTC time '{us}' is earlier than current UTC time '{us}'.",
            "The access token expiry UTC time '...' is earlier than current UTC time '...'.",
        ),
        (
            (
                "AADSTS700016: Application with identifier '{id}' was not found.\tTrace ID: {id} Correlation ID: {id} "
                "Timestamp: {iso}"
            ),
            "AADSTS700016: Application with identifier '...' was not found.",
        ),
        (
            "The server is busy. Tracking Id is '{wait}-abc'. Please try again later.",
            "The server is busy. Please try again later.",
        ),
    ],
)
def test_equal_causes_read_alike(template: str, line: str) -> None:
    """
    Without ids of requests, tenants, clients and objects, and with all that a person can use.
    """
    lines = {one_line(said(template.replace(ACCOUNT, "ACCOUNT")).replace("ACCOUNT", ACCOUNT), 1000) for _ in range(3)}

    assert lines == {line}


@pytest.mark.parametrize(
    "odd", ["\r\n", "\n", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", " \v \f "]
)
def test_a_message_is_one_line(odd: str) -> None:
    """
    Whatever would break a line, move the cursor or turn the text around becomes one blank.
    """
    assert one_line(f"{odd}before{odd}{odd}after{odd}", 1000) == "before after"


@pytest.mark.parametrize(
    "useful",
    [
        "The resource 'demo' was not found.",
        "A secret with (name/id) demo/0a1b2c3d4e5f60718293a4b5c6d7e8f9 was not found in this key vault.",
        f"The Resource '{ACCOUNT}' was not found.",
        "The specified request id is malformed.",
        "Time is over: 31 days.",
        "Expected https://vault.azure.net, found: https://vault.azure.net/.",
        "exceeded the limit of '1200' for time interval '01:00:00'",
    ],
)
def test_what_says_something_stays(useful: str) -> None:
    """
    Names, versions, subscriptions, limits and prose are not ids of a request.
    """
    assert one_line(useful, 1000) == useful


@pytest.mark.parametrize(
    "key", ["0a1b2c3d4e5f60718293a4b5c6d7e8f9", "0A1B2C3D" * 4, "aB3" * 28, "k" * 86 + "==", "k" * 86 + "%3D%3d"]
)
@pytest.mark.parametrize("said", ["The key '{}' is wrong.", "{}", "api-key: {}, and more", "(AccountKey={})"])
def test_no_key_of_an_account_is_passed_on(key: str, said: str) -> None:
    """
    No answer of Azure is known to quote one.
    """
    assert one_line(said.format(key), 1000) == said.format("...")


def test_an_id_of_a_request_that_looks_like_a_key_is_left_out_as_such() -> None:
    """
    Equal causes read alike.
    """
    assert one_line(f"It failed. Trace ID: {'0a1b2c3d' * 4}.", 1000) == one_line("It failed.", 1000)


def test_a_message_is_cut_after_its_ids_are_gone() -> None:
    """
    Its bound never leaves a part of an id, and a huge message costs next to nothing.
    """
    assert one_line("x" * 990 + GUID, 1000) == "x" * 990 + "..."
    assert one_line(f"{GUID} " * 1_000_000, 1000) == ("... " * 250)
    assert len(one_line("RequestId:" * 1_000_000, 1000)) <= 1000
    assert len(one_line("0" * 1_000_000, 100)) == 100
