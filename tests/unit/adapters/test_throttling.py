import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import pytest
from azure.core.pipeline import AsyncPipeline
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import HttpRequest

from adapters.throttling import Throttling, ThrottlingPolicy
from rotation.vocabulary.errors import OutOfTime, Unavailable
from rotation.vocabulary.limits import LAST_SEND
from rotation.vocabulary.timing import Deadline
from tests.twins.clock import HandClock

SUBSCRIPTION = "aaaaaaaa-1111-4111-8111-111111111111"
OTHER = "bbbbbbbb-2222-4222-8222-222222222222"
LEFT = "x-ms-ratelimit-remaining-subscription-"
PLENTY = {f"{LEFT}writes": "199"}
FEW = {f"{LEFT}writes": "50"}


class SharedClock(HandClock):
    """
    A clock that several can sleep on at once: moved from one waking to the next.

    Who has gone to sleep last wakes first, so that no order comes by itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        """
        Sleep until the clock was moved that far.
        """
        waking = self.monotonic() + seconds, asyncio.Event()
        self._sleepers.append(waking)
        try:
            await waking[1].wait()
        finally:
            self._sleepers.remove(waking)

    async def pass_by(self, seconds: float) -> None:
        """
        Let the time pass, and everybody do what they do meanwhile.
        """
        end = self.monotonic() + seconds
        await settle()
        while due := [waking for waking in reversed(self._sleepers) if waking[0] <= end + 1e-9]:
            first = min(due, key=lambda waking: waking[0])
            self.advance(timedelta(seconds=max(0.0, first[0] - self.monotonic())))
            first[1].set()
            await settle()
        self.advance(timedelta(seconds=max(0.0, end - self.monotonic())))
        await settle()


async def settle() -> None:
    """
    Let all tasks come to where they wait.
    """
    for _ in range(50):
        await asyncio.sleep(0)


@dataclass
class Sent:
    """
    A request that reached ARM, and when.
    """

    at: float
    method: str
    path: str
    options: dict[str, Any]


@dataclass
class Arm(AsyncHttpTransport[Any, Any]):
    """
    A transport whose answers are scripted: the next of `script` or, when it is used up, `usual`.
    """

    clock: HandClock
    usual: tuple[int, Mapping[str, str]] = (200, PLENTY)
    script: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    body: str = ""

    def __post_init__(self) -> None:
        self.answering.set()
        self._started = self.clock.monotonic()

    async def send(self, request: Any, **options: Any) -> Any:
        """
        Note a request and answer it, as soon as answers are given.
        """
        at = round(self.clock.monotonic() - self._started, 6)
        self.sent.append(Sent(at, request.method, request.url.removeprefix("https://arm"), options))
        status, headers = self.script.pop(0) if self.script else self.usual
        await self.answering.wait()
        return SimpleNamespace(status_code=status, headers=headers, text=lambda: self.body)

    @property
    def times(self) -> list[float]:
        """
        When requests came, in seconds since the beginning.
        """
        return [sent.at for sent in self.sent]

    async def open(self) -> None:
        """
        Be open.
        """

    async def close(self) -> None:
        """
        Stay open.
        """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        return None


@dataclass
class Client:
    """
    A client of ARM, with its own pipeline.
    """

    pipeline: AsyncPipeline[Any, Any]
    throttling: Throttling

    def ask(
        self, name: str = "", *, method: str = "POST", of: str = SUBSCRIPTION, deadline: Deadline | None = None
    ) -> asyncio.Task[Any]:
        """
        Send a request in the background.
        """
        request = HttpRequest(method, f"https://arm/subscriptions/{of}/{name}?api-version=1")
        options = {} if deadline is None else {"deadline": deadline}
        return asyncio.get_running_loop().create_task(self._run(request, options))

    async def _run(self, request: HttpRequest, options: dict[str, Any]) -> int:
        answer = await self.pipeline.run(request, **options)
        return int(answer.http_response.status_code)


@pytest.fixture
def clock() -> SharedClock:
    """
    Return the clock of the throttling.
    """
    return SharedClock()


@pytest.fixture
def arm(clock: SharedClock) -> Arm:
    """
    Return an ARM with plenty of room.
    """
    return Arm(clock)


@pytest.fixture
def throttling(clock: SharedClock) -> Throttling:
    """
    Return what the clients of the process share.
    """
    return Throttling(clock)


def client_of(arm: Arm, throttling: Throttling) -> Client:
    """
    Return a client.
    """
    return Client(AsyncPipeline(arm, [ThrottlingPolicy(throttling)]), throttling)


@pytest.fixture
async def client(arm: Arm, throttling: Throttling) -> AsyncIterator[Client]:
    """
    Yield a client, none of whose requests may be left waiting.
    """
    yield client_of(arm, throttling)
    assert not [task for task in asyncio.all_tasks() if "Client._run" in repr(task)]


def refusal(seconds: int | str, **left: int) -> tuple[int, Mapping[str, str]]:
    """
    Return a 429, by default with an empty bucket of writes.
    """
    return 429, {"Retry-After": str(seconds)} | {f"{LEFT}{kind}": str(count) for kind, count in left.items()}


async def refused(arm: Arm, client: Client, answer: tuple[int, Mapping[str, str]]) -> None:
    """
    Let a request be answered so.
    """
    arm.script.append(answer)
    assert await client.ask("refused") == answer[0]
    arm.sent.clear()


async def outcomes(*tasks: asyncio.Task[Any]) -> list[Any]:
    """
    Return the answers or the types of the errors.
    """
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(end) if isinstance(end, BaseException) else end for end in ends]


async def test_with_room_nobody_waits(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    Any number of requests passes at the same moment.
    """
    assert await outcomes(*(client.ask() for _ in range(100))) == [200] * 100
    assert arm.times == [0.0] * 100


async def test_a_refusal_holds_every_request_of_the_subscription(
    clock: SharedClock, arm: Arm, client: Client, throttling: Throttling
) -> None:
    """
    Reads and writes of all clients wait as long as the one that was told, whatever the case of the id.
    """
    await refused(arm, client, refusal(5, writes=0))
    other_client = client_of(arm, throttling)

    tasks = client.ask(), client.ask(method="GET"), other_client.ask(of=SUBSCRIPTION.upper())
    await clock.pass_by(4.9)
    assert arm.sent == []
    await clock.pass_by(0.5)

    assert await outcomes(*tasks) == [200] * 3
    assert arm.times[0] == 5.0


async def test_another_subscription_is_not_affected(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    Each subscription has limits of its own, and a request without one is nobody's.
    """
    await refused(arm, client, refusal(5, writes=0))

    assert await client.ask(of=OTHER) == 200
    assert await client._run(HttpRequest("GET", "https://arm/providers?api-version=1"), {}) == 200
    assert arm.times == [0.0, 0.0]


async def test_after_a_refusal_requests_pass_one_after_the_other(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    They come in the order of arrival at the rate at which ARM refills, not all at once.
    """
    await refused(arm, client, refusal(2, writes=0))
    arm.usual = 200, {f"{LEFT}writes": "3", f"{LEFT}reads": "249"}

    tasks = [client.ask(str(number), method="GET" if number % 2 else "POST") for number in range(6)]
    await clock.pass_by(3)

    assert await outcomes(*tasks) == [200] * 6
    assert arm.times == [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
    assert [sent.path.split("/")[-1][0] for sent in arm.sent] == list("012345")


async def test_room_lets_all_pass_again(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    After the wait, the first answer that shows room frees those who still wait.
    """
    await refused(arm, client, refusal(2, writes=0))
    arm.answering.clear()

    tasks = [client.ask() for _ in range(6)]
    await clock.pass_by(2.15)
    arm.answering.set()
    await clock.pass_by(1)

    assert await outcomes(*tasks) == [200] * 6
    assert arm.times == [2.0, 2.1] + [2.2] * 4


async def test_an_answer_from_before_the_refusal_tells_of_no_room(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    A request that was on its way already when another was refused says nothing about the time after the wait.
    """
    arm.answering.clear()
    early = client.ask()
    await settle()
    told = client_of(Arm(clock, usual=refusal(2, writes=0)), client.throttling)
    assert await told.ask() == 429
    arm.answering.set()
    assert await early == 200
    arm.sent.clear()
    arm.answering.clear()

    tasks = [client.ask() for _ in range(3)]
    await clock.pass_by(3)
    arm.answering.set()

    assert await outcomes(*tasks) == [200] * 3
    assert arm.times == [2.0, 2.1, 2.2]


async def test_a_success_during_a_refusal_does_not_shorten_what_follows(
    clock: SharedClock, arm: Arm, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A request that was let in before, and shows few left, changes nothing about the time after the wait.
    """
    arm.answering.clear()
    arm.script.append((200, FEW))
    early = client.ask()
    await settle()
    told = client_of(Arm(clock, usual=refusal(60, writes=0)), client.throttling)
    assert await told.ask() == 429
    arm.answering.set()
    assert await early == 200
    await clock.pass_by(55)
    arm.sent.clear()
    arm.usual = 200, FEW

    tasks = [client.ask() for _ in range(3)]
    await clock.pass_by(6)

    assert await outcomes(*tasks) == [200] * 3
    assert arm.times == [60.0, 60.1, 60.2]
    assert len(caplog.messages) == 1


async def test_nobody_overtakes_who_waits(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    A request that comes at the moment when the wait is over goes to the end of the queue.
    """
    await refused(arm, client, refusal(2, writes=0))
    tasks = [client.ask("first"), client.ask("second")]
    await settle()
    clock.advance(timedelta(seconds=2))
    tasks.append(client.ask("third"))
    await clock.pass_by(1)

    assert await outcomes(*tasks) == [200] * 3
    assert [sent.path.split("?")[0].split("/")[-1] for sent in arm.sent] == ["first", "second", "third"]


async def test_part_of_a_millisecond_is_no_wait(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    Nobody sleeps for less than a clock may tell, and who passes that early has waited until the end.
    """
    await refused(arm, client, refusal(2, writes=0))
    clock.advance(timedelta(seconds=1.9996))

    assert await client.ask() == 200
    assert await client.ask() == 200

    assert arm.times == [1.9996, 1.9996]


async def test_the_longest_of_several_refusals_counts(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    In whatever order their answers come.
    """
    arm.answering.clear()
    arm.script += [refusal(3, writes=0), refusal(5, writes=0), refusal(1, writes=0)]
    told = [client.ask() for _ in range(3)]
    await settle()
    arm.answering.set()
    assert await outcomes(*told) == [429] * 3
    arm.sent.clear()

    task = client.ask()
    await clock.pass_by(6)

    assert await task == 200
    assert arm.times == [5.0]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {f"{LEFT}writes": "50"}),
        ("POST", {f"{LEFT}writes": "0", f"{LEFT}global-writes": "2999"}),
        ("POST", {f"{LEFT}writes": "199", f"{LEFT}global-writes": "49"}),
        ("PUT", {f"{LEFT}writes": "1"}),
        ("GET", {f"{LEFT}reads": "50"}),
        ("GET", {f"{LEFT}reads": "249", f"{LEFT}global-reads": "7"}),
    ],
)
async def test_few_requests_left_pass_one_after_the_other(
    clock: SharedClock, arm: Arm, client: Client, method: str, headers: Mapping[str, str]
) -> None:
    """
    Before anything is refused, the lowest of what is told about that kind of request counts.
    """
    arm.usual = 200, headers
    assert await client.ask(method=method) == 200

    tasks = [client.ask(method=method) for _ in range(3)]
    await clock.pass_by(1)

    assert await outcomes(*tasks) == [200] * 3
    assert arm.times == [0.0, 0.1, 0.2, 0.3]


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("POST", {}),
        ("POST", {f"{LEFT}writes": "51"}),
        ("POST", {f"{LEFT}reads": "0"}),
        ("GET", {f"{LEFT}writes": "0"}),
        ("POST", {f"{LEFT}writes": ""}),
        ("POST", {f"{LEFT}writes": "few"}),
        ("POST", {f"{LEFT}writes": "-1"}),
        ("POST", {f"{LEFT}writes": "1.5"}),
        ("POST", {f"{LEFT}writes": "\u0667"}),
        ("POST", {f"{LEFT}writes": "0" * 10}),
    ],
)
async def test_headers_that_tell_nothing_change_nothing(
    clock: SharedClock, arm: Arm, client: Client, method: str, headers: Mapping[str, str]
) -> None:
    """
    Missing or malformed ones, and those about another kind of request, are ignored.
    """
    arm.usual = 200, headers
    assert await client.ask(method=method) == 200

    assert await outcomes(*(client.ask(method=method) for _ in range(3))) == [200] * 3
    assert arm.times == [0.0] * 4


async def test_a_little_more_than_few_is_no_room_yet(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    Between few and room things stay as they are, so that they do not change with every request.
    """
    arm.script.append((200, FEW))
    arm.usual = 200, {f"{LEFT}writes": "99"}
    assert await client.ask() == 200

    tasks = [client.ask() for _ in range(3)]
    await clock.pass_by(1)

    assert await outcomes(*tasks) == [200] * 3
    assert arm.times == [0.0, 0.1, 0.2, 0.3]


async def test_scarcity_is_forgotten_after_a_while(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    Where headers are missing, requests pass freely again when the bucket must be full.
    """
    await refused(arm, client, refusal(5, writes=0))
    arm.usual = 200, {}

    await clock.pass_by(24.9)
    tasks = [client.ask() for _ in range(2)]
    await clock.pass_by(0.2)
    tasks += [client.ask() for _ in range(2)]

    assert await outcomes(*tasks) == [200] * 4
    assert arm.times == [24.9, 25.0, 25.1, 25.1]


async def test_a_long_wait_puts_a_request_off_at_once(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    Nothing is sent and no place in the queue is held; the error says when to come back.
    """
    await refused(arm, client, refusal(11, writes=0))

    with pytest.raises(Unavailable, match="was not sent") as put_off:
        await client.ask()

    assert put_off.value.retry_after == timedelta(seconds=11)
    await clock.pass_by(1.5)
    task = client.ask()
    await clock.pass_by(10)
    assert await task == 200
    assert arm.times == [11.0]


async def test_a_queue_that_is_too_long_takes_nobody_in(clock: SharedClock, arm: Arm) -> None:
    """
    A request that comes when all places within the longest wait are taken is refused.
    """
    client = client_of(arm, Throttling(clock, longest_wait=9.25))
    await refused(arm, client, refusal(9, writes=0))
    arm.usual = 200, FEW

    tasks = [client.ask() for _ in range(5)]
    await settle()
    assert await outcomes(*tasks[3:]) == [Unavailable] * 2
    await clock.pass_by(10)

    assert await outcomes(*tasks[:3]) == [200] * 3
    assert arm.times == [9.0, 9.1, 9.2]


@pytest.mark.parametrize("seconds", [8, 60])
async def test_a_longer_refusal_meanwhile_puts_off_who_waits(
    clock: SharedClock, arm: Arm, client: Client, seconds: int
) -> None:
    """
    Who waits for the end of one refusal looks again before sending, and does not wait for too long in all.
    """
    arm.answering.clear()
    arm.script.append(refusal(seconds, writes=0))
    slow = client.ask("slow")
    await settle()
    quick = client_of(Arm(clock, usual=refusal(3, writes=0)), client.throttling)
    assert await quick.ask("quick") == 429
    waiting = [client.ask("waiting") for _ in range(3)]
    await clock.pass_by(2.9)

    arm.answering.set()
    assert await slow == 429
    await clock.pass_by(0.1)

    assert await outcomes(*waiting) == [Unavailable] * 3
    assert len(arm.sent) == 1


async def test_the_deadline_is_respected(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    A wait that would outlast it is not begun, and after it nothing is waited for at all.
    """
    await refused(arm, client, refusal(5, writes=0))
    short, ample = Deadline(clock, timedelta(seconds=5)), Deadline(clock, timedelta(seconds=5.1))
    gone = Deadline(clock, timedelta(0))

    tasks = client.ask(deadline=short), client.ask(deadline=gone), client.ask("ample", deadline=ample)
    await clock.pass_by(5)

    assert await outcomes(*tasks) == [Unavailable, OutOfTime, 200]
    assert [sent.path for sent in arm.sent] == [f"/subscriptions/{SUBSCRIPTION}/ample?api-version=1"]


async def test_the_transport_still_gets_the_deadline(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    It checks it last, after any wait here.
    """
    deadline = Deadline(clock, LAST_SEND)

    await client.ask(deadline=deadline)

    assert arm.sent[0].options["deadline"] is deadline


async def test_who_is_cancelled_does_not_stop_the_queue(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    Neither at its head nor in its middle, and nobody waits for the place that was given up.
    """
    await refused(arm, client, refusal(2, writes=0))
    arm.usual = 200, FEW
    tasks = [client.ask(str(number)) for number in range(4)]
    await clock.pass_by(1)

    tasks[0].cancel()
    tasks[2].cancel()
    await clock.pass_by(2)

    assert await outcomes(*tasks) == [asyncio.CancelledError, 200, asyncio.CancelledError, 200]
    assert arm.times == [2.0, 2.1]


async def test_who_fails_does_not_stop_the_queue(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    A dropped connection says nothing about throttling.
    """
    await refused(arm, client, refusal(2, writes=0))
    send = arm.send

    async def drop(request: Any, **options: Any) -> Any:
        await send(request, **options)
        raise ConnectionError

    arm.send = drop  # type: ignore[method-assign]
    tasks = [client.ask() for _ in range(3)]
    await clock.pass_by(3)

    assert await outcomes(*tasks) == [ConnectionError] * 3
    assert arm.times == [2.0, 2.1, 2.2]


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        # Of ARM itself: it says so, or nothing is left.
        (refusal(5, writes=0), 5.0),
        ((429, {"Retry-After": "5", "x-ms-failure-cause": "gateway", f"{LEFT}writes": "30"}), 5.0),
        ((503, {"Retry-After": "5", "x-ms-failure-cause": "gateway"}), 5.0),
        # Not proved to be ARM's own: of the provider behind it, or of a site.
        (refusal(5, writes=199), 5.0),
        (refusal(5), 5.0),
        ((429, {"Retry-After": "5", "x-ms-failure-cause": "service", f"{LEFT}writes": "0"}), 5.0),
        (refusal(11, writes=199), 0.0),
        (refusal(86_400, writes=199), 0.0),
        (refusal(86_400), 0.0),
        ((429, {"Retry-After": "86400", f"{LEFT}resource-requests": "0"}), 0.0),
        ((429, {"Retry-After": "60", "x-ms-failure-cause": "service", f"{LEFT}writes": "0"}), 0.0),
        ((503, {"Retry-After": "5"}), 0.0),
        ((503, {"Retry-After": "5", f"{LEFT}writes": "0"}), 0.0),
        ((503, {"Retry-After": "5", f"{LEFT}writes": "199"}), 0.0),
        # Without a wait that can be read.
        ((429, {}), 0.0),
        ((429, {"x-ms-failure-cause": "gateway"}), 0.1),
        (refusal(0, writes=0), 0.1),
        (refusal("Wed, 21 Oct 2026 07:28:00 GMT", writes=0), 0.1),
        ((503, {"x-ms-failure-cause": "gateway"}), 0.0),
        ((503, {"Retry-After": "0"}), 0.0),
        # Of no throttling.
        ((500, {"Retry-After": "5"}), 0.0),
        ((403, {"Retry-After": "5"}), 0.0),
    ],
)
async def test_what_holds_the_others(
    clock: SharedClock, arm: Arm, client: Client, answer: tuple[int, Mapping[str, str]], seconds: float
) -> None:
    """
    A refusal of ARM does; one that may be a provider's only if its wait is short, and none that is no throttling.
    """
    await refused(arm, client, answer)

    task = client.ask()
    await clock.pass_by(6)

    assert await task == 200
    assert arm.times == [seconds]


async def test_a_429_without_a_writes_header_stops_no_subscription(
    clock: SharedClock, arm: Arm, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Microsoft.Web and Storage count requests of their own: their long waits concern the request that met them.
    """
    answer = 429, {"Retry-After": "300", f"{LEFT}resource-requests": "11999"}
    await refused(arm, client, answer)

    assert await outcomes(*(client.ask() for _ in range(3))) == [200] * 3
    assert arm.times == [0.0] * 3
    assert caplog.messages == []


async def test_the_code_of_arm_holds_every_request_without_any_header(
    clock: SharedClock, arm: Arm, client: Client
) -> None:
    """
    A gateway before ARM may drop headers; the body in ARM's own shape is proof as well.
    """
    arm.body = '{"error": {"code": "SubscriptionRequestsThrottled", "message": "Please try again."}}'
    await refused(arm, client, refusal(60))

    with pytest.raises(Unavailable, match="was not sent"):
        await client.ask()

    assert arm.sent == []


async def test_an_absurd_wait_is_cut(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    After five minutes one request asks again, and gets a new wait if it was too early.
    """
    await refused(arm, client, refusal(86_400, writes=0))

    with pytest.raises(Unavailable) as put_off:
        await client.ask()

    assert put_off.value.retry_after == timedelta(minutes=5)
    await clock.pass_by(300)
    assert await client.ask() == 200


async def test_a_refusal_is_passed_on_and_never_sent_again(clock: SharedClock, arm: Arm, client: Client) -> None:
    """
    What to do about it is for the caller to know.
    """
    arm.usual = refusal(1, writes=0)

    assert await client.ask() == 429
    await clock.pass_by(60)

    assert len(arm.sent) == 1


async def test_one_line_tells_when_it_begins_and_one_when_it_is_over(
    clock: SharedClock, arm: Arm, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """
    One line for any number of requests, and none while nobody has to wait.
    """
    caplog.set_level(logging.DEBUG, "adapters.throttling")
    arm.script.append((200, FEW))
    assert await client.ask() == 200
    await clock.pass_by(1)
    assert caplog.messages == []

    await refused(arm, client, refusal(11, writes=0))
    assert await outcomes(*(client.ask() for _ in range(3))) == [Unavailable] * 3
    await clock.pass_by(5)
    arm.answering.clear()
    tasks = [client.ask() for _ in range(4)]
    await clock.pass_by(6.15)
    arm.answering.set()
    await settle()
    tasks.append(client.ask())
    await clock.pass_by(1)
    assert await outcomes(*tasks) == [200] * 5

    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    begun, over = caplog.messages
    assert SUBSCRIPTION in begun
    assert "refuses writes for 11 s" in begun
    assert SUBSCRIPTION in over
    assert "5 requests had waited, 3 had been put off" in over


async def test_the_next_time_is_told_anew(
    clock: SharedClock, arm: Arm, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Each time has its own two lines, with its own counts; it lasts as long as few requests are left.
    """
    arm.usual = 200, FEW
    for _ in range(2):
        tasks = [client.ask()]
        await settle()
        tasks += [client.ask() for _ in range(2)]
        await clock.pass_by(1)
        assert await outcomes(*tasks) == [200] * 3
        assert len(caplog.messages) % 2 == 1
        await clock.pass_by(60)

    arm.usual = 200, PLENTY
    assert await client.ask() == 200
    assert len(caplog.messages) == 4
    for begun, over in (caplog.messages[:2], caplog.messages[2:]):
        assert "one after the other" in begun
        assert "2 requests had waited, 0 had been put off" in over
