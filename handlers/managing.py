"""
The HTTP API's part that puts secrets under management and changes how they are managed.
"""

from http import HTTPStatus

import azure.functions as func

from handlers.answers import answered, query_of
from handlers.calls import answers
from handlers.reading import read_body, read_secret_path, require_no_query
from rotation.overview.one_secret import show_secret
from rotation.vocabulary.secret import SecretId
from wiring import wired

blueprint = func.Blueprint()


@answers(blueprint, "PUT", "secrets/{vault}/{name}")
async def manage_secret(request: func.HttpRequest) -> func.HttpResponse:
    """
    Put a secret under management, and let the app make it where that is asked for.
    """
    # Few ask, and every cold start would pay.
    from handlers.wishes import MANAGE_EXAMPLE, Management  # noqa: PLC0415
    from rotation.manage.manage import manage_secret as manage  # noqa: PLC0415

    secret, asked = _secret_of(request), read_body(request.get_body(), Management, MANAGE_EXAMPLE)
    world, wish = wired().world, asked.wish(wired().providers.parse_target)
    is_new = await manage(world, secret, wish, may_create=asked.create)
    shown = await show_secret(world, secret, lead=wired().settings.lead)
    return answered(shown, HTTPStatus.CREATED if is_new else HTTPStatus.OK)


@answers(blueprint, "PATCH", "secrets/{vault}/{name}")
async def change_secret(request: func.HttpRequest) -> func.HttpResponse:
    """
    Pause a managed secret, change its validity or its strategy, or take it out of management.
    """
    # As above.
    from handlers.wishes import CHANGE_EXAMPLE, SecretChange  # noqa: PLC0415
    from rotation.manage.change import change_secret as change  # noqa: PLC0415
    from rotation.manage.change import unmanage_secret  # noqa: PLC0415

    secret, asked = _secret_of(request), read_body(request.get_body(), SecretChange, CHANGE_EXAMPLE)
    world, wish = wired().world, asked.change()
    if wish is None:
        await unmanage_secret(world, secret)
        return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT)
    await change(world, secret, wish)
    return answered(await show_secret(world, secret, lead=wired().settings.lead))


def _secret_of(request: func.HttpRequest) -> SecretId:
    require_no_query(query_of(request))
    return read_secret_path(request.route_params.get("vault", ""), request.route_params.get("name", ""))
