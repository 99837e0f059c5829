"""Microsoft's identity platform, and the door to Graph.

The hosts login.microsoftonline.com and graph.microsoft.com are one here; paths and answers are theirs
(https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn
from uuid import uuid4

from local.simulators import graph_calendar, graph_places, oauth
from local.simulators.concurrency import Concurrency
from local.simulators.entra import (
    ANY_TENANT,
    HOST,
    MISSING,
    UNCACHED,
    check_redirect,
    check_tenant,
    oauth_error,
    object_id,
    page,
    refuse,
    required,
    tenant_id,
)
from local.simulators.faults import Operation
from local.simulators.grants import (
    Access,
    CodeExpired,
    CodeSpent,
    CodeUnusable,
    Consent,
    Grants,
    random_token,
)
from local.simulators.graph_calendar import SCOPE_PREFIX, graph_error
from local.simulators.microsoft_applications import Applications
from local.simulators.oauth import Client, Denied
from local.simulators.organizations import ApplicationToken
from local.simulators.people import InvalidEmail, People, Person, fingerprint, short_name
from local.simulators.server import Refusal, Request, Response, Route
from local.simulators.signing import signing_key
from local.simulators.simulator import token_operation

IDENTITY_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
GRAPH_SCOPES = {
    "calendars.readbasic": "Read basic details of your calendars",
    "calendars.read": "Read your calendars",
    "calendars.read.shared": "Read calendars you can access",
    "calendars.readwrite": "Have full access to your calendars",
    "user.read": "Sign you in and read your profile",
}


class Microsoft:
    def __init__(self, client: Client) -> None:
        self.people = People()
        self.grants = Grants()
        self._client = client
        self._applications = Applications(client, self.people)
        self.organizations = self._applications.tenants
        self.controls: Sequence[Route] = [Route("PUT", "/sim/client", client.replace_secrets)]
        mailboxes = Concurrency(graph_calendar.MOST_AT_ONCE, graph_calendar.OVER_CONCURRENCY)

        def at_once(request: Request, parts: Mapping[str, str]) -> AbstractContextManager[None]:
            return mailboxes.counted(self._mailbox(request, parts.get("user", "me")))

        self._key = signing_key("microsoft")
        self.routes: Sequence[Route] = [
            Route("POST", "/v1.0/me/calendar/getSchedule", self.my_schedule, lambda _: "busy", at_once),
            Route("POST", "/v1.0/users/{user}/calendar/getSchedule", self.schedule_of, lambda _: "busy", at_once),
            Route("GET", graph_places.PATH, self.rooms),
            Route("GET", "/{tenant}/v2.0/adminconsent", self._applications.admin_consent),
            Route("POST", "/{tenant}/oauth2/v2.0/token", self.token, token_operation),
            Route("GET", "/{tenant}/oauth2/v2.0/authorize", self.authorize),
            Route("GET", "/{tenant}/discovery/v2.0/keys", self.keys),
            Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", self.discovery),
        ]

    # The consent screen.

    def authorize(self, request: Request, tenant: str) -> Response:
        """Mistakes that make the redirect untrustworthy end at a page, the others at the client."""
        check_tenant(tenant)
        query = self._authorization_query(request)
        scopes = tuple(dict.fromkeys(query["scope"].split()))
        decided = oauth.decision(request)
        if decided is None:
            return self._consent_page(request, scopes)
        if isinstance(decided, Denied):
            return _sent_back(query, decided.error, 65004, "User declined to consent to access the app.")
        try:
            person = self.people.meet(decided.email)
        except InvalidEmail as error:
            return page(50034, str(error))
        if tenant not in ANY_TENANT | {person.domain, tenant_id(person.domain)}:
            return page(50020, f"User account '{person.email}' does not exist in tenant '{tenant}'.")
        self._applications.appears_in(person.domain)
        granted = decided.leaves(person.grants(scopes, always=IDENTITY_SCOPES))
        consent = Consent(
            email=person.email,
            scopes=granted,
            offline="offline_access" in granted,
            redirect_uri=query["redirect_uri"],
            nonce=query.get("nonce"),
            code_challenge=query.get("code_challenge"),
            code_challenge_method=query.get("code_challenge_method", "plain"),
        )
        return _redirect(
            query,
            code=self.grants.issue_code(consent, random_token("1.A", 500)),
            state=query.get("state"),
            session_state=str(uuid4()),
        )

    def _authorization_query(self, request: Request) -> dict[str, str]:
        query = oauth.first_values(request.parameters)
        check_redirect(self._client, query)
        mode = query.get("response_mode", "query")
        if mode not in {"query", "fragment"}:
            raise Refusal(page(70007, f"'{mode}' is not a response_mode that this simulator offers."))
        _check_choices(query, request)
        return query

    def _consent_page(self, request: Request, scopes: tuple[str, ...]) -> Response:
        """Nothing can be unticked here: Microsoft asks for all or nothing."""
        labels = [GRAPH_SCOPES[short_name(scope)] for scope in scopes if short_name(scope) in GRAPH_SCOPES]
        if "offline_access" in scopes:
            labels.append("Maintain access to data you have given it access to")
        wishes = [(None, label) for label in ["View your basic profile", *labels]]
        return oauth.consent_page(request, "Microsoft", self.people, wishes, fixed=[])

    # Tokens.

    def token(self, request: Request, tenant: str) -> Response:
        check_tenant(tenant)
        if request.form is None:
            refuse(400, "invalid_request", 900144, "The request body must be a form.")
        if name := oauth.repeated(request.form):
            refuse(400, "invalid_request", 9000411, f"The request is not properly formatted. '{name}' is duplicated.")
        form = oauth.first_values(request.form)
        kind = required(form, "grant_type")
        if kind not in {"authorization_code", "refresh_token", "client_credentials"}:
            refuse(400, "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{kind}'.")
        self._check_client(request, form)
        if kind == "client_credentials":
            return self._applications.token(form, tenant)
        return self._exchange(form) if kind == "authorization_code" else self._refresh(form)

    def _check_client(self, request: Request, form: Mapping[str, str]) -> None:
        client_id, secret = request.basic or (form.get("client_id"), form.get("client_secret"))
        if client_id is None:
            refuse(400, "invalid_request", 900144, MISSING.format("client_id"))
        if not self._client.is_named(client_id):
            refuse(400, "unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found.")
        if secret is None:
            refuse(401, "invalid_client", 7000218, MISSING.format("client_assertion' or 'client_secret"))
        if not self._client.has_secret(secret):
            refuse(401, "invalid_client", 7000215, "Invalid client secret provided.")

    def _exchange(self, form: Mapping[str, str]) -> Response:
        try:
            consent = self.grants.redeem_code(required(form, "code"))
        except CodeSpent:
            refuse(
                400,
                "invalid_grant",
                54005,
                "OAuth2 Authorization code was already redeemed, please retry with a "
                "new valid code or use an existing refresh token.",
            )
        except CodeExpired:
            refuse(400, "invalid_grant", 70008, "The provided authorization code is expired.")
        except CodeUnusable:
            refuse(400, "invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
        if form.get("redirect_uri") != consent.redirect_uri:
            refuse(
                400,
                "invalid_client",
                500112,
                "The reply address does not match the reply address provided when requesting Authorization code.",
            )
        if not consent.proven_by(form.get("code_verifier")):
            refuse(
                400,
                "invalid_grant",
                501481,
                "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
            )
        return self._tokens(consent, consent.scopes, nonce=consent.nonce)

    def _refresh(self, form: Mapping[str, str]) -> Response:
        consent = self.grants.of_refresh_token(required(form, "refresh_token"))
        if consent is None:
            refuse(
                400,
                "invalid_grant",
                50173,
                "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
            )
        asked = tuple(form.get("scope", "").split()) or consent.scopes
        if not set(map(short_name, asked)) <= {*IDENTITY_SCOPES, *map(short_name, consent.scopes)}:
            refuse(400, "invalid_grant", 65001, "The user or administrator has not consented to use the application.")
        return self._tokens(consent, asked)

    def _tokens(self, consent: Consent, scopes: Iterable[str], *, nonce: str | None = None) -> Response:
        """Every refresh brings a new refresh token, and the old ones stay good."""
        person = self.people.meet(consent.email)
        opened = tuple(scope for scope in scopes if scope != "offline_access")
        answer: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": " ".join(opened),
            "expires_in": person.token_lifetime,
            "ext_expires_in": person.token_lifetime,
            "access_token": self.grants.issue_access_token(
                person.email, opened, person.token_lifetime, random_token("eyJ0eXAi", 1200)
            ),
        }
        if consent.offline:
            answer["refresh_token"] = self.grants.issue_refresh_token(consent, random_token("1.A", 900))
        if "openid" in opened:
            answer["id_token"] = self._id_token(person, opened, nonce)
        return Response.of_json(answer, headers=UNCACHED)

    def _id_token(self, person: Person, scopes: tuple[str, ...], nonce: str | None) -> str:
        """There is no ``email_verified``: no address is, here."""
        tenant, now = tenant_id(person.domain), int(time.time())
        claims: dict[str, Any] = {
            "ver": "2.0",
            "iss": f"{HOST}/{tenant}/v2.0",
            "aud": self._client.client_id,
            "sub": fingerprint("microsoft sub", self._client.client_id, person.email).hex()[:43],
            "tid": tenant,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            **self._applications.roles_of(person),
        }
        if "profile" in scopes:
            claims |= {"oid": object_id(person.email), "name": person.name, "preferred_username": person.email}
        if "email" in scopes:
            claims["email"] = person.email
        return self._key.sign(claims if nonce is None else {**claims, "nonce": nonce})

    # Metadata.

    def keys(self, _: Request, tenant: str) -> Response:
        """As Microsoft publishes them: without ``alg``."""
        check_tenant(tenant)
        return Response.of_json({"keys": [self._key.public(issuer=_issuer(tenant))]})

    def discovery(self, request: Request, tenant: str) -> Response:
        check_tenant(tenant)
        return Response.of_json(
            {
                "issuer": _issuer(tenant),
                "authorization_endpoint": f"{request.origin}/{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{request.origin}/{tenant}/oauth2/v2.0/token",
                "jwks_uri": f"{request.origin}/{tenant}/discovery/v2.0/keys",
                "response_modes_supported": ["query", "fragment"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
            }
        )

    # Free/busy, and rooms.

    def my_schedule(self, request: Request) -> Response:
        access = self._access(request)
        if isinstance(access, ApplicationToken):
            raise Refusal(graph_calendar.NO_ONE_HERE)
        return self._schedule(request, access)

    def schedule_of(self, request: Request, user: str) -> Response:
        """Of oneself, for a person: reading through somebody else's mailbox takes more than one's own consent."""
        access = self._access(request)
        if isinstance(access, ApplicationToken):
            return self._applications.schedule_of(request, user, access)
        if user.lower() not in {access.email, object_id(access.email)}:
            raise Refusal(graph_calendar.ACCESS_DENIED)
        return self._schedule(request, access)

    def _schedule(self, request: Request, access: Access) -> Response:
        if not {short_name(scope) for scope in access.scopes} & graph_calendar.FREE_BUSY_SCOPES:
            raise Refusal(graph_calendar.ACCESS_DENIED)
        return graph_calendar.schedule(request, self.people.meet(access.email), self.organizations)

    def rooms(self, request: Request) -> Response:
        access = self._access(request)
        if not isinstance(access, ApplicationToken):
            raise Refusal(graph_places.REQUEST_DENIED)
        return self._applications.rooms(request, access)

    def _access(self, request: Request) -> Access | ApplicationToken:
        if request.bearer is None:
            raise Refusal(graph_calendar.unauthenticated("Access token is empty."))
        access = self.grants.of_access_token(request.bearer) or self.organizations.of_token(request.bearer)
        if access is None:
            raise Refusal(graph_calendar.unauthenticated("Access token validation failure."))
        if not self.grants.is_alive(access):
            raise Refusal(graph_calendar.unauthenticated("Lifetime validation failed, the token is expired."))
        return access

    def _mailbox(self, request: Request, user: str) -> str | None:
        """Through which mailbox a call reads, as far as it can be told before the call is looked at."""
        access = self.grants.of_access_token(request.bearer or "")
        if access:
            return access.email
        application = self.organizations.of_token(request.bearer or "")
        mailbox = self._applications.mailbox(user, application) if application else None
        return mailbox.email if mailbox else None

    def trouble(self, operation: Operation, status: int) -> Any:
        if operation == "busy":
            return graph_error(status)
        error, code, description = {
            400: ("invalid_grant", 50173, "The provided grant has expired due to it being revoked."),
            401: ("invalid_client", 7000215, "Invalid client secret provided."),
        }.get(status, ("temporarily_unavailable", 90033, "A transient error has occurred. Please try again."))
        return oauth_error(error, code, description)


def _check_choices(query: Mapping[str, str], request: Request) -> None:
    """The rest of an authorization request; what is wrong with it is told to the client."""

    def refuse(error: str, code: int, description: str) -> NoReturn:
        raise Refusal(_sent_back(query, error, code, description))

    named = {name: values for name, values in request.parameters.items() if not name.startswith("sim_")}
    if name := oauth.repeated(named):
        refuse("invalid_request", 9000411, f"The request is not properly formatted. '{name}' is duplicated.")
    for name in ("response_type", "scope"):
        if name not in query:
            refuse("invalid_request", 900144, MISSING.format(name))
    if query["response_type"] != "code":
        refuse("unsupported_response_type", 70005, f"response_type '{query['response_type']}' is not supported.")
    for scope in query["scope"].split():
        if scope not in IDENTITY_SCOPES and not _is_graph_scope(scope):
            refuse("invalid_client", 650053, f"The application asked for scope '{scope}' that doesn't exist.")
    if query.get("code_challenge_method", "plain") not in oauth.CODE_CHALLENGE_METHODS:
        refuse("invalid_request", 501491, "Invalid size or value of Code_Challenge_method parameter.")
    challenge = query.get("code_challenge")
    if challenge is not None and not oauth.CODE_CHALLENGE.fullmatch(challenge):
        refuse("invalid_request", 501491, "Invalid size of Code_Challenge parameter.")


def _is_graph_scope(scope: str) -> bool:
    return scope.removeprefix(SCOPE_PREFIX).lower() in GRAPH_SCOPES


def _issuer(tenant: str) -> str:
    """With ``common`` and ``organizations`` a template, which each id_token fills with its own tenant."""
    if tenant in ANY_TENANT:
        return f"{HOST}/{{tenantid}}/v2.0"
    return f"{HOST}/{tenant_id(tenant) if '.' in tenant else tenant}/v2.0"


def _redirect(query: Mapping[str, str], **parameters: str | None) -> Response:
    separator = "#" if query.get("response_mode") == "fragment" else "?"
    return oauth.redirect(query["redirect_uri"], separator, **parameters)


def _sent_back(query: Mapping[str, str], error: str, code: int, description: str) -> Response:
    told = oauth_error(error, code, description)
    return _redirect(
        query,
        error=error,
        error_subcode="cancel" if error == "access_denied" else None,
        error_description=told["error_description"],
        error_uri=told["error_uri"],
        state=query.get("state"),
    )
