"""
Who asks for something over HTTP, as Microsoft Entra names them.
"""

from msgspec import Struct


class Caller(Struct, frozen=True, rename="camel"):
    """
    The principal behind a call: a person, by name and object, or an application, by its client id; mostly not all.

    A name is personal data, and fit for a log line: it is short and has only characters that are seen.
    """

    name: str | None = None
    object_id: str | None = None
    app_id: str | None = None

    def __str__(self) -> str:
        known = [self.name, self.object_id and f"object {self.object_id}", self.app_id and f"application {self.app_id}"]
        return ", ".join(part for part in known if part) or "a principal without name and id"
