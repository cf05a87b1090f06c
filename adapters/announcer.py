"""
The app's events, through azure-eventgrid.

It rests on assumptions 62 and 63 of docs/fidelity.md.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from azure.core.messaging import CloudEvent

from adapters.answers import until_answered
from adapters.credential import Identity
from rotation.ports.announcer import Announcement, Announcer

if TYPE_CHECKING:
    from azure.eventgrid.aio import EventGridPublisherClient

_OF_A_URI = "/:()!*',;=&@$+~%"


class EventGridTopic(Announcer):
    """
    The `Announcer` that publishes CloudEvents 1.0 to a custom topic.
    """

    def __init__(self, credential: Identity, endpoint: str, scope: str, transport: Any) -> None:
        self._endpoint = endpoint
        # The SDK asks for the public cloud's token in every cloud (azure-eventgrid 4.22).
        self._credential = credential.for_scope(scope)
        self._transport = transport

    @cached_property
    def _client(self) -> "EventGridPublisherClient":
        # Publishing comes last in a rotation: the first new key of a process does not wait for this import.
        from azure.eventgrid.aio import EventGridPublisherClient  # noqa: PLC0415 - as above

        return EventGridPublisherClient(self._endpoint, self._credential, transport=self._transport, retry_total=0)

    async def publish(self, announcement: Announcement[Any]) -> None:
        event = CloudEvent(
            # A reference to a URI (CloudEvents 1.0): what is not of ASCII is percent-encoded there.
            source=quote(announcement.source, safe=_OF_A_URI),
            type=announcement.type,
            subject=announcement.subject,
            id=announcement.id,
            time=announcement.time,
            data=msgspec.to_builtins(announcement.data),
        )
        await until_answered(f"publishing of {announcement.type}", lambda: self._client.send(event))
