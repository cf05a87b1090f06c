"""
What the tests know of the place that they run in: addresses and names, the same for every place.
"""

import os
from functools import cache
from pathlib import Path

import msgspec

VARIABLE = "LIVE_PLACE"  # Names the file with the description. Without it the tests run beside twins and local cloud.


class Description(msgspec.Struct):
    """
    Accounts of Batch and Storage to rotate, maybe workflows; a vault, tables, and a topic with a queue as subscriber.
    """

    settings: dict[str, str]
    """The app's own settings, and what else the SDKs read of the environment."""
    vault: str
    """The URI of a vault that nobody else uses."""
    batch: str
    """The ARM id of a Batch account."""
    storage: str
    """The ARM id of a Storage account that nothing else uses."""
    workflows: list[str]
    """The ARM ids of the Request triggers of two workflows of one Logic App; empty where there is none."""
    queue_service: str
    """The address of the queues, or a connection string."""
    queue: str
    """The queue that the topic's events arrive in."""
    patience: float
    """Seconds that are waited for what comes by itself."""


def is_live() -> bool:
    """
    Return whether the tests run in a place that is described.
    """
    return VARIABLE in os.environ


@cache
def description() -> Description:
    """
    Return the description of the place.
    """
    return msgspec.json.decode(Path(os.environ[VARIABLE]).read_bytes(), type=Description)


def write(made: Description, file: Path) -> None:
    """
    Write a description down, for the tests' process.
    """
    file.write_bytes(msgspec.json.encode(made))
