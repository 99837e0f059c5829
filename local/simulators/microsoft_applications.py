"""What an organization's administrator gives the application: admin consent, and tokens of the application's own.

https://learn.microsoft.com/entra/identity-platform/v2-admin-consent and
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

from collections.abc import Mapping

from local.simulators import graph_calendar, graph_places, oauth
from local.simulators.entra import (
    ANY_TENANT,
    UNCACHED,
    check_redirect,
    check_tenant,
    oauth_error,
    object_id,
    page,
    refuse,
    required,
    tenant_id,
    tenant_not_found,
)
from local.simulators.grants import random_token
from local.simulators.graph_calendar import SCOPE_PREFIX
from local.simulators.oauth import Client, Denied
from local.simulators.organizations import Address, ApplicationToken, Organization, Organizations
from local.simulators.people import HOUR, InvalidEmail, People, Person
from local.simulators.server import Refusal, Request, Response

DEFAULT_SCOPE = SCOPE_PREFIX + ".default"
CALENDARS, PLACES = "Calendars.ReadBasic.All", "Place.Read.All"
"""Application permissions; ours is the first."""

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
EVERY_USER = "b79fbf4d-3ef9-4689-8143-76b194e85509"
LIFETIME = HOUR - 1  # seconds, as Microsoft has it


class Tenant(Organization):
    """``delegated`` is consent in Entra, which opens every mailbox.

    ``narrowed_to`` is access to these mailboxes only, given in Exchange (RBAC for Applications) and in place of
    consent: the two add up, and consent would open the others too.
    """

    narrowed_to: tuple[Address, ...] | None = None
    places: bool = False
    """Whether the administrator granted ``Place.Read.All`` besides."""
    wids: bool = True
    """Whether the application's registration asks for the claim ``wids``."""

    @property
    def has_consent(self) -> bool:
        return self.delegated and self.narrowed_to is None

    @property
    def knows_the_application(self) -> bool:
        return self.delegated or self.narrowed_to is not None or self.places

    @property
    def roles(self) -> frozenset[str]:
        """Of a token that is issued now."""
        granted = {CALENDARS: self.has_consent, PLACES: self.places}
        return frozenset(role for role, is_granted in granted.items() if is_granted)


class Applications:
    def __init__(self, client: Client, people: People) -> None:
        self.tenants = Organizations(Tenant, people, called="tenants")
        self._client = client
        self._people = people
        self._present: set[str] = set()

    def appears_in(self, domain: str) -> None:
        """Somebody there signed in to the application, which makes it known to the tenant."""
        self._present.add(domain)

    def roles_of(self, person: Person) -> dict[str, list[str]]:
        """The claim ``wids``: directory roles by the ids of their templates."""
        tenant = self.tenants.get(person.domain)
        if tenant is None or tenant.wids:
            return {"wids": [*([GLOBAL_ADMINISTRATOR] if self.tenants.is_admin(person) else []), EVERY_USER]}
        return {}

    # Admin consent.

    def admin_consent(self, request: Request, tenant: str) -> Response:
        """Whoever signs in decides which tenant it is about, and only its administrator may consent."""
        query = self._consent_query(request, tenant)
        decided = oauth.decision(request)
        if decided is None:
            wishes = [(None, "Read basic details of the calendars in all mailboxes of your organization")]
            return oauth.consent_page(request, "Microsoft", self._people, wishes, fixed=[])
        try:
            person = self._people.meet(decided.email) if decided.email else None
        except InvalidEmail as error:
            return page(50034, str(error))
        if person and tenant not in ANY_TENANT | {person.domain, tenant_id(person.domain)}:
            return page(50020, f"User account '{person.email}' does not exist in tenant '{tenant}'.")
        about = tenant_id(person.domain) if person else None if tenant in ANY_TENANT else _id_of(tenant)
        if person is None or isinstance(decided, Denied):
            return _sent_back(query, about, "consent_required", 65004, "User declined to consent to access the app.")
        organization = self.tenants.get(person.domain)
        if organization is None or organization.admin != person.email:
            return _sent_back(query, about, "access_denied", 90094, "The grant requires admin permission.")
        self.appears_in(person.domain)
        self.tenants.replace(organization.model_copy(update={"delegated": True, "narrowed_to": None}))
        return _back(query, about, scope=f"{SCOPE_PREFIX}{CALENDARS} {DEFAULT_SCOPE}")

    def _consent_query(self, request: Request, tenant: str) -> dict[str, str]:
        """Mistakes that make the redirect untrustworthy end at a page, the others at the client."""
        query = oauth.first_values(request.parameters)
        if tenant == "common":
            raise Refusal(page(50059, "No tenant-identifying information found in the request."))
        check_tenant(tenant)
        check_redirect(self._client, query)
        named = {name: values for name, values in request.parameters.items() if not name.startswith("sim_")}
        if name := oauth.repeated(named):
            raise Refusal(page(9000411, f"The request is not properly formatted. '{name}' is duplicated."))
        if query.get("scope") != DEFAULT_SCOPE:
            about = None if tenant in ANY_TENANT else _id_of(tenant)
            raise Refusal(_sent_back(query, about, "invalid_scope", 70011, "The value for 'scope' is not valid."))
        return query

    # Tokens.

    def token(self, form: Mapping[str, str], tenant: str) -> Response:
        """Of a client that has shown its secret. What was not given by now is not in the token, then or later."""
        if tenant in ANY_TENANT:
            refuse(400, "invalid_request", 50059, "No tenant-identifying information found in the request.")
        scope = required(form, "scope")
        if scope != DEFAULT_SCOPE:
            refuse(
                400,
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value "
                "with /.default suffixed to the resource identifier (application ID URI).",
            )
        domain = self._domain_of(tenant)
        if not self._is_present(domain):
            refuse(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{self._client.client_id}' was not found in the directory '{domain}'.",
            )
        organization = self.tenants.in_force(domain)
        roles = organization.roles if organization else frozenset()
        token = self.tenants.issue(random_token("eyJ0eXAi", 1200), domain, roles, LIFETIME)
        return Response.of_json(
            {"token_type": "Bearer", "expires_in": LIFETIME, "ext_expires_in": LIFETIME, "access_token": token},
            headers=UNCACHED,
        )

    def _domain_of(self, tenant: str) -> str:
        """By name or by id, of the tenants that somebody said something about."""
        named = tenant.lower()
        found = next((domain for domain in self.tenants.domains() if named in {domain, tenant_id(domain)}), None)
        return found or tenant_not_found(tenant)

    def _is_present(self, domain: str) -> bool:
        organization = self.tenants.get(domain)
        return domain in self._present or bool(organization and organization.knows_the_application)

    # Graph.

    def schedule_of(self, request: Request, user: str, access: ApplicationToken) -> Response:
        """Through any mailbox of the tenant, or through those that Exchange lets the application use."""
        tenant = self.tenants.in_force(access.domain)
        opens_all = tenant is not None and tenant.has_consent and CALENDARS in access.scopes
        narrowed_to = tenant.narrowed_to if tenant else None
        if not opens_all and narrowed_to is None:
            raise Refusal(graph_calendar.ACCESS_DENIED)
        mailbox = self.mailbox(user, access)
        if mailbox is None:
            raise Refusal(graph_calendar.no_such_user(user))
        if not opens_all and mailbox.email not in (narrowed_to or ()):
            raise Refusal(graph_calendar.OUT_OF_SCOPE)
        if not mailbox.exists:
            raise Refusal(graph_calendar.NO_MAILBOX)
        return graph_calendar.schedule(request, mailbox, self.tenants)

    def mailbox(self, user: str, access: ApplicationToken) -> Person | None:
        """By address or by id: of a person or a room."""
        named = user.lower()
        if "@" not in named:
            named = next((email for email in self._people if object_id(email) == named), named)
        return self.tenants.colleague(named, access.domain)

    def rooms(self, request: Request, access: ApplicationToken) -> Response:
        tenant = self.tenants.in_force(access.domain)
        if tenant is None or not tenant.places or PLACES not in access.scopes:
            raise Refusal(graph_places.REQUEST_DENIED)
        return graph_places.rooms(request, tenant.rooms)


def _id_of(tenant: str) -> str:
    return tenant_id(tenant.lower()) if "." in tenant else tenant.lower()


def _back(query: Mapping[str, str], tenant: str | None, **parameters: str | None) -> Response:
    """Both ways of ending say ``admin_consent=True``: it means that this endpoint answers, and not that it agrees."""
    return oauth.redirect(
        query["redirect_uri"], "?", admin_consent="True", tenant=tenant, **parameters, state=query.get("state")
    )


def _sent_back(query: Mapping[str, str], tenant: str | None, error: str, code: int, description: str) -> Response:
    told = oauth_error(error, code, description)
    return _back(query, tenant, error=error, error_description=told["error_description"])
