import json
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import DOCUMENT
from benchmarks.results import Goal, Results


def goals_met(ours: float, *goals: Goal) -> list[str]:
    """
    Return what the table says of each goal, where the tutorial takes a second and ours takes `ours`, in two processes.
    """
    results = Results(goals)
    for app, seconds in (("ours", ours), ("tutorial", 1.0)):
        for _ in range(2):
            results.add("warm", "time", app, [seconds])
    return [row.split(" | ")[2] for row in results.sections["goals"].splitlines()[2:]]


@pytest.mark.parametrize(("ours", "said"), [(1.49, "met"), (1.5, "met"), (1.51, "**NOT MET**")])
def test_a_goal_is_met_up_to_its_bound(ours: float, said: str) -> None:
    """
    As so many times another app's figure, and as a figure in itself.
    """
    assert goals_met(ours, Goal("time", 1.5, "x", ("time", "tutorial")), Goal("time", 1.5, "seconds")) == [said, said]


def test_a_goal_that_was_not_measured_is_left_out() -> None:
    """
    Nothing is met because nothing is known.
    """
    assert goals_met(1.0, Goal("memory", 1.0, "x"), Goal("time", 1.0, "x", ("time", "limit"))) == []


def test_a_figure_is_shown_beside_the_others_with_its_ratios() -> None:
    """
    Medians with the least and the most, in their unit; what nobody measured stays empty.
    """
    results = Results()
    results.add("warm", "time", "ours", [0.5, 0.6, 0.55])
    results.add("warm", "time", "before", [1.1])
    results.add("warm", "requests", "ours", [10_000], "integer")

    assert results.sections["warm"].splitlines() == [
        "|  | ours | before | ours/before |",
        "|---|---:|---:|---:|",
        "| time | 550 ms (500 to 600) | 1.10 sec | 0.50 |",
        "| requests | 10,000 |  |  |",
    ]


def test_the_commit_before_is_held_against_the_same_goals() -> None:
    """
    An empty name of the other app means its own figure.
    """
    results = Results([Goal("last", 1.05, "x", ("fifth", ""))])
    for app, last in (("ours", 100), ("before", 110)):
        results.add("many", "fifth", app, [100], "byte")
        results.add("many", "last", app, [last], "byte")

    assert results.sections["goals"].endswith("| last | at most 1.05 x | met | 1 | 1.1 |\n")


def test_results_are_stored_for_each_app(tmp_path: Path) -> None:
    """
    In pyperf's format, whose command line compares the files.
    """
    results = Results()
    results.add("warm", "time", "ours", [0.5])
    results.store(tmp_path)

    (file,) = tmp_path.iterdir()
    assert (file.name, json.loads(file.read_text())["benchmarks"][0]["runs"][0]["values"]) == ("ours.json", [0.5])


def test_the_page_has_a_place_for_everything() -> None:
    """
    docs/performance.md is what a full run writes into.
    """
    places = re.findall(r"<!-- ([\w-]+): written by", DOCUMENT.read_text())

    assert sorted(places) == sorted(
        ["circumstances", "goals", "cold", "warm", "units", "many", "sweep", "timeline-batch", "timeline-workflow"]
    )
