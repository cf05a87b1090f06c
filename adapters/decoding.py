"""
Whether the azure-functions that runs here decodes what the app is sent.

It rests on assumption 57 of docs/fidelity.md.
"""

from rotation.vocabulary.errors import SettingsError


async def probe() -> None:
    """
    Raise what `require_cloud_events` raises.
    """
    require_cloud_events()


def require_cloud_events() -> None:
    """
    Raise `SettingsError` where azure-functions decodes no CloudEvents: it gives them out as events without a type.

    On Python 3.12 and older the libraries of Azure's worker come first on the path, and its azure-functions may be
    older than the one that the app ships (azure-functions-python-worker#1642).
    """
    import azure.functions as func  # noqa: PLC0415 - the worker has imported it; a benchmark has not

    if not hasattr(func, "CloudEvent"):
        raise SettingsError(
            "PYTHON_ISOLATE_WORKER_DEPENDENCIES",
            "1, so that the app's own azure-functions is used",
            f"has no effect, and azure-functions {func.__version__} of the worker decodes no CloudEvents",
        )
