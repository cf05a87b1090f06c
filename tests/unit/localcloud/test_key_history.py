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
