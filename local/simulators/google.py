"""Google's OAuth endpoints, and the door to its calendar.

The hosts accounts.google.com, oauth2.googleapis.com, openidconnect.googleapis.com and www.googleapis.com are one
here; paths and answers are theirs (https://developers.google.com/identity/protocols/oauth2/web-server and
https://developers.google.com/identity/openid-connect/openid-connect).
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from local.simulators import google_calendar, google_delegation, google_directory, google_dns, oauth
from local.simulators.faults import Operation
from local.simulators.google_calendar import SCOPE_PREFIX, api_error
from local.simulators.google_delegation import Delegation, NotGranted, Workspace, service_account
from local.simulators.grants import Access, CodeSpent, CodeUnusable, Consent, Grants, random_token
from local.simulators.oauth import Client, Denied
from local.simulators.organizations import ApplicationToken, Organizations
from local.simulators.people import InvalidEmail, People, Person, fingerprint
from local.simulators.server import Refusal, Request, Response, Route
from local.simulators.signing import signing_key
from local.simulators.simulator import token_operation

ISSUER = "https://accounts.google.com"
_FULL_NAMES = {"email": SCOPE_PREFIX + "userinfo.email", "profile": SCOPE_PREFIX + "userinfo.profile"}
IDENTITY_SCOPES = frozenset({"openid", *_FULL_NAMES, *_FULL_NAMES.values()})
CALENDAR_SCOPES = {
    SCOPE_PREFIX + name: label
    for name, label in {
        "calendar": "See, edit, share and permanently delete all the calendars you can access",
        "calendar.readonly": "See and download any calendar you can access",
        "calendar.freebusy": "View your availability in your calendars",
        "calendar.events.freebusy": "See the availability on calendars you have access to",
        "calendar.events": "View and edit events on all your calendars",
        "calendar.events.readonly": "View events on all your calendars",
        "calendar.calendarlist.readonly": "See the list of calendars you're subscribed to",
        "calendar.calendars.readonly": "See the title, description and time zone of calendars",
        "calendar.settings.readonly": "View your calendar settings",
    }.items()
}
_PROMPTS = frozenset({"none", "consent", "select_account"})
_PUBLIC_MAIL = frozenset({"gmail.com", "googlemail.com"})
_UNCACHED = {"Cache-Control": "no-cache, no-store, max-age=0, must-revalidate", "Pragma": "no-cache"}


class Google:
    def __init__(self, client: Client) -> None:
        self.people = People()
        self.grants = Grants()
        self.organizations = Organizations(Workspace, self.people, called="domains")
        self._delegation = Delegation(self.organizations, {*CALENDAR_SCOPES, google_directory.SCOPE})
        self._client = client
        self._key = signing_key("google")
        self.routes: Sequence[Route] = [
            Route("POST", "/calendar/v3/freeBusy", self.free_busy, lambda _: "busy"),
            Route("POST", "/token", self.token, token_operation),
            Route("GET", "/o/oauth2/v2/auth", self.authorize),
            Route("POST", "/revoke", self.revoke),
            Route("GET", "/oauth2/v3/certs", self.certificates),
            Route("GET", "/v1/userinfo", self.userinfo),
            Route("GET", "/.well-known/openid-configuration", self.discovery),
            Route("GET", "/admin/directory/v1/customer/my_customer/resources/calendars", self.rooms),
            Route("GET", "/resolve", lambda request: google_dns.resolve(request, self.organizations)),
        ]
        self.controls: Sequence[Route] = [
            Route("PUT", "/sim/client", client.replace_secrets),
            Route("GET", "/sim/service_account", lambda _: Response.of_json(service_account().key_file())),
            Route("POST", "/sim/service_account/keys", lambda _: Response.of_json(service_account().add_key())),
            Route("DELETE", "/sim/service_account/keys/{key_id}", _delete_key),
        ]

    # The consent screen.

    def authorize(self, request: Request) -> Response:
        """Every mistake of the client ends at a page; only the person's own answer is sent back."""
        query = self._authorization_query(request)
        scopes = tuple(query["scope"].split())
        decided = oauth.decision(request)
        if decided is None:
            return self._consent_page(request, scopes)
        if isinstance(decided, Denied):
            return oauth.redirect(query["redirect_uri"], error=decided.error, state=query.get("state"))
        try:
            person = self.people.meet(decided.email)
        except InvalidEmail as error:
            return _page("invalid_request", str(error))
        granted = decided.leaves(person.grants(scopes, always=IDENTITY_SCOPES))
        consent = Consent(
            email=person.email,
            scopes=granted,
            offline=self._buys_refresh_token(query, person),
            redirect_uri=query["redirect_uri"],
            nonce=query.get("nonce"),
            code_challenge=query.get("code_challenge"),
            code_challenge_method=query.get("code_challenge_method", "plain"),
        )
        return oauth.redirect(
            query["redirect_uri"],
            state=query.get("state"),
            iss=ISSUER,
            code=self.grants.issue_code(consent, random_token("4/0A", 52)),
            scope=" ".join(dict.fromkeys([*granted, *map(_full_name, granted)])),
            authuser="0",
            hd=_workspace(person),
            prompt=query.get("prompt", "none"),
        )

    def _authorization_query(self, request: Request) -> dict[str, str]:
        query = oauth.first_values(request.parameters)
        for name in ("client_id", "redirect_uri", "response_type", "scope"):
            if name not in query:
                _refuse_with_page("invalid_request", f"Missing required parameter: {name}")
        if not self._client.is_named(query["client_id"]):
            _refuse_with_page("invalid_client", "The OAuth client was not found.")
        if not oauth.is_redirect_uri(query["redirect_uri"]):
            _refuse_with_page("redirect_uri_mismatch", f"redirect_uri={query['redirect_uri']}")
        if query["response_type"] != "code":
            _refuse_with_page("unsupported_response_type", f"Invalid response_type: {query['response_type']}")
        unknown = set(query["scope"].split()) - IDENTITY_SCOPES - CALENDAR_SCOPES.keys()
        if unknown:
            _refuse_with_page("invalid_scope", f"Some requested scopes were invalid: {sorted(unknown)}")
        self._check_choices(query, request)
        return query

    def _check_choices(self, query: Mapping[str, str], request: Request) -> None:
        named = {name: values for name, values in request.parameters.items() if not name.startswith("sim_")}
        if name := oauth.repeated(named):
            _refuse_with_page("invalid_request", f"Parameter not allowed more than once: {name}")
        if query.get("access_type", "online") not in {"online", "offline"}:
            _refuse_with_page("invalid_request", f"Invalid access_type: {query['access_type']}")
        if not set(query.get("prompt", "").split()) <= _PROMPTS:
            _refuse_with_page("invalid_request", f"Invalid parameter value for prompt: {query['prompt']}")
        if query.get("code_challenge_method", "plain") not in oauth.CODE_CHALLENGE_METHODS:
            _refuse_with_page("invalid_request", "Invalid parameter value for code_challenge_method")
        challenge = query.get("code_challenge")
        if challenge is not None and not oauth.CODE_CHALLENGE.fullmatch(challenge):
            _refuse_with_page("invalid_request", "Invalid parameter value for code_challenge")

    def _consent_page(self, request: Request, scopes: tuple[str, ...]) -> Response:
        identity = [scope for scope in scopes if scope in IDENTITY_SCOPES]
        boxes: list[tuple[str | None, str]] = [(s, CALENDAR_SCOPES[s]) for s in scopes if s in CALENDAR_SCOPES]
        wishes = [(None, "Know who you are on Google"), *boxes]
        return oauth.consent_page(request, "Google", self.people, wishes, fixed=identity)

    def _buys_refresh_token(self, query: Mapping[str, str], person: Person) -> bool:
        """Google gives one at the first consent only, unless the client asks for the screen again."""
        if query.get("access_type") != "offline":
            return False
        return "consent" in query.get("prompt", "").split() or not self.grants.has_refresh_token(person.email)

    # Tokens.

    def token(self, request: Request) -> Response:
        if request.form is None:
            _refuse(400, "invalid_request", "The request must be a form.")
        if name := oauth.repeated(request.form):
            _refuse(400, "invalid_request", f"Parameter not allowed more than once: {name}")
        form = oauth.first_values(request.form)
        kind = _required(form, "grant_type")
        if kind == google_delegation.GRANT_TYPE:
            return self._delegated_token(form)
        if kind not in {"authorization_code", "refresh_token"}:
            _refuse(400, "unsupported_grant_type", f"Invalid grant_type: {kind}")
        self._check_client(request, form)
        return self._exchange(form) if kind == "authorization_code" else self._refresh(form)

    def _delegated_token(self, form: Mapping[str, str]) -> Response:
        """The signature takes the place of the client's credentials."""
        try:
            return Response.of_json(self._delegation.token(form), headers=_UNCACHED)
        except NotGranted as error:
            _refuse(error.status, error.error, error.description)

    def _check_client(self, request: Request, form: Mapping[str, str]) -> None:
        client_id, secret = request.basic or (form.get("client_id"), form.get("client_secret"))
        if client_id is None:
            _refuse(400, "invalid_request", "Could not determine client ID from request.")
        if not self._client.is_named(client_id):
            _refuse(401, "invalid_client", "The OAuth client was not found.")
        if secret is None:
            _refuse(400, "invalid_request", "client_secret is missing.")
        if not self._client.has_secret(secret):
            _refuse(401, "invalid_client", "Unauthorized")

    def _exchange(self, form: Mapping[str, str]) -> Response:
        verifier = form.get("code_verifier")
        try:
            consent = self.grants.redeem_code(_required(form, "code"))
        except CodeSpent:
            _refuse(400, "invalid_grant", "Bad Request")
        except CodeUnusable:
            _refuse(400, "invalid_grant", "Malformed auth code.")
        if form.get("redirect_uri") != consent.redirect_uri:
            _refuse(400, "redirect_uri_mismatch", "Bad Request")
        if not consent.proven_by(verifier):
            _refuse(400, "invalid_grant", "Invalid code verifier." if verifier else "Missing code verifier.")
        refresh_token = self.grants.issue_refresh_token(consent, random_token("1//0", 75)) if consent.offline else None
        return self._tokens(consent, nonce=consent.nonce, refresh_token=refresh_token)

    def _refresh(self, form: Mapping[str, str]) -> Response:
        consent = self.grants.of_refresh_token(_required(form, "refresh_token"))
        if consent is None:
            _refuse(400, "invalid_grant", "Token has been expired or revoked.")
        return self._tokens(consent)

    def _tokens(self, consent: Consent, *, nonce: str | None = None, refresh_token: str | None = None) -> Response:
        """Without a refresh token in answer to a refresh: Google does not rotate them."""
        person = self.people.meet(consent.email)
        access_token = self.grants.issue_access_token(
            person.email, consent.scopes, person.token_lifetime, random_token("ya29.a0", 150)
        )
        answer: dict[str, Any] = {
            "access_token": access_token,
            "expires_in": person.token_lifetime,
            "scope": " ".join(dict.fromkeys(map(_full_name, consent.scopes))),
            "token_type": "Bearer",
        }
        if refresh_token is not None:
            answer["refresh_token"] = refresh_token
        if "openid" in consent.scopes:
            answer["id_token"] = self._id_token(person, consent, nonce, access_token)
        return Response.of_json(answer, headers=_UNCACHED)

    def _id_token(self, person: Person, consent: Consent, nonce: str | None, access_token: str) -> str:
        now = int(time.time())
        digest = hashlib.sha256(access_token.encode()).digest()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "azp": self._client.client_id,
            "aud": self._client.client_id,
            **_identity(person, consent.scopes),
            "at_hash": base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode(),
            "iat": now,
            "exp": now + 3600,
        }
        return self._key.sign(claims if nonce is None else {**claims, "nonce": nonce})

    def revoke(self, request: Request) -> Response:
        """Either kind of token ends the whole grant."""
        tokens = (request.form or {}).get("token") or request.parameters.get("token") or [""]
        email = self.grants.owner_of(tokens[0])
        if email is None:
            _refuse(400, "invalid_token", "Token expired or revoked")
        self.grants.revoke(email)
        return Response.of_json({})

    # Identity.

    def userinfo(self, request: Request) -> Response:
        access = self.grants.of_access_token(request.bearer or "")
        if access is None or not self.grants.is_alive(access):
            _refuse(401, "invalid_request", "Invalid Credentials")
        return Response.of_json(_identity(self.people.meet(access.email), access.scopes))

    def certificates(self, _: Request) -> Response:
        return Response.of_json(
            {"keys": [self._key.public(alg="RS256")]}, headers={"Cache-Control": "public, max-age=19800"}
        )

    def discovery(self, request: Request) -> Response:
        return Response.of_json(
            {
                "issuer": ISSUER,
                "authorization_endpoint": f"{request.origin}/o/oauth2/v2/auth",
                "token_endpoint": f"{request.origin}/token",
                "userinfo_endpoint": f"{request.origin}/v1/userinfo",
                "revocation_endpoint": f"{request.origin}/revoke",
                "jwks_uri": f"{request.origin}/oauth2/v3/certs",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "email", "profile"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "code_challenge_methods_supported": ["plain", "S256"],
                "grant_types_supported": ["authorization_code", "refresh_token", google_delegation.GRANT_TYPE],
            }
        )

    # Free/busy, and rooms.

    def free_busy(self, request: Request) -> Response:
        """A person's own consent opens their own calendar, delegation what the impersonated person sees."""
        access = self._access(request)
        if not access.scopes & google_calendar.FREE_BUSY_SCOPES:
            raise Refusal(google_calendar.INSUFFICIENT_SCOPE)
        if isinstance(access, ApplicationToken):
            return google_calendar.free_busy(request, lambda name: self._delegation.visible(name, access))
        person = self.people.meet(access.email)
        return google_calendar.free_busy(request, {"primary": person, person.email: person}.get)

    def rooms(self, request: Request) -> Response:
        """For the administrator only, whom the application impersonates."""
        access = self._access(request)
        if google_directory.SCOPE not in access.scopes:
            raise Refusal(google_calendar.INSUFFICIENT_SCOPE)
        if not isinstance(access, ApplicationToken):
            raise Refusal(google_directory.NOT_AUTHORIZED)
        organization = self.organizations.get(access.domain)
        if organization is None or access.subject != organization.admin:
            raise Refusal(google_directory.NOT_AUTHORIZED)
        return google_directory.rooms(request, organization.rooms)

    def _access(self, request: Request) -> Access | ApplicationToken:
        if request.bearer is None:
            raise Refusal(google_calendar.UNAUTHENTICATED)
        access = self.grants.of_access_token(request.bearer) or self._delegation.access(request.bearer)
        if access is None or not self.grants.is_alive(access):
            raise Refusal(google_calendar.INVALID_CREDENTIALS)
        return access

    def trouble(self, operation: Operation, status: int) -> Any:
        if operation == "busy":
            return api_error(status)
        if status >= 500:  # noqa: PLR2004 - the class of statuses that are the server's own fault
            return {"error": "internal_failure"}
        error, description = {
            400: ("invalid_grant", "Token has been expired or revoked."),
            401: ("invalid_client", "Unauthorized"),
            429: ("rate_limit_exceeded", "Rate Limit Exceeded"),
        }.get(status, ("invalid_request", "Bad Request"))
        return {"error": error, "error_description": description}


def subject(email: str) -> str:
    """The ``sub`` of this address: 21 digits."""
    return f"1{int.from_bytes(fingerprint('google', email)) % 10**20:020d}"


def _identity(person: Person, scopes: tuple[str, ...] | frozenset[str]) -> dict[str, Any]:
    claims: dict[str, Any] = {"sub": subject(person.email)}
    names = {_full_name(scope) for scope in scopes}
    if workspace := _workspace(person):
        claims["hd"] = workspace
    if _FULL_NAMES["email"] in names:
        claims |= {"email": person.email, "email_verified": True}
    if _FULL_NAMES["profile"] in names:
        claims["name"] = person.name
    return claims


def _workspace(person: Person) -> str | None:
    return None if person.domain in _PUBLIC_MAIL else person.domain


def _full_name(scope: str) -> str:
    return _FULL_NAMES.get(scope, scope)


def _delete_key(_: Request, key_id: str) -> Response:
    service_account().delete_key(key_id)
    return Response(204)


def _required(form: Mapping[str, str], name: str) -> str:
    if name not in form:
        _refuse(400, "invalid_request", f"Missing required parameter: {name}")
    return form[name]


def _refuse(status: int, error: str, description: str) -> NoReturn:
    raise Refusal(Response.of_json({"error": error, "error_description": description}, status, headers=_UNCACHED))


def _page(code: str, message: str) -> Response:
    return oauth.error_page("Google", code, message)


def _refuse_with_page(code: str, message: str) -> NoReturn:
    raise Refusal(_page(code, message))
