"""
How the local Azure says no.

It rests on assumption 1 of docs/fidelity.md.
"""

from collections.abc import Callable, Mapping


class Refusal(Exception):
    """
    A request that Azure would refuse, with the status, code and message that it would give.
    """

    def __init__(  # noqa: PLR0913 - What an error is made of; call sites name them.
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        inner_code: str | None = None,
        more: Mapping[str, object] | None = None,
        explain: "Callable[[Refusal], object] | None" = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.inner_code = inner_code
        """What is more precise than the code, where a service says it."""
        self.more = dict(more or {})
        """Further members of the error."""
        self.explain = explain
        """What puts it into a format other than that of the service which answers; None for the service's own."""


def error_body(refusal: Refusal) -> object:
    """
    Return the error object of ARM, Key Vault, Event Grid and Logic Apps: `{"error": {"code", "message"}}`.
    """
    error: dict[str, object] = {"code": refusal.code, "message": refusal.message, **refusal.more}
    if refusal.inner_code:
        error["innererror"] = {"code": refusal.inner_code}
    return {"error": error}
