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
        since, until = _interval(entry)
        bar = " " * round((since - began) * scale) + "█" * max(1, round((until - since) * scale))
        at, took = (f"{seconds * 1000:7.1f}" for seconds in (since - began, until - since))
        lines.append(f"{at} {took} |{bar:<{_WIDTH}} | {entry.operation}")
    return [*lines, f"{(ended - began) * 1000:7.1f} {'':7} |{'':{_WIDTH}} | the end"]


def rounds(requests: Sequence[LoggedRequest]) -> int:
    """
    Return how many requests, at the least, came one after the other: no two of them were under way at once.
    """
    count, free_from = 0, float("-inf")
    for since, until in sorted(map(_interval, requests), key=lambda interval: interval[1]):
        if since >= free_from:
            count, free_from = count + 1, until
    return count


def _interval(entry: LoggedRequest) -> tuple[float, float]:
    return entry.received.monotonic, entry.ended.monotonic if entry.ended else float("inf")
