"""
The HTTP API's part about the app itself.
"""

from http import HTTPStatus

import azure.functions as func

from handlers.answers import answered
from handlers.calls import answers
from rotation.vocabulary.errors import SettingsError
from wiring import wired

blueprint = func.Blueprint()


@blueprint.route(route="health", methods=["GET"], trigger_arg_name="request", auth_level=func.AuthLevel.ANONYMOUS)
async def get_health(request: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger has to arrive
    """
    Return whether the app could rotate a key right now.
    """
    try:
        health = await wired().health.report()
    except SettingsError as error:
        checks = {"settings": f"{error.setting} must be {error.expected}"}
        return answered({"status": "Unhealthy", "checks": checks}, HTTPStatus.SERVICE_UNAVAILABLE)
    return answered(health, HTTPStatus.OK if health.status == "Healthy" else HTTPStatus.SERVICE_UNAVAILABLE)


@answers(blueprint, "GET", "openapi.json")
async def get_openapi(request: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger has to arrive
    """
    Return what this API can be asked, as OpenAPI 3.1.
    """
    from handlers.openapi import document  # noqa: PLC0415 - few ask, and every cold start would pay

    return answered(document(wired().authentication))
