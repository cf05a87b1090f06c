"""
What a kind of target is. To look at one of them, open its folder.
"""

import re
from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct

from providers.account_key import BASE64_KEY
from rotation.vocabulary.credential import CredentialForm
from rotation.vocabulary.pasted import bare
from rotation.vocabulary.spelling import is_name
from rotation.vocabulary.target import Target

_GROUP = "/subscriptions/{subscription}/resourceGroups/{resource_group}"
# Words of ARM's own are ASCII: nothing here may take the Kelvin sign for a k.
_FLAGS = re.IGNORECASE | re.ASCII


class Name(Struct, frozen=True):
    """
    A name in an ARM id: the pattern that it matches, in any case.

    With `others` it may hold letters and digits of any script, the characters in `others`, and, where `marks` says so,
    accents that are characters of their own. Then it must not end with a full stop, or begin or end with what nobody
    sees. A name becomes a segment of a URL, where `.` and `..` would collapse the path.
    """

    pattern: str
    others: str | None = None
    marks: bool = True

    def allows(self, name: str) -> bool:
        """
        Return whether a text that matches the pattern is such a name.
        """
        if self.others is None:
            return True
        return is_name(name, self.others, marks=self.marks) and name == bare(name) and not name.endswith(".")


_NAMES = {
    "subscription": Name(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    # As Azure documents it.
    "resource_group": Name(r"[^/]{0,89}[^/.]", others="-_.()", marks=False),
}


class Kind(Struct, frozen=True, dict=True):
    """
    A kind of target.

    - `provider`: the resource type, by which records, events and metrics name the kind.
    - `title`: what people call one of it, with its article.
    - `form`: what its ARM id looks like below the resource group, with its names in braces. What stands in brackets may
      be left out. It does not belong to the target itself: a name in it says what shows the keys, and anything else is
      only a detour.
    - `names`: what those names may look like.
    - `credential`: what its credentials look like in the value of a secret, if not as the keys of most accounts do.
    - `package`: the folder. Its `client.py` has a class `Client` that reads and regenerates keys
      (`rotation/ports/providers.py`) and is made of a `ResourceManager` (`adapters/arm.py`). It is imported for the
      first target. Its `role.json` names the actions that the app's role allows, each with the reason.
    - `data_plane`: the suffixes of the hosts that take its keys, by cloud. Without any for a cloud no key is asked for
      there. With some, its client is also a `KeyProber` and is made of a `DataPlane` (`adapters/data_plane.py`), too.
    - `requests`: to Azure Resource Manager, to read both keys.
    - `example`: names for the examples of the API.
    """

    provider: str
    title: str
    form: str
    names: Mapping[str, Name]
    package: str
    example: Mapping[str, str]
    credential: CredentialForm = BASE64_KEY
    data_plane: Mapping[str, tuple[str, ...]] = {}
    requests: int = 1

    @property
    def client(self) -> str:
        """
        The module with the client.
        """
        return f"{self.package}.client"

    @property
    def shape(self) -> str:
        """
        The form as an error message shows it.
        """
        return re.sub(r"\[[^]{]*\]", "", self.form)

    @property
    def detours(self) -> list[str]:
        """
        What may stand in an id and names nothing.
        """
        return re.findall(r"\[([^]{]*)\]", self.form)

    def read(self, path: str) -> Target | None:
        """
        Return the target that the path of an ARM id names, None for one of another kind.
        """
        found = self._pattern.fullmatch(path)
        if found is None:
            return None
        names = {part: name for part, name in found.groupdict().items() if name}
        return self.target(names) if all(self._name(part).allows(name) for part, name in names.items()) else None

    def target(self, names: Mapping[str, str]) -> Target:
        """
        Return the target with these names.
        """
        arm_id = shown_by = ""
        for part, needs in self._parts:
            if needs is None:
                arm_id += part.format(**names)
                shown_by += part.format(**names)
            elif needs in names:
                shown_by += part.format(**names)
        return Target(self.provider, dict(names), arm_id, shown_by, self.credential)

    @cached_property
    def _parts(self) -> list[tuple[str, str | None]]:
        """
        The form in parts, each with the name that it is there for: None for what every id of a target has.
        """
        parts: list[tuple[str, str | None]] = []
        for part in re.split(r"(\[[^]]*\])", _GROUP + self.form):
            if not part.startswith("["):
                parts.append((part, None))
            elif name := re.search(r"\{(\w+)\}", part):
                parts.append((part[1:-1], name[1]))
        return parts

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Compiled when the first id is read, not at a cold start.
        form = re.escape(_GROUP + self.form).replace(r"\[", "(?:").replace(r"\]", ")?")
        return re.compile(
            re.sub(r"\\\{(\w+)\\\}", lambda name: f"(?P<{name[1]}>{self._name(name[1]).pattern})", form), _FLAGS
        )

    def _name(self, part: str) -> Name:
        return _NAMES.get(part) or self.names[part]
