from pathlib import Path

import pytest

from tests.live.fidelity import Assumption
from tests.live.plugin import Ended, scrubbed
from tests.live.report import Verdict, judge, table

ROOT = Path(__file__).parents[2]


def assumption(number: int, live: str = "tried") -> Assumption:
    """
    Return an assumption of a number.
    """
    return Assumption(number, f"Statement {number}.", "unchecked", "safe: nothing", (), live)


def ended(outcome: str, *numbers: int, seen: str = "") -> Ended:
    """
    Return how a test ended.
    """
    return Ended(f"test_{outcome}_{numbers}", list(numbers), outcome, [seen] if seen else [])


def verdicts(*results: Ended) -> dict[int, str]:
    """
    Return the verdicts on three assumptions.
    """
    return {one.number: one.verdict for one in judge([assumption(number) for number in (1, 2, 3)], list(results))}


def test_what_passed_confirms_and_what_failed_refutes() -> None:
    """
    One test that failed outweighs all that passed.
    """
    found = verdicts(ended("passed", 1), ended("passed", 2), ended("failed", 2))

    assert found == {1: "confirmed", 2: "refuted", 3: "not tried"}


@pytest.mark.parametrize("outcome", ["skipped", "unclear"])
def test_what_was_left_open_is_not_confirmed_by_the_rest(outcome: str) -> None:
    """
    A part that was skipped, for want of a Logic App, or ended by a dropped connection, was not tried.
    """
    assert verdicts(ended("passed", 1), ended(outcome, 1), ended("passed", 2))[1] == "not tried"


def test_what_is_tried_in_part_says_which_part() -> None:
    """
    So that nobody takes it for more.
    """
    (made,) = judge([assumption(1, "tried in part: one of the codes")], [ended("passed", 1, seen="400")])

    assert (made.verdict, made.seen) == ("confirmed", ["in part: one of the codes", "400"])


def test_what_was_seen_stands_below_its_assumption() -> None:
    """
    Of a refuted one, what the failing test saw; of one that was not tried, why.
    """
    made = judge(
        [assumption(1), assumption(2), assumption(3, "cannot be tried: needs an outage")],
        [ended("passed", 1, seen="200"), ended("failed", 2, seen="404"), ended("passed", 2, seen="200")],
    )

    assert [one.seen for one in made] == [["200"], ["404"], ["cannot be tried: needs an outage"]]
    text = table(made, "the local cloud")
    assert "   1  confirmed  Statement 1.\n                 - 200\n   2  refuted    Statement 2." in text
    assert text.endswith("live, in the local cloud: 3 assumptions: 1 confirmed, 1 refuted, 1 not tried")


def test_a_long_statement_is_cut() -> None:
    """
    A line is a line.
    """
    text = table([Verdict(7, "x" * 200, "confirmed", [], [])], "a place")

    assert text.splitlines()[0].endswith("...")
    assert len(text.splitlines()[0]) < 100


@pytest.mark.parametrize(
    "secret",
    [
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",
        "sig=aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789-_aBcDe",
        "11111111-1111-4111-8111-111111111111",
        "eyJhbGciOiJIUzI1NiJ9eyJhbGciOiJIUzI1NiJ9",
    ],
)
def test_nothing_that_may_be_a_key_or_an_id_is_told(secret: str) -> None:
    """
    Also out of the message of an assertion.
    """
    said = scrubbed(f"assert '{secret}' ==\n  'something'")

    assert secret not in said
    assert said.startswith("assert '...")
    assert "\n" not in said


def test_the_name_of_a_header_is_told() -> None:
    """
    It is long, and no key.
    """
    header = "x-ms-ratelimit-remaining-subscription-global-reads"

    assert scrubbed(f"{header}, {header}") == f"{header}, {header}"


def test_the_names_of_the_place_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Neither the vault's nor those of the accounts.
    """
    from tests.live import description  # noqa: PLC0415 - its answer is kept

    file = tmp_path / "place.json"
    group = "/subscriptions/contoso-subscription/resourceGroups/rg-contoso"
    made = description.Description(
        settings={},
        vault="https://kv-contoso.vault.azure.net",
        batch=f"{group}/providers/x/y/contosobatch",
        storage=f"{group}/providers/x/y/contosostorage",
        workflows=[],
        queue_service="https://q",
        queue="queue",
        patience=1,
    )
    description.write(made, file)
    monkeypatch.setenv(description.VARIABLE, str(file))
    description.description.cache_clear()
    try:
        assert "contoso" not in scrubbed(
            "kv-contoso of contosobatch and contosostorage in rg-contoso of contoso-subscription"
        )
    finally:
        description.description.cache_clear()
