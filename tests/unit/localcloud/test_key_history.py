import math
from datetime import timedelta

from localcloud.azure.key_history import KeyHistory

OWNER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Batch/batchAccounts/a"


def test_a_new_value_ends_the_life_of_the_former() -> None:
    """
    At every instant a key has exactly one live value.
    """
    history = KeyHistory()
    history.begin(OWNER, "Primary", "first")
    history.begin(OWNER, "Secondary", "other")
    history.begin(OWNER, "Primary", "second")

    first, second = history.of(OWNER.upper(), "Primary")
    assert first.until == second.since
    assert second.until is None
    assert (first.value, second.value) == ("first", "second")
    assert [history.is_live(value) for value in ("first", "second", "other", "never")] == [False, True, True, False]
    assert history.values() == {"first", "second", "other"}


def test_the_same_value_again_goes_on_living() -> None:
    """
    A signature that a regeneration did not touch keeps its life.
    """
    history = KeyHistory()
    history.begin(OWNER, "Primary", "same")
    history.begin(OWNER, "Primary", "same")

    assert len(history.of(OWNER)) == 1


def test_the_history_says_since_when_a_value_works() -> None:
    """
    A value that settles is live before it works, and one that another has replaced does neither.
    """
    history = KeyHistory()
    first = history.begin(OWNER, "Primary", "first")
    other = history.begin(OWNER, "Secondary", "other", settling=3600.0)
    second = history.begin(OWNER, "Primary", "second", settling=math.inf)

    made = other.since.wall
    moments = [made + timedelta(seconds=seconds) for seconds in (-1, 0, 3599, 3600, 1e6)]
    assert [other.is_live_at(moment) for moment in moments] == [False, True, True, True, True]
    assert [other.works_at(moment) for moment in moments] == [False, False, False, True, True]
    assert first.works_since == first.since
    assert first.until is not None
    assert not first.works_at(first.until.wall)
    assert second.works_since is None
    assert [life.works for life in history] == [False, False, False]
    assert not any(map(second.works_at, moments))
