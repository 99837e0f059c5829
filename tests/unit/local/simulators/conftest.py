"""Both simulators over real HTTP, and what a client of theirs does all the time."""

import base64
import hashlib
import ssl
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from local.simulators import running

REDIRECT_URI = "http://127.0.0.1:9999/callback?kept=yes"
VERIFIER = "v" * 43
UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Reading the usual certificates for each client takes a while.
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
FREE_BUSY_SCOPE = "https://www.googleapis.com/auth/calendar.freebusy"


class Caller(httpx.Client):
    """An application that is registered at one simulator."""

    def __init__(self, base_url, name, *, authorize, token, organizations, **query):
        super().__init__(base_url=base_url, timeout=30, verify=UNUSED)
        self.client = {"client_id": f"sim-{name}-client", "client_secret": f"sim-{name}-secret"}
        self.authorize_path = authorize
        self.token_path = token
        self.organizations_path = organizations
        self.query = {
            "client_id": self.client["client_id"],
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "state": "state of ours",
            "nonce": "nonce of ours",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **query,
        }

    def put_person(self, email, **described):
        answer = self.put(f"/sim/users/{email}", json=described)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def put_organization(self, domain="example.com", **described):
        answer = self.put(f"{self.organizations_path}/{domain}", json={"admin": f"admin@{domain}", **described})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def authorize(self, **changed):
        """The answer of the consent screen; a parameter that is None is left out."""
        query = {name: value for name, value in {**self.query, **changed}.items() if value is not None}
        return self.get(self.authorize_path, params=query)

    def sent_back(self, **changed):
        """The parameters that the consent screen sends back."""
        answer = self.authorize(**changed)
        assert answer.status_code == 302, answer.text
        location = urlsplit(answer.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == "http://127.0.0.1:9999/callback"
        return dict(parse_qsl(location.query, strict_parsing=True))

    def token(self, **form):
        form = {**self.client, **form}
        return self.post(self.token_path, data={name: value for name, value in form.items() if value is not None})

    def exchange(self, code, **changed):
        form = {"code": code, "redirect_uri": REDIRECT_URI, "code_verifier": VERIFIER, **changed}
        return self.token(grant_type="authorization_code", **form)

    def refresh(self, refresh_token, **changed):
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **changed)

    def connect(self, email, **changed):
        """Consents and exchanges the code: the answer of the token endpoint."""
        answer = self.exchange(self.sent_back(sim_user=email, **changed)["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, **faults):
        assert self.put("/sim/faults", json=faults).status_code == 200


@pytest.fixture
def google():
    with (
        running("google") as url,
        Caller(
            url,
            "google",
            authorize="/o/oauth2/v2/auth",
            token="/token",
            organizations="/sim/domains",
            scope=f"openid email {FREE_BUSY_SCOPE}",
            access_type="offline",
        ) as caller,
    ):
        yield caller


@pytest.fixture
def microsoft():
    with (
        running("microsoft") as url,
        Caller(
            url,
            "microsoft",
            authorize="/organizations/oauth2/v2.0/authorize",
            token="/organizations/oauth2/v2.0/token",
            organizations="/sim/tenants",
            scope="openid email profile offline_access Calendars.ReadBasic",
        ) as caller,
    ):
        yield caller


@pytest.fixture(params=["google", "microsoft"])
def provider(request):
    """Each of the two: what is the same at both."""
    return request.getfixturevalue(request.param)
