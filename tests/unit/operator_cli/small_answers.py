"""
What the small app answers with.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """
    An answer that is arranged; without a status the connection is dropped.
    """

    status: int | None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def problem(status: int, code: str, detail: str, **more: str) -> Answer:
    """
    Return a problem as the app answers it.
    """
    body = {"type": f"urn:azure-key-rotator:problem:{code}", "title": "x", "status": status, "code": code}
    return Answer(status, {**body, "detail": detail, **more}, {"Content-Type": "application/problem+json"})
