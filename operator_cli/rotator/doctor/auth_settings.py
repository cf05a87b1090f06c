"""
App Service's own sign-in before the app, as Azure Resource Manager shows it.

Shape: the REST reference of Microsoft.Web, `authsettingsV2`. Members that are null were dropped.
"""

from msgspec import Struct, field


class _Platform(Struct):
    enabled: bool = False


class _Validation(Struct, rename="camel"):
    require_authentication: bool = True
    unauthenticated_client_action: str = ""
    excluded_paths: list[str] = []


class _Registration(Struct, rename="camel"):
    client_id: str = ""


class _Policy(Struct, rename="camel"):
    allowed_applications: list[str] = []


class _TokenValidation(Struct, rename="camel"):
    default_authorization_policy: _Policy = field(default_factory=_Policy)


class _Entra(Struct, rename="camel"):
    registration: _Registration = field(default_factory=_Registration)
    validation: _TokenValidation = field(default_factory=_TokenValidation)


class _Providers(Struct, rename="camel"):
    azure_active_directory: _Entra = field(default_factory=_Entra)


class AuthProperties(Struct, rename="camel"):
    """
    Who has to sign in, where, and as what.
    """

    platform: _Platform = field(default_factory=_Platform)
    global_validation: _Validation = field(default_factory=_Validation)
    identity_providers: _Providers = field(default_factory=_Providers)

    @property
    def asks_to_sign_in(self) -> bool:
        """
        Whether a stranger gets no further.
        """
        lets_strangers_in = self.global_validation.unauthenticated_client_action == "AllowAnonymous"
        return self.platform.enabled and self.global_validation.require_authentication and not lets_strangers_in


class AuthSettings(Struct):
    """
    App Service's own sign-in before the app.
    """

    properties: AuthProperties = field(default_factory=AuthProperties)
