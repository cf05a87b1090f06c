"""
What is rotated in a benchmark, and by which app.
"""

from enum import StrEnum

OURS = "function_app"
BARE = "azure.functions"
"""What every app in Python imports, and no app: the limit of a start."""


class Kind(StrEnum):
    """
    A kind of target that has rivals.
    """

    BATCH = "batch"
    WORKFLOW = "workflow"

    @property
    def label(self) -> str:
        """
        As it is shown.
        """
        return "Batch" if self is Kind.BATCH else "workflow"

    @property
    def tutorial(self) -> str:
        """
        The module of the tutorial's app.
        """
        return f"benchmarks.rivals.tutorial_{self}"

    @property
    def sample(self) -> str:
        """
        The module of the documentation's sample as an app.
        """
        return f"benchmarks.rivals.sample_{self}"
