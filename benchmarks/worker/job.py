"""
What a worker is asked to do. Imports nothing that an app might not import: what it needs would be measured with it.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple


class Task(NamedTuple):
    """
    One rotation to be done: of a secret, given by the id of its current version, and of its target's alternate key.
    """

    secret: str
    target: str
    key: str


class Job(NamedTuple):
    """
    Rotations to be done: the first one alone, then all others, so many at a time. Without any, one sweep.
    """

    tasks: Sequence[Task]
    concurrency: int = 1

    def as_json(self) -> bytes:
        """
        Return it as it is written to a worker.
        """
        return json.dumps(self).encode()


def read_job(written: str) -> Job:
    """
    Return a job as a worker reads it.
    """
    tasks, concurrency = json.loads(written)
    return Job([Task(*task) for task in tasks], concurrency)
