"""
A vault, seen from inside the local Azure: its secrets, and the events that it raises.

It rests on assumptions 56 and 58 of docs/fidelity.md.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from localcloud.azure.courier import Courier
from localcloud.azure.delivery_schedule import AS_LONG_AS_ALLOWED, RetryPolicy
from localcloud.azure.event import Event, Schema
from localcloud.azure.event_subscription import Delivery, EventSubscription
from localcloud.azure.key_vault import SecretStore, SecretVersion

EVENT_NAMESPACE = "Microsoft.KeyVault."


class Vault(SecretStore):
    """
    One vault. What is done here is done without a request, a token or a fault.
    """

    def __init__(self, name: str, arm_id: str, uri: str, courier: Courier) -> None:
        super().__init__(uri)
        self.name = name
        self.arm_id = arm_id
        self.uses_rbac = True
        """Otherwise it has access policies, which let nobody in."""
        self.public_network_access = "Enabled"
        self.subscriptions: list[EventSubscription] = []
        self.has_system_topic = False
        """Its first subscription makes one, which then stays."""
        self._courier = courier

    def set(  # noqa: PLR0913 - As `set_secret` of the SDK.
        self,
        name: str,
        value: str,
        *,
        tags: Mapping[str, str] | None = None,
        expires_on: datetime | None = None,
        content_type: str | None = None,
        enabled: bool = True,
    ) -> str:
        """
        Make a new version of a secret and return its version, 32 hexadecimal digits.
        """
        made = self.make_version(
            name, value, tags=tags, expires_on=expires_on, content_type=content_type, enabled=enabled
        )
        return made.version

    def set_certificate(
        self,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        expires_on: datetime | None = None,
        enabled: bool = True,
    ) -> str:
        """
        Make a version of the secret that belongs to a certificate and return its version.
        """
        made = self.make_version(
            name,
            "aW52ZW50ZWQ=",
            tags=tags,
            expires_on=expires_on,
            content_type="application/x-pkcs12",
            enabled=enabled,
            is_certificate=True,
        )
        return made.version

    def current(self, name: str) -> SecretVersion:
        """
        Return the newest version of a secret. Raises `KeyError` if there is no such secret.
        """
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found

    def expire(self, name: str, moment: datetime) -> None:
        """
        Let the current version of a secret expire at that moment.
        """
        self.update(replace(self.current(name), expires_on=moment))

    async def subscribe(  # noqa: PLR0913 - As the properties of an event subscription.
        self,
        url: str,
        *,
        schema: Schema = "EventGridSchema",
        event_types: Collection[str] | None = None,
        name: str | None = None,
        is_function: bool = False,
        retry_policy: RetryPolicy = AS_LONG_AS_ALLOWED,
    ) -> EventSubscription:
        """
        Send the vault's events to a webhook from now on. Raises `HandshakeError` if that does not agree.
        """
        subscription = EventSubscription(
            name=name or f"subscription-{len(self.subscriptions) + 1}",
            url=url,
            schema=schema,
            event_types=None if event_types is None else [_full_type(short) for short in event_types],
            is_function=is_function,
            retry_policy=retry_policy,
        )
        await self._courier.shake_hands(subscription, self.arm_id)
        self.subscriptions.append(subscription)
        self.has_system_topic = True
        return subscription

    def event(self, secret: str, event_type: str) -> Event:
        """
        Return the event that something happened to a secret, which is given as to `publish`.
        """
        version = self._named(secret)
        data = {
            "Id": version.id,
            "VaultName": self.name,
            "ObjectType": "Secret",
            "ObjectName": version.name,
            "Version": version.version,
            "NBF": None if version.not_before is None else int(version.not_before.timestamp()),
            "EXP": None if version.expires_on is None else int(version.expires_on.timestamp()),
        }
        return Event(topic=self.arm_id, subject=version.name, type=_full_type(event_type), data=data)

    async def publish(
        self, secret: str, event_type: str = "SecretNearExpiry", *, duplicates: int = 0
    ) -> list[Delivery]:
        """
        Tell that something happened to a secret, given by its name (then the current version) or by a version of it.

        Returns when every delivery, `duplicates` more of the same event included, has succeeded or been given up.
        """
        event = self.event(secret, event_type)
        subscribers = [subscription for subscription in self.subscriptions if subscription.wants(event.type)]
        return await asyncio.gather(
            *(
                self._courier.deliver(subscription, event.id, event.in_schema(subscription.schema))
                for subscription in subscribers
                for _ in range(1 + duplicates)
            )
        )

    def _named(self, secret: str) -> SecretVersion:
        if found := self.find(secret):
            return found
        for name in self.names():
            if found := self.find(name, secret):
                return found
        raise KeyError(secret)


def _full_type(event_type: str) -> str:
    return event_type if "." in event_type else EVENT_NAMESPACE + event_type
