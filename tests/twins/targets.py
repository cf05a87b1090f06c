"""
Targets by their ids and by their names.
"""

from datetime import datetime

from providers import KINDS, ids
from providers.batch import BATCH_ACCOUNT
from providers.workflow import WORKFLOW
from rotation.vocabulary import record
from rotation.vocabulary.record import Rotation
from rotation.vocabulary.request import RotationRequest
from rotation.vocabulary.target import Target

#: What `Scopes` leaves out of a prefix.
DETOURS = [detour for kind in KINDS for detour in kind.detours]


def parse_target(arm_id: str) -> Target:
    """
    Return the target that an ARM id names.
    """
    return ids.parse_target(KINDS, arm_id)


def batch_account(subscription: str, resource_group: str, account: str) -> Target:
    """
    Return a Batch account.
    """
    return BATCH_ACCOUNT.target({"subscription": subscription, "resource_group": resource_group, "account": account})


def workflow(subscription: str, resource_group: str, site: str, name: str, trigger: str | None = None) -> Target:
    """
    Return a workflow of a Logic App, or one of its triggers.
    """
    names = {"subscription": subscription, "resource_group": resource_group, "site": site, "workflow": name}
    return WORKFLOW.target(names | ({"trigger": trigger} if trigger else {}))


def accepted_record(request: RotationRequest, now: datetime) -> Rotation:
    """
    Return the record of a rotation that is accepted and not begun.
    """
    return record.accepted_record(request, now, parse_target)
