"""
`doctor`: what would fail before it fails.
"""

from typing import Annotated

import typer

from rotator.doctor.deployment import Named
from rotator.doctor.finding import Finding, Verdict
from rotator.doctor.in_azure import look, not_looked_at
from rotator.doctor.report import by_weight, summary, table
from rotator.doctor.resource_manager import Cloud, Place, ResourceManager, place_of
from rotator.doctor.through_the_app import Heard, listen
from rotator.errors import ExitCode
from rotator.session import Session


def doctor(
    session: Session,
    *,
    subscription: Annotated[
        str | None,
        typer.Option(
            envvar="AZURE_SUBSCRIPTION_ID",
            metavar="ID",
            help="The app's subscription; left out, all are looked through.",
        ),
    ] = None,
    cloud: Annotated[Cloud, typer.Option(help="The cloud that the app is in.", case_sensitive=False)] = Cloud.PUBLIC,
    arm_endpoint: Annotated[
        str | None,
        typer.Option(
            envvar="KEY_ROTATOR_ARM_ENDPOINT", metavar="URL", help="A private gateway to Azure Resource Manager."
        ),
    ] = None,
) -> ExitCode:
    """
    Find what would fail before it fails: settings, rights, vaults, targets, events. Changes nothing.
    """
    place = place_of(cloud, arm_endpoint)
    heard = session.run("asking the app to look at its vaults and targets", listen(session.api))
    connection = session.connection
    if connection.app and connection.resource_group:
        named = Named(connection.app.strip(), connection.resource_group.strip(), subscription)
        work = _look_in_azure(session, place, named, heard)
        in_azure = session.run("reading rights and events in Azure", work)
    else:
        in_azure = [not_looked_at()]
    findings = by_weight([*heard.findings, *in_azure])
    if session.screen.as_json:
        session.screen.show_json({"findings": [one.as_json() for one in findings]})
    else:
        session.screen.show(table(findings))
        session.screen.say(summary(findings))
    if heard.is_out_of_reach:
        return ExitCode.NOT_REACHED
    return ExitCode.FAILED if any(one.verdict is Verdict.FAULT for one in findings) else ExitCode.DONE


async def _look_in_azure(session: Session, place: Place, named: Named, heard: Heard) -> list[Finding]:
    manager = ResourceManager(place, session.progress.note)
    try:
        return await look(manager, named, session.connection.address, heard)
    finally:
        await manager.close()
