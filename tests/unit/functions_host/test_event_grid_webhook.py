from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from localcloud.functions_host.process import FunctionsHost
from tests.unit.functions_host.conftest import Serve

APP = """
@app.event_grid_trigger("event")
async def on_event(event: func.EventGridEvent) -> None:
    if event.id == "bad":
        raise ValueError("a bad event")
    logging.getLogger("app").info("got %s", event.id, extra={
        "kind": type(event).__name__, "subject": event.subject, "data": event.get_json(),
        "type": event.type if isinstance(event, func.CloudEvent) else event.event_type,
    })

@app.event_grid_trigger("event")
@app.queue_output("out", "Not_A_Queue", "AzureWebJobsStorage")
async def on_lost_event(event: func.EventGridEvent, out: func.Out[str]) -> None:
    out.set("a message")

@app.event_grid_trigger("event")
async def on_cloud_event(event: func.CloudEvent) -> None:
    pass
"""

NOTIFICATION = {"aeg-event-type": "Notification"}


def event(event_id: str, **more: Any) -> dict[str, Any]:
    """
    Make an event of Event Grid's schema.
    """
    return {
        "id": event_id,
        "topic": "/subscriptions/s",
        "subject": "a-secret",
        "eventType": "Microsoft.KeyVault.SecretNearExpiry",
        "eventTime": "2026-01-02T03:04:05.1234567Z",
        "data": {"Id": "https://v.vault.azure.net/secrets/a-secret/1"},
        "dataVersion": "1",
        **more,
    }


def got(host: FunctionsHost, event_id: str) -> list[dict[str, Any]]:
    """
    Find what the function logged of an event.
    """
    return [line for line in host.log_lines() if line["message"] == f"got {event_id}"]


@pytest.fixture(scope="module")
async def host(serve: Serve) -> AsyncIterator[FunctionsHost]:
    """
    Yield a host of the app above.
    """
    async with serve(APP) as running:
        yield running


async def test_the_handshake_returns_the_validation_code(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A subscription in Event Grid's schema can be made.
    """
    body = [event("v", eventType="Microsoft.EventGrid.SubscriptionValidationEvent", data={"validationCode": "abc"})]
    headers = {"aeg-event-type": "SubscriptionValidation"}
    async with http.post(host.webhook_url("on_event"), json=body, headers=headers) as response:
        assert (response.status, await response.json()) == (200, {"validationResponse": "abc"})


async def test_the_handshake_of_a_cloud_events_subscription_has_json_within_json(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    """
    A subscription in the CloudEvents schema can be made.
    """
    body = {"specversion": "1.0", "data": '{"validationCode": "abc"}'}
    headers = {"aeg-event-type": "SubscriptionValidation"}
    async with http.post(host.webhook_url("on_event"), json=body, headers=headers) as response:
        assert (response.status, await response.json()) == (200, {"validationResponse": "abc"})


async def test_every_event_of_a_delivery_runs_the_function(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    Each event is decoded by itself, and the delivery accepted.
    """
    body = [event("first"), event("second")]
    async with http.post(host.webhook_url("on_event"), json=body, headers=NOTIFICATION) as response:
        assert response.status == 202
    (record,) = got(host, "first")
    assert (record["kind"], record["type"], record["subject"], record["data"]) == (
        "EventGridEvent",
        "Microsoft.KeyVault.SecretNearExpiry",
        "a-secret",
        {"Id": "https://v.vault.azure.net/secrets/a-secret/1"},
    )
    assert len(got(host, "second")) == 1


async def test_a_delivery_may_be_one_bare_event(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    An object is as good as an array of one.
    """
    async with http.post(host.webhook_url("on_event"), json=event("bare"), headers=NOTIFICATION) as response:
        assert response.status == 202
    assert len(got(host, "bare")) == 1


async def test_one_failing_event_fails_the_delivery_and_stops_no_other(
    host: FunctionsHost, http: aiohttp.ClientSession
) -> None:
    """
    Event Grid will repeat the whole; the other events have run all the same.
    """
    body = [event("before"), event("bad"), event("after")]
    async with http.post(host.webhook_url("on_event"), json=body, headers=NOTIFICATION) as response:
        assert (response.status, await response.text()) == (500, "Exception while executing function: on_event")
    assert len(got(host, "before")) == len(got(host, "after")) == 1


async def test_an_event_whose_output_cannot_be_sent_fails(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    The function has succeeded and its message is nowhere: Event Grid must deliver again.
    """
    async with http.post(host.webhook_url("on_lost_event"), json=[event("lost")], headers=NOTIFICATION) as response:
        assert response.status == 500


@pytest.mark.parametrize("function", ["on_event", "on_cloud_event"])
async def test_a_cloud_event_arrives_as_one_whatever_the_annotation(
    host: FunctionsHost, http: aiohttp.ClientSession, function: str
) -> None:
    """
    A payload with specversion is a func.CloudEvent also where func.EventGridEvent is asked for.
    """
    body = [
        {
            "specversion": "1.0",
            "id": f"cloud-{function}",
            "source": "/subscriptions/s",
            "type": "Microsoft.KeyVault.SecretExpired",
            "subject": "a-secret",
            "time": "2026-01-02T03:04:05Z",
            "data": {"Id": "x"},
        }
    ]
    async with http.post(host.webhook_url(function), json=body, headers=NOTIFICATION) as response:
        assert response.status == 202
    if function == "on_event":
        (record,) = got(host, "cloud-on_event")
        assert (record["kind"], record["type"]) == ("CloudEvent", "Microsoft.KeyVault.SecretExpired")


async def test_an_unsubscription_is_accepted(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    It runs nothing.
    """
    headers = {"aeg-event-type": "Unsubscribe"}
    async with http.post(host.webhook_url("on_event"), json=[event("u")], headers=headers) as response:
        assert response.status == 202
    assert not got(host, "u")


@pytest.mark.parametrize("headers", [{}, {"aeg-event-type": "Other"}])
async def test_any_other_request_is_bad(
    host: FunctionsHost, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    """
    Without a known aeg-event-type there is nothing to do.
    """
    async with http.post(host.webhook_url("on_event"), json=[event("o")], headers=headers) as response:
        assert response.status == 400


async def test_an_unknown_function_is_not_found(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    The name must be that of a function with an Event Grid trigger.
    """
    async with http.post(host.webhook_url("unknown"), json=[event("x")], headers=NOTIFICATION) as response:
        assert response.status == 404


async def test_the_webhook_takes_its_system_key_only(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    A function key does not open it; the header is as good as the query.
    """
    url = host.webhook_url("on_event").partition("&code=")[0]
    for key in ("", "wrong", host.function_key):
        async with http.post(url, params={"code": key}, json=[event("locked")], headers=NOTIFICATION) as response:
            assert response.status == 401
    headers = {**NOTIFICATION, "x-functions-key": host.keys.eventgrid}
    async with http.post(url, json=[event("opened")], headers=headers) as response:
        assert response.status == 202
    assert not got(host, "locked")


@pytest.mark.parametrize("headers", [{"WebHook-Request-Origin": "eventgrid.azure.net"}, {}])
async def test_a_sender_of_cloud_events_is_allowed(
    host: FunctionsHost, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    """
    The handshake that the CloudEvents specification describes is answered, whatever it asks.
    """
    async with http.options(host.webhook_url("on_event"), headers=headers) as response:
        assert response.status == 200
        assert response.headers["Webhook-Allowed-Origin"] == "eventgrid.azure.net"


async def test_the_name_of_a_function_is_case_sensitive(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    Another spelling is another function, which is not there.
    """
    async with http.post(host.webhook_url("On_Event"), json=[event("o")], headers=NOTIFICATION) as response:
        assert (response.status, await response.text()) == (404, "cannot find function: 'On_Event'")


@pytest.mark.parametrize("body", [b"", b"{", b"7", b'"text"', b"null", b"[1]", b'["text"]'])
async def test_a_body_that_holds_no_events_fails(host: FunctionsHost, http: aiohttp.ClientSession, body: bytes) -> None:
    """
    The extension throws, or the function cannot take it: Event Grid delivers it again.
    """
    async with http.post(host.webhook_url("on_event"), data=body, headers=NOTIFICATION) as response:
        assert response.status == 500


async def test_a_handshake_without_a_code_fails(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    Nothing can be returned, so the subscription is not made.
    """
    headers = {"aeg-event-type": "SubscriptionValidation"}
    async with http.post(host.webhook_url("on_event"), json=[{"data": {}}], headers=headers) as response:
        assert response.status == 500


async def test_a_delivery_of_nothing_is_accepted(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    An empty array runs nothing.
    """
    async with http.post(host.webhook_url("on_event"), json=[], headers=NOTIFICATION) as response:
        assert response.status == 202


async def test_a_body_is_read_as_leniently_as_in_azure(host: FunctionsHost, http: aiohttp.ClientSession) -> None:
    """
    Byte order mark, comments and trailing commas pass, the last of two members counts, and times are written again.
    """
    body = b"""\xef\xbb\xbf[ // an event
      {"id": "x", "id": "lenient", "eventType": "t", "subject": "a /* name */, ]", /* with */
       "data": {"at": "2026-01-02T03:04:05.1230000+02:00", "on": "2026-01-02", "list": [1, 2, ], }, },
    ]"""
    async with http.post(host.webhook_url("on_event"), data=body, headers=NOTIFICATION) as response:
        assert response.status == 202
    (record,) = got(host, "lenient")
    assert record["subject"] == "a /* name */, ]"
    assert record["data"] == {"at": "2026-01-02T01:04:05.123+00:00", "on": "2026-01-02", "list": [1, 2]}
