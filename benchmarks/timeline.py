"""
The requests of one rotation as bars, and how many of them had to wait for one another.
"""

from collections.abc import Sequence

from localcloud.azure.request_log import LoggedRequest

_WIDTH = 60  # characters


def draw(requests: Sequence[LoggedRequest], began: float, ended: float) -> list[str]:
    """
    Draw the requests between two instants of the monotonic clock: when each arrived, how long it took, what it asked.
    """
    scale = _WIDTH / (ended - began)
    lines = [f"{'at':>7} {'took':>7}"]
    for entry in requests:
        since, until = _interval(entry, ended)
        left = round((since - began) * scale)
        bar = "█" * max(1, round((until - since) * scale))
        lines.append(
            f"{_milliseconds(since - began)} {_milliseconds(until - since)} |{' ' * left}{bar}".ljust(_WIDTH + 18)
            + f"| {entry.operation}"
        )
    lines.append(f"{_milliseconds(ended - began)} {'':>7} |{' ' * _WIDTH} | the end")
    return lines


def rounds(requests: Sequence[LoggedRequest]) -> int:
    """
    Return how many requests, at the least, came one after the other: no two of them were under way at once.
    """
    count, free_from = 0, float("-inf")
    for since, until in sorted(
        (_interval(entry, float("inf")) for entry in requests), key=lambda interval: interval[1]
    ):
        if since >= free_from:
            count, free_from = count + 1, until
    return count


def _interval(entry: LoggedRequest, otherwise: float) -> tuple[float, float]:
    return entry.received.monotonic, entry.ended.monotonic if entry.ended else otherwise


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:7.1f}"
