import re
from pathlib import Path

from rotation.schedule import Schedule

ROOT = Path(__file__).parents[3]


def test_the_default_schedule_of_the_sweep_is_one_that_the_host_runs_by() -> None:
    """
    The template's default is a schedule, and its description says what one is.
    """
    template = (ROOT / "infra/main.bicep").read_text()
    found = re.search(r"@description\('([^\n]*)'\)\nparam sweepSchedule string = '([^\n]*)'", template)
    assert found
    assert Schedule.parse(found[2]).fields
    assert "second, minute, hour, day, month, weekday" in found[1]
