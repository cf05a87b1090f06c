import pytest

from benchmarks import limit
from benchmarks.kind import Kind


@pytest.mark.parametrize(("kind", "trips"), [(Kind.BATCH, 12), (Kind.WORKFLOW, 12)])
def test_the_limit_is_the_trips_times_the_latency(kind: Kind, trips: int) -> None:
    """
    The new key of a Batch account is in the answer, and is tried; a workflow's new URL has to be asked for.
    """
    assert len(limit.trips(kind)) == trips
    assert limit.seconds(kind, 0.05) == pytest.approx(trips * 0.05)
    assert limit.seconds(kind, 0.0) == 0.0


def test_what_goes_out_together_is_counted_request_by_request() -> None:
    """
    Both URLs of a trigger are read before and after the key of a workflow is regenerated.
    """
    requests = limit.requests(Kind.WORKFLOW)

    assert requests["Workflow.ListCallbackUrl"] == 4
    assert requests["Workflow.RegenerateAccessKey"] == 1
    assert requests.total() == sum(len(trip.requests) for trip in limit.trips(Kind.WORKFLOW))
