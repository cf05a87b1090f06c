"""
Who asks the local Azure for something, as roles are assigned to them.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Principal:
    """
    A member of the directory: its object id, by which roles are assigned, and the application that it signs in with.
    """

    principal_id: str
    client_id: str
    type: Literal["ServicePrincipal", "User"] = "ServicePrincipal"


OPERATOR = Principal("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa", "04b07795-8ddb-461a-bbee-02f9e1bf7b46", "User")
"""A person, in the portal or at a command line."""

SECRET_USERS = Principal("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb", "cccccccc-cccc-4ccc-8ccc-cccccccccccc")
"""The clients that read secrets, and nothing else."""
