"""
How both management clients talk to Azure Resource Manager.

It rests on assumptions 12 and 13 of docs/fidelity.md.
"""

from typing import Any

from azure.core.pipeline.policies import (
    AsyncRetryPolicy,
    ContentDecodePolicy,
    CustomHookPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

from adapters.credential import Identity
from adapters.throttling import Throttling, ThrottlingPolicy


def client_options(credential: Identity, scope: str, transport: Any, throttling: Throttling) -> dict[str, Any]:
    """
    Return the options of a management client: one request for one call.

    The policies are spelled out because of two defaults. Retries: after a 5xx that followed the work, or any error with
    Retry-After, the SDK regenerates again, silently. Registration: a 409 MissingSubscriptionRegistration makes
    azure-mgmt-core register the provider and poll without bound. Logging policies are left out: they have nothing to
    add to ours, and answers hold keys. `throttling` is shared by all clients: they draw on the same limits.
    """
    return {
        "transport": transport,
        "policies": [
            RequestIdPolicy(),
            UserAgentPolicy("azure-key-rotator"),
            ContentDecodePolicy(),
            AsyncRetryPolicy.no_retries(),
            AsyncARMChallengeAuthenticationPolicy(credential, scope),
            CustomHookPolicy(),
            ThrottlingPolicy(throttling),
        ],
    }
