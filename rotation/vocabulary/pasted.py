"""
What portals, shells, spreadsheets and tickets put around a text, taken off.

Only what surrounds a text is forgiven. A character inside it is never exchanged or left out: that would be a guess.
"""

import re
from urllib.parse import unquote

from rotation.vocabulary.limits import UNWRAPPED_AT_MOST
from rotation.vocabulary.spelling import is_unseen

_PAIRS = {'"': '"', "'": "'", "`": "`", "<": ">", "(": ")", "[": "]", "“": "”", "„": "“", "‘": "’", "«": "»"}  # noqa: RUF001 - as text processors write them
_QUOTES = ('"', "'", "`")
_AFTER = ",;"  # Of a list. A full stop may end a name.
_OF_AZURE = r"https://(?:[-a-z0-9]+\.)*(?P<site>management|portal)\.[-a-z0-9.]+(?::443)?/"
# As the portal passes an id from one page to the next.
_ENCODED = r"%2fsubscriptions%2f[^/?#&]*"
# A vault may be named `portal` too, but no address in it has the id of a secret behind a fragment.
_IN_PORTAL = r"https://(?:[-a-z0-9]+\.)*portal\.[-a-z0-9.]+(?::443)?/[^#]*#.*?/secret/(?=https(?::|%3a))"
_REFERENCE = "@microsoft.keyvault(secreturi="
_FLAGS = re.IGNORECASE | re.ASCII


def bare(text: str) -> str:
    """
    Return a text without the blanks and the invisible characters around it, such as a byte order mark.
    """
    if text.isascii():
        return text.strip()
    first, last = 0, len(text)
    while first < last and is_unseen(text[first]):
        first += 1
    while first < last and is_unseen(text[last - 1]):
        last -= 1
    return text[first:last]


def unwrapped(text: str) -> str:
    """
    Return an id or an address without what surrounds it: blanks, quotes, brackets, the comma of a list.
    """
    for _ in range(UNWRAPPED_AT_MOST):
        before = text
        text = bare(text).rstrip(_AFTER)
        # A list of quoted items begins and ends with quotes that are no pair.
        is_list = text[:1] in _QUOTES and text[:1] in text[1:-1]
        if len(text) > 1 and _PAIRS.get(text[0]) == text[-1] and not is_list:
            text = text[1:-1]
        # In a spreadsheet it says that what follows is a text.
        if "'" not in text[1:]:
            text = text.removeprefix("'")
        if text == before:
            break
    return text


def secret_address(text: str) -> str:
    """
    Return the address in what people copy for the id of a secret: without query, fragment and trailing slashes.

    It may be an address of the Azure portal, a Key Vault reference of an app setting, or lack `https://`.
    """
    text = unwrapped(text)
    if text.lower().startswith(_REFERENCE) and text.endswith(")"):
        text = unwrapped(text[len(_REFERENCE) : -1])
    if portal := re.match(_IN_PORTAL, text, _FLAGS):
        text = text[portal.end() :]
    if text.lower().startswith("https%3a%2f%2f"):
        text = unquote(text)
    address = text.partition("?")[0].partition("#")[0].rstrip("/")
    has_host_only = "." in address.partition("/")[0] and "://" not in address
    return f"https://{address}" if has_host_only else address


def arm_path(text: str) -> str:
    """
    Return the path in what people copy for an ARM id: with one slash before it and none after it.

    It may be an address of the Azure portal or of Azure Resource Manager, with an api-version.
    """
    text = unwrapped(text)
    if address := re.match(_OF_AZURE, text, _FLAGS):
        if encoded := re.search(_ENCODED, text, _FLAGS):
            text = unquote(encoded[0])
        elif path := re.search("/subscriptions/", text, _FLAGS):
            text = text[path.start() :]
    written = text.partition("?")[0]
    for _ in range(UNWRAPPED_AT_MOST):
        before, written = written, unwrapped(written.strip("/"))
        if written == before:
            break
    names = written.split("/")
    # All of an id is pairs, of a type and a name: what is left over is the page that the portal shows.
    if address and address["site"].lower() == "portal" and len(names) % 2:
        names.pop()
    return "/" + "/".join(names)
