import re

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue.aio import QueueServiceClient

from localcloud.azurites import an_azurite


async def queues(connection: str) -> list[str]:
    """
    Return the names of the queues of an account.
    """
    async with QueueServiceClient.from_connection_string(connection) as service:
        return [queue.name async for queue in service.list_queues()]


async def test_an_azurite_that_is_used_again_is_empty_and_knows_its_former_user_no_more() -> None:
    """
    It is the same process: starting one takes longer than most tests.
    """
    async with an_azurite() as first:
        former = first.connection_string
        async with QueueServiceClient.from_connection_string(former) as service:
            await service.create_queue("records")
        await first.give({"other": ["bm90aGluZw=="]})
        assert await queues(former) == ["records"]

    async with an_azurite() as second:
        assert port(second.connection_string) == port(former)
        assert await queues(second.connection_string) == []
        for refused in (former, second.connection_string.replace(name(second.connection_string), "other")):
            with pytest.raises(HttpResponseError):
                await queues(refused)


async def test_two_that_are_used_at_a_time_are_two() -> None:
    """
    Each cloud has one of its own.
    """
    async with an_azurite() as one, an_azurite() as other:
        assert port(one.connection_string) != port(other.connection_string)


def port(connection: str) -> str:
    """
    Return where the queues are.
    """
    return str(re.findall(r"QueueEndpoint=http://[^:]+:(\d+)/", connection)[0])


def name(connection: str) -> str:
    """
    Return whose account it is.
    """
    return str(re.findall("AccountName=([^;]+)", connection)[0])
