"""
What each service says with each status, as recorded or, where that is missing, as reported or guessed.

What a resource provider says itself stands with its kind of target, in `localcloud/kinds/`.
Recorded, with invented ids: codes, texts and headers of Azure Resource Manager, Key Vault and Batch. Reported: 401, 403
and 429 of Azure Resource Manager, 403 and 429 of Key Vault. The other texts, among them all of 500 and 503, are ours.

It rests on assumptions 1, 2, 3, 9, 12, 17, 49, 52, 53 and 54 of docs/fidelity.md.
"""

from collections.abc import Callable, Mapping, Sequence

from localcloud.azure.dialect import Wording
from localcloud.azure.request_log import LoggedRequest

GATEWAY = {"x-ms-failure-cause": "gateway"}
SERVICE = {"x-ms-failure-cause": "service"}
ARM_CHALLENGE = 'Bearer authorization_uri="https://login.microsoftonline.com/", error="invalid_token"'
RESOURCE_NOT_FOUND = (
    "The Resource '{resource}' under resource group '{group}' was not found. For more details please go to "
    "https://aka.ms/ARMResourceNotFoundFix"
)
SECRET_NOT_FOUND = (
    "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be "
    "able to recover it using the correct recovery command. For help resolving this issue, please see "
    "https://go.microsoft.com/fwlink/?linkid=2125182"
)
AUTHORIZATION_FAILED = (
    "The client '{client}' with object id '{object}' does not have authorization to perform action '{action}' over "
    "scope '{target}' or the scope is invalid. If access was recently granted, please refresh your credentials."
)
FORBIDDEN_BY_RBAC = (
    "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role "
    "definitions were changed recently, please observe propagation time.\r\nCaller: {caller}\r\nAction: '{action}'\r\n"
    "Resource: '{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\n"
    "DecisionReason: 'DeniedWithNoValidRBAC' \r\n"
)
FORBIDDEN_BY_POLICY = (
    "The user, group or application '{caller}' does not have secrets {permission} permission on key vault '{vault}'. "
    "For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
)
CALLER = "appid={client};oid={object};iss=https://sts.windows.net/{tenant}/"
BEING_DELETED = "Secret {name} is currently being deleted and cannot be re-created; retry later."
DELETED = (
    "Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the "
    "secret can only be recovered or purged."
)
# Not recorded: the code is documented, the text is ours.
BEING_RECOVERED = "Secret {name} is currently being recovered and cannot be re-created; retry later."

_ARM = (
    Wording(
        401,
        "ExpiredAuthenticationToken",
        "The access token expiry UTC time '{now}' is earlier than current UTC time '{now}'.",
        headers={"WWW-Authenticate": ARM_CHALLENGE},
    ),
    Wording(
        403,
        "AuthorizationFailed",
        AUTHORIZATION_FAILED,
    ),
    Wording(404, "ResourceNotFound", RESOURCE_NOT_FOUND, headers=GATEWAY),
    Wording(
        409,
        "ResourceGroupBeingDeleted",
        "The resource group '{group}' is in deprovisioning state and cannot perform this operation.",
    ),
    Wording(
        409,
        "ScopeLocked",
        "The scope '{target}' cannot perform write operation because following scope(s) are locked: '{target}'. Please "
        "remove the lock and try again.",
    ),
    Wording(429, "TooManyRequests", "Too many requests. Please try again later.", headers=SERVICE),
    Wording(
        429,
        "SubscriptionRequestsThrottled",
        "Number of '{reads_or_writes}' requests for subscription '{subscription}' actor '{object}' exceeded. Please "
        "try again after '{wait}' seconds.",
        headers=GATEWAY,
    ),
    Wording(500, "InternalServerError", "The server encountered an internal error.", headers=SERVICE),
    Wording(502, "BadGateway", "The gateway received no usable response from '{provider}'.", headers=GATEWAY),
    Wording(503, "ServiceUnavailable", "The service is unavailable.", headers=SERVICE),
    Wording(
        504,
        "GatewayTimeout",
        "The gateway did not receive a response from '{provider}' within the specified time period.",
        headers=GATEWAY,
    ),
)
_KEY_VAULT = (
    Wording(
        401,
        "Unauthorized",
        "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://vault.azure.net/.",
    ),
    Wording(
        403,
        "Forbidden",
        FORBIDDEN_BY_RBAC.format(caller=CALLER, action="Microsoft.KeyVault/vaults/secrets/action", resource="{target}"),
        inner_code="ForbiddenByRbac",
    ),
    Wording(404, "SecretNotFound", SECRET_NOT_FOUND),
    Wording(409, "Conflict", BEING_DELETED, inner_code="ObjectIsBeingDeleted"),
    Wording(
        429,
        "Throttled",
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
    ),
    Wording(500, "InternalServerError", "An internal error has occurred."),
    Wording(503, "ServiceUnavailable", "The service is temporarily unavailable."),
)


def of_arm(providers: Mapping[str, Sequence[Wording]]) -> Callable[[LoggedRequest], Sequence[Wording]]:
    """
    Return what Azure Resource Manager says; what a provider, by its namespace, is known to say itself comes first.
    """
    known = {namespace.casefold(): wordings for namespace, wordings in providers.items()}

    def wordings(request: LoggedRequest) -> Sequence[Wording]:
        namespace = request.target.casefold().partition("/providers/")[2].partition("/")[0]
        return (*known.get(namespace, ()), *_ARM)

    return wordings


def of_key_vault(_: LoggedRequest) -> Sequence[Wording]:
    """
    Return what Key Vault's data plane says.
    """
    return _KEY_VAULT
