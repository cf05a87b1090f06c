"""
The app in a local cloud, to be tried by hand.
"""

import json
from pathlib import Path
from shlex import quote

import msgspec

from localcloud.cloud import LocalCloud
from localcloud.inbox import Inbox
from localcloud.narrator import Narrator, listed
from localcloud.rotation_feed import RotationFeed
from localcloud.showcase import SECRETS, fill


async def serve(directory: Path) -> int:
    """
    Run everything until cancelled, and show every rotation.
    """
    narrator = Narrator()
    cloud = LocalCloud(directory)
    async with (
        cloud,
        Inbox(narrator.tell_outcome) as inbox,
        RotationFeed(cloud.host, cloud.log, narrator.tell_step) as feed,
    ):
        await fill(cloud)
        await cloud.subscribe()
        await cloud.azure.topic.subscribe(inbox.url)
        for line in _introduction(cloud):
            narrator.show(line)
        await feed.until(lambda: None, what="reason to end", seconds=None)
    return 0


def _introduction(cloud: LocalCloud) -> list[str]:
    return [
        f"Functions host     {cloud.host.url}",
        f"  function key     {cloud.host.function_key}",
        f"Key Vault          {cloud.vault.uri}  (secrets {listed(SECRETS)})",
        f"ARM                {cloud.azure.arm_uri}",
        f"Event Grid topic   {cloud.azure.topic_uri}",
        f"CA of the above    {cloud.azure.ca.bundle}",
        "",
        "Try these in another shell:",
        "",
        f"# Key Vault says that {SECRETS[0]} is near its expiry. However often you tell: a version is rotated once.",
        _tell_near_expiry(cloud),
        "",
        f"# Rotate {SECRETS[-1]} by hand, as often as you like.",
        _rotate(cloud),
        "",
        "# Ask how the app is, and for that rotation.",
        _ask(cloud),
        "",
        "What happens is shown here. Ctrl-C ends it.",
    ]


def _tell_near_expiry(cloud: LocalCloud) -> str:
    url = quote(cloud.host.webhook_url("on_secret_event"))
    event = cloud.vault.event(SECRETS[0], "SecretNearExpiry").in_schema("EventGridSchema")
    body = quote(json.dumps(msgspec.to_builtins(event)))
    return f"curl -sS {url} -H 'aeg-event-type: Notification' -H 'Content-Type: application/json' -d {body}"


def _rotate(cloud: LocalCloud) -> str:
    wanted = {"secret": f"{cloud.vault.uri}/secrets/{SECRETS[-1]}", "reason": "to see it happen"}
    call = f"curl -sS {cloud.host.url}/api/rotations -H {_key(cloud)} -d {quote(json.dumps(wanted))}"
    return f'rotation=$({call}); echo "$rotation"'


def _ask(cloud: LocalCloud) -> str:
    # The id is the first value in the answer about a rotation.
    rotation = f"""{cloud.host.url}/api/rotations/$(echo "$rotation" | cut -d '"' -f 4)"""
    return f'curl -sS {cloud.host.url}/api/health; echo; curl -sS -H {_key(cloud)} "{rotation}"; echo'


def _key(cloud: LocalCloud) -> str:
    return quote(f"x-functions-key: {cloud.host.function_key}")
