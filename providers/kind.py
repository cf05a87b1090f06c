"""
What a kind of target is. To look at one of them, open its folder.
"""

import re
from collections.abc import Callable, Mapping

from msgspec import Struct

from rotation.vocabulary.material import KeyMaterial
from rotation.vocabulary.pasted import bare
from rotation.vocabulary.spelling import is_name
from rotation.vocabulary.target import Target

_GROUP = "/subscriptions/{subscription}/resourceGroups/{resource_group}"
# Words of ARM's own are ASCII: nothing here may take the Kelvin sign for a k.
_FLAGS = re.IGNORECASE | re.ASCII
_PART = r"\{(\w+)\}|([][])"  # of a form: a name, or where something begins or ends that may be left out


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


def whole(value: KeyMaterial) -> KeyMaterial:
    """
    Return the credential in the value of a secret that holds nothing else.
    """
    return value


class Kind(Struct, frozen=True):
    """
    A kind of target.

    - `provider`: the resource type, by which records, events and metrics name the kind.
    - `title`: what people call one of it, with its article.
    - `form`: what its ARM id looks like below the resource group, with its names in braces. What stands in brackets may
      be left out. It does not belong to the target itself: a name in it says what shows the keys, and anything else is
      only a detour.
    - `names`: what those names may look like.
    - `credential`: the part of a secret's value that depends on the key.
    - `package`: the folder. Its `client.py` has a class `Client` that reads and regenerates keys
      (`rotation/ports/providers.py`) and is made of a credential, the endpoint of Azure Resource Manager and the
      options of a management client. It is imported for the first target. Its `role.json` names the actions that the
      app's role allows, each with the reason.
    - `example`: names for the examples of the API.
    """

    provider: str
    title: str
    form: str
    names: Mapping[str, Name]
    package: str
    example: Mapping[str, str]
    credential: Callable[[KeyMaterial], KeyMaterial] = whole

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
        found = re.fullmatch(self._pattern, path, _FLAGS)
        if found is None:
            return None
        names = {part: name for part, name in found.groupdict().items() if name}
        if not all(self._name(part).allows(name) for part, name in names.items()):
            return None
        return self.target(names)

    def target(self, names: Mapping[str, str]) -> Target:
        """
        Return the target with these names.
        """
        return Target(
            self.provider,
            dict(names),
            arm_id=_GROUP.format(**names) + re.sub(r"\[[^]]*\]", "", self.form).format(**names),
            shown_by=_GROUP.format(**names) + re.sub(r"\[([^]]*)\]", _present(names), self.form).format(**names),
            credential=self.credential,
        )

    @property
    def _pattern(self) -> str:
        pattern = ""
        end = 0
        form = _GROUP + self.form
        for part in re.finditer(_PART, form):
            pattern += re.escape(form[end : part.start()])
            pattern += {"[": "(?:", "]": ")?"}.get(part[0]) or f"(?P<{part[1]}>{self._name(part[1]).pattern})"
            end = part.end()
        return pattern + re.escape(form[end:])

    def _name(self, part: str) -> Name:
        return _NAMES.get(part) or self.names[part]


def _present(names: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    """
    Return what is left of a bracket: all of it where its name is there.
    """
    return lambda bracket: bracket[1] if (name := re.search(r"\{(\w+)\}", bracket[1])) and name[1] in names else ""
