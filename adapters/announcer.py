"""
The app's events, through azure-eventgrid.

It rests on assumptions 62 and 63 of docs/fidelity.md.
"""

from typing import Any
from urllib.parse import quote

import msgspec
from azure.core.messaging import CloudEvent
from azure.eventgrid.aio import EventGridPublisherClient

from adapters.answers import until_answered
from adapters.credential import Identity
from rotation.ports.announcer import Announcement, Announcer

_OF_A_URI = "/:()!*',;=&@$+~%"


class EventGridTopic(Announcer):
    """
    The `Announcer` that publishes CloudEvents 1.0 to a custom topic.
    """

    def __init__(self, credential: Identity, endpoint: str, scope: str, transport: Any) -> None:
        # The SDK asks for the public cloud's token in every cloud (azure-eventgrid 4.22).
        self._client = EventGridPublisherClient(
            endpoint, credential.for_scope(scope), transport=transport, retry_total=0
        )

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
