"""
What a look at one thing has found.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """
    How a thing stands. `unknown` is what could not be looked at.
    """

    OK = "ok"
    FAULT = "fault"
    WARNING = "warning"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Finding:
    """
    One thing, how it stands, and what to do about it.

    `code` names the fault for programs, and stays as it is; it is `ok` where there is none.
    """

    area: str
    verdict: Verdict
    code: str
    detail: str
    remedy: str | None = None

    def as_json(self) -> dict[str, Any]:
        """
        Return the finding as a record of JSON output.
        """
        return {
            "area": self.area,
            "verdict": self.verdict.value,
            "code": self.code,
            "detail": self.detail,
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Area:
    """
    What findings of one area are made with.
    """

    name: str

    def ok(self, detail: str) -> Finding:
        """
        Return that something is well.
        """
        return Finding(self.name, Verdict.OK, "ok", detail)

    def fault(self, code: str, detail: str, remedy: str | None) -> Finding:
        """
        Return what fails now, or will.
        """
        return Finding(self.name, Verdict.FAULT, code, detail, remedy)

    def warning(self, code: str, detail: str, remedy: str | None) -> Finding:
        """
        Return what is probably not meant, and fails nothing.
        """
        return Finding(self.name, Verdict.WARNING, code, detail, remedy)

    def unknown(self, code: str, detail: str, remedy: str | None) -> Finding:
        """
        Return what could not be looked at.
        """
        return Finding(self.name, Verdict.UNKNOWN, code, detail, remedy)
