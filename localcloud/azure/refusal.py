"""
How the local Azure says no.
"""

from collections.abc import Mapping


class Refusal(Exception):
    """
    A request that Azure would refuse, with the status, code and message that it would give.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        inner_code: str | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.inner_code = inner_code
        """What is more precise than the code, where a service says it."""


def error_body(refusal: Refusal) -> object:
    """
    Return the error object of ARM, Key Vault, Event Grid and Logic Apps: `{"error": {"code", "message"}}`.
    """
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message}
    if refusal.inner_code:
        error["innererror"] = {"code": refusal.inner_code}
    return {"error": error}
