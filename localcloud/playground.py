"""
The app in a local cloud, to be tried by hand.
"""

import json
import os
from pathlib import Path
from shlex import quote

import msgspec

from localcloud.azure.identity import API_VERSION, ARM
from localcloud.azurite import REPOSITORY
from localcloud.cloud import LocalCloud
from localcloud.inbox import Inbox
from localcloud.kinds.kind import Resource
from localcloud.kinds.storage import STORAGE
from localcloud.kinds.storage.accounts import API_VERSIONS as STORAGE_API_VERSIONS
from localcloud.narrator import Narrator, listed
from localcloud.rotation_feed import RotationFeed
from localcloud.showcase import SECRETS, fill

# Of the app's settings, what a person may try here: `make start ROTATION_GRACE_HOURS=24`.
_TO_TRY = ("ROTATION_GRACE_HOURS", "ROTATION_VERIFY_DAYS", "ROTATION_LEAD_DAYS", "ROTATION_PROVE_KEYS")


async def serve(directory: Path) -> int:
    """
    Run everything until cancelled, and show every rotation. Some settings may come from the environment.
    """
    narrator = Narrator()
    settings = {name: os.environ[name] for name in _TO_TRY if name in os.environ}
    cloud = LocalCloud(directory, ca=None, app=REPOSITORY, is_impatient=False, **settings)
    async with (
        cloud,
        Inbox(narrator.tell_event) as inbox,
        RotationFeed(cloud.host, cloud.log, narrator.tell_step) as feed,
    ):
        targets = await fill(cloud)
        await cloud.subscribe()
        await cloud.azure.topic.subscribe(inbox.url)
        for line in _introduction(cloud, targets[STORAGE.secret]):
            narrator.show(line)
        await feed.until(lambda: None, what="reason to end", seconds=None)
    return 0


def _introduction(cloud: LocalCloud, account: Resource) -> list[str]:
    return [
        f"Functions host     {cloud.host.url}",
        f"  function key     {cloud.host.function_key}",
        f"Key Vault          {cloud.vault.uri}  (secrets {listed(SECRETS)})",
        f"ARM                {cloud.azure.arm_uri}",
        f"Event Grid topic   {cloud.azure.topic_uri}",
        f"CA of the above    {cloud.azure.ca.bundle}",
        "",
        "Or with the command line (docs/command-line.md), once it knows the app:",
        "",
        f"export KEY_ROTATOR_URL={cloud.host.url} KEY_ROTATOR_FUNCTION_KEY={cloud.host.function_key}",
        "",
        "Try these in another shell:",
        "",
        f"# Key Vault says that {SECRETS[0]} is near its expiry. However often you tell: a version is rotated once.",
        _tell_near_expiry(cloud),
        "",
        f"# Rotate {SECRETS[-1]} by hand, {_how_often(cloud)}",
        _rotate(cloud),
        "",
        "# Ask how the app is, and for that rotation.",
        _ask(cloud),
        "",
        f"# Regenerate by hand, as in the portal, the key that {STORAGE.secret} holds; a refresh shows the drift.",
        _authorize(cloud),
        _regenerate(cloud, account),
        _refresh(cloud),
        "",
        "# Let the daily sweep come now: it rotates what is due.",
        _sweep(cloud),
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


def _how_often(cloud: LocalCloud) -> str:
    if float(cloud.settings["ROTATION_GRACE_HOURS"]):
        return "twice: the second time comes too soon."
    return "as often as you like: the grace time is 0 here (make start ROTATION_GRACE_HOURS=24)."


def _authorize(cloud: LocalCloud) -> str:
    settings = cloud.settings
    url = f"{settings['IDENTITY_ENDPOINT']}?resource={ARM}&api-version={API_VERSION}"
    call = f"{_curl(cloud)} {quote(url)} -H {quote('X-IDENTITY-HEADER: ' + settings['IDENTITY_HEADER'])}"
    return f"""token=$({call} | cut -d '"' -f 4)"""


def _regenerate(cloud: LocalCloud, account: Resource) -> str:
    url = quote(f"{cloud.azure.arm_uri}{account.arm_id}/regenerateKey?api-version={max(STORAGE_API_VERSIONS)}")
    body = quote(json.dumps({"keyName": "key1"}))
    return (
        f"""{_curl(cloud)} -o /dev/null {url} -H "Authorization: Bearer $token" """
        f"-H 'Content-Type: application/json' -d {body}"
    )


def _refresh(cloud: LocalCloud) -> str:
    return f"curl -sS {quote(cloud.host.url + '/api/secrets?refresh=true&status=Drifted')} -H {_key(cloud)}; echo"


def _sweep(cloud: LocalCloud) -> str:
    master = quote(f"x-functions-key: {cloud.host.keys.master}")
    url = f"{cloud.host.url}/admin/functions/sweep_vaults"
    return f"curl -sS -o /dev/null {url} -H {master} -H 'Content-Type: application/json' -d '{{}}'"


def _curl(cloud: LocalCloud) -> str:
    return f"curl -sS --cacert {quote(str(cloud.azure.ca.bundle))}"


def _key(cloud: LocalCloud) -> str:
    return quote(f"x-functions-key: {cloud.host.function_key}")
