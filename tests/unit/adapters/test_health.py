import asyncio
from collections.abc import Callable

import pytest

from rotation.vocabulary.errors import Declined, NoAnswer, NotFound, SettingsError, Unavailable
from rotation.vocabulary.limits import HEALTH_KEPT_FOR
from wiring import health
from wiring.health import Health, HealthCheck


class Part:
    """
    Something that a rotation needs, well or not.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.probes = 0

    async def probe(self) -> None:
        """
        Count, and fail as told.
        """
        self.probes += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error


async def never() -> None:
    """
    Give no answer.
    """
    await asyncio.Event().wait()


async def test_an_app_is_healthy_if_all_its_parts_are() -> None:
    """
    Every part is listed, and the settings that were read to ask them.
    """
    report = await HealthCheck({"ledger": Part().probe, "vaults": Part().probe}).report()

    assert report == Health("Healthy", {"settings": "ok", "ledger": "ok", "vaults": "ok"})


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Unavailable("503 of kv-internal.vault.azure.net"), "unavailable"),
        (NoAnswer("kv-internal.vault.azure.net: the connection dropped"), "no_answer"),
        (Declined("403 Forbidden: kv-internal.vault.azure.net"), "declined"),
        (NotFound("404 TableNotFound: kv-internal"), "not_found"),
        (TimeoutError("kv-internal.vault.azure.net"), "no_answer"),
        (SettingsError("ROTATION_VAULTS", "vault URIs", "kv-internal"), "settings"),
    ],
)
async def test_a_part_that_fails_makes_it_unhealthy_and_tells_no_name(
    caplog: pytest.LogCaptureFixture, error: Exception, word: str
) -> None:
    """
    The public answer names the part and a stable word; what exactly happened is in the log alone.
    """
    report = await HealthCheck({"ledger": Part().probe, "vaults": Part(error).probe}).report()

    assert report == Health("Unhealthy", {"settings": "ok", "ledger": "ok", "vaults": word})
    assert "internal" not in repr(report)
    assert "vaults" in caplog.text


async def test_a_part_that_hangs_makes_it_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Who asks gets an answer in bounded time, also about the parts that are well.
    """
    monkeypatch.setattr(health, "HEALTH_WITHIN", 0.01)

    report = await HealthCheck({"ledger": never, "vaults": Part().probe}).report()

    assert report == Health("Unhealthy", {"settings": "ok", "ledger": "no_answer", "vaults": "ok"})


async def test_parts_are_asked_at_the_same_time() -> None:
    """
    One slow part does not delay the question to the next: here each waits for the other.
    """
    both = asyncio.Barrier(2)

    async def meet() -> None:
        await both.wait()

    async with asyncio.timeout(5):
        report = await HealthCheck({"ledger": meet, "vaults": meet}).report()

    assert report.status == "Healthy"


@pytest.mark.parametrize("error", [None, Unavailable("503")])
async def test_asking_often_costs_one_probe(error: Exception | None) -> None:
    """
    However many ask, at once or one after the other, each part is asked once, well or not.
    """
    part = Part(error)
    check = HealthCheck({"ledger": part.probe})

    reports = await asyncio.gather(*(check.report() for _ in range(50)))
    reports.append(await check.report())

    assert part.probes == 1
    assert all(report == reports[0] for report in reports)


@pytest.mark.parametrize(
    ("age", "fresh"), [(lambda kept: kept - 5, True), (lambda kept: kept + 1, False), (lambda kept: kept * 100, False)]
)
async def test_an_old_answer_is_not_given_again(age: Callable[[float], float], *, fresh: bool) -> None:
    """
    A part that has recovered, or failed, since then shows a few seconds later.
    """
    part = Part(Unavailable("503"))
    check = HealthCheck({"ledger": part.probe})
    before = await check.report()
    part.error = None
    check._asked_at -= age(HEALTH_KEPT_FOR)

    after = await check.report()

    assert before.status == "Unhealthy"
    assert after.status == ("Unhealthy" if fresh else "Healthy")
    assert part.probes == (1 if fresh else 2)


async def test_a_caller_that_stops_waiting_does_not_spoil_the_next_answer() -> None:
    """
    A caller that goes away amid the probes leaves no lock and no half answer behind.
    """
    begun, part = asyncio.Event(), Part()

    async def wait_once() -> None:
        await part.probe()
        if part.probes == 1:
            begun.set()
            await never()

    check = HealthCheck({"ledger": wait_once})
    impatient = asyncio.create_task(check.report())
    await begun.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient

    async with asyncio.timeout(5):
        assert (await check.report()).status == "Healthy"
    assert part.probes == 2


class Notice:
    """
    Something that an operator should know of, or not.
    """

    def __init__(self, words: str = "", error: Exception | None = None) -> None:
        self.words = words
        self.error = error
        self.asked = 0

    async def tell(self) -> str:
        """
        Count, and tell or fail as told.
        """
        self.asked += 1
        if self.error:
            raise self.error
        return self.words


async def test_a_notice_stands_beside_the_checks_and_makes_nothing_unhealthy() -> None:
    """
    Keys can be rotated although some secrets are misconfigured.
    """
    report = await HealthCheck(
        {"ledger": Part().probe}, {"secrets": Notice("2 misconfigured, 1 overdue").tell}
    ).report()

    assert report == Health("Healthy", {"settings": "ok", "ledger": "ok", "secrets": "2 misconfigured, 1 overdue"})


async def test_a_notice_without_words_is_well() -> None:
    """
    There is nothing to know of.
    """
    report = await HealthCheck({"ledger": Part().probe}, {"secrets": Notice().tell}).report()

    assert report == Health("Healthy", {"settings": "ok", "ledger": "ok", "secrets": "ok"})


@pytest.mark.parametrize(
    ("error", "word"),
    [(Unavailable("503 of kv-internal"), "unavailable"), (RuntimeError("kv-internal"), "failed")],
)
async def test_a_notice_that_cannot_be_had_makes_nothing_unhealthy(error: Exception, word: str) -> None:
    """
    It shows so, and tells no name.
    """
    report = await HealthCheck({"ledger": Part().probe}, {"secrets": Notice(error=error).tell}).report()

    assert report == Health("Healthy", {"settings": "ok", "ledger": "ok", "secrets": word})


async def test_a_notice_does_not_hide_that_a_part_fails() -> None:
    """
    The parts alone decide.
    """
    report = await HealthCheck({"ledger": Part(Unavailable("503")).probe}, {"secrets": Notice().tell}).report()

    assert report.status == "Unhealthy"


async def test_a_notice_is_asked_for_as_seldom_as_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One that hangs is waited for as long as any part, and the answer is kept.
    """
    monkeypatch.setattr(health, "HEALTH_WITHIN", 0.01)
    notice = Notice("1 overdue")

    async def hang() -> str:
        await never()
        return ""

    check = HealthCheck({"ledger": Part().probe}, {"secrets": notice.tell, "slow": hang})

    reports = [await check.report() for _ in range(5)]

    assert notice.asked == 1
    assert all(report == reports[0] for report in reports)
    assert (reports[0].status, reports[0].checks["slow"]) == ("Healthy", "no_answer")
