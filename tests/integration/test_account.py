import pytest

from freebusy.domain.account import Disconnected, ProviderName
from freebusy.domain.identifiers import hashed
from freebusy.domain.service_account import MANAGE_ACCOUNTS
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.measures import Measure
from tests.api import call
from tests.fakes.clock import NOW
from tests.people import CLIENT_ID, colleague, connected, organization

TOKEN = "access token of acc_1"


@pytest.fixture
def account(wired):
    account = connected(providers=(ProviderName.GOOGLE, ProviderName.MICROSOFT))
    wired.accounts.create(account)
    token = TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 60, account.sub, "g1", "free_busy_write")
    wired.tokens.save(hashed(TOKEN), token)
    wired.tokens.save(hashed("the secret"), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))
    return account


def get(path, bearer=TOKEN):
    return call("account", "GET", path, bearer=bearer)


def grant(wired, scope):
    """Another account whose grant has just this scope."""
    account = connected("acc_2", scope=scope)
    wired.accounts.create(account)
    wired.tokens.save(hashed(scope), TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 60, "acc_2", "g1", scope))
    return scope


def test_a_request_is_measured_by_its_route_and_what_came_of_it(account, metrics):
    assert account
    get("/v1/account")
    get("/v1/account", bearer="nobody's")
    measured = metrics(Measure.REQUEST_TIME)
    assert {words: len(times) for words, times in measured.items()} == {
        ("GET /v1/account", "2xx"): 1,
        ("GET /v1/account", "4xx"): 1,
    }


def test_who_is_disconnected_is_measured_by_the_reason(account, wired, metrics):
    call("account", "POST", f"/v1/profiles/{account.profiles[0].profile_id}/revoke", bearer=TOKEN)
    wired.accounts.disconnect("acc_1", account.profiles[1].profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    wired.accounts.disconnect("acc_none", "pro_none", because=Disconnected.REVOKED)
    get("/v1/account")
    assert metrics(Measure.DISCONNECTIONS) == {("revoked",): [1], ("credential_revoked",): [1]}


def test_the_account_says_who_it_is(account):
    assert get("/v1/account").json() == {
        "account": {
            "account_id": "acc_1",
            "email": "acc_1@example.com",
            "scope": "free_busy_write",
            "default_tzid": "Etc/UTC",
        }
    }


def test_userinfo_lists_every_profile_with_its_one_calendar(account):
    data = get("/v1/userinfo").json()["cronofy.data"]
    assert data["authorization"] == {"scope": "free_busy_write", "status": "active"}
    assert [
        (
            profile["provider_name"],
            profile["profile_connected"],
            [(each["calendar_readonly"], each["calendar_primary"]) for each in profile["profile_calendars"]],
        )
        for profile in data["profiles"]
    ] == [
        ("google_free_busy", True, [(True, True)]),
        ("ms_graph_free_busy", True, [(True, True)]),
        ("cronofy", True, [(False, True)]),
    ]


def test_no_answer_holds_a_null_or_an_unexpected_relink_url(account):
    for path in ("/v1/account", "/v1/userinfo", "/v1/profiles", "/v1/calendars"):
        answer = get(path)
        assert answer.status == 200
        assert "null" not in answer.body
        assert "relink" not in answer.body


def test_calendars_of_all_profiles_are_listed_and_only_the_managed_one_can_be_written(account):
    calendars = get("/v1/calendars").json()["calendars"]
    assert [(each["provider_name"], each["calendar_id"], each["calendar_readonly"]) for each in calendars] == [
        (profile.provider, profile.calendar_id, not profile.managed) for profile in account.profiles
    ]


def test_a_disconnected_profile_says_so_and_where_to_mend_it(wired, account):
    profile_id = account.profiles[0].profile_id
    wired.accounts.disconnect(account.sub, profile_id, because=Disconnected.CREDENTIAL_REVOKED)
    lapsed, other, managed = get("/v1/profiles").json()["profiles"]
    assert not lapsed["profile_connected"]
    assert lapsed["profile_relink_url"] == f"https://calendar.example.com/oauth/relink/acc_1/{profile_id}"
    assert other["profile_connected"]
    assert managed["profile_connected"]


def test_revoking_a_profile_disconnects_it_and_the_last_one_takes_the_managed_profile_with_it(wired, account):
    for profile in account.free_busy_profiles:
        answer = call("account", "POST", f"/v1/profiles/{profile.profile_id}/revoke", bearer=TOKEN, body={})
        assert (answer.status, answer.body) == (202, "")
    assert [profile["profile_connected"] for profile in get("/v1/profiles").json()["profiles"]] == [False] * 3
    assert all(profile.sealed_credential is None for profile in wired.accounts.find("acc_1").profiles)


@pytest.mark.parametrize(
    ("profile_id", "status"),
    [
        pytest.param("pro_unknown", 404, id="unknown"),
        pytest.param("pro_goacc_2", 404, id="another account's"),
        pytest.param("pro_macc_1", 422, id="the managed profile lives with the others"),
    ],
)
def test_other_profiles_cannot_be_revoked(wired, account, profile_id, status):
    wired.accounts.create(connected("acc_2"))
    assert call("account", "POST", f"/v1/profiles/{profile_id}/revoke", bearer=TOKEN).status == status


def test_a_link_token_is_the_accounts_own(wired, account):
    answer = call("account", "POST", "/v1/link_tokens", bearer=TOKEN)
    assert answer.status == 200
    token = answer.json()["link_token"]
    assert wired.tokens.find_link_token(hashed(token), client_id=CLIENT_ID, now=NOW) == "acc_1"


@pytest.mark.parametrize(
    ("bearer", "status"),
    [
        pytest.param(None, 401, id="none"),
        pytest.param("nonsense", 401, id="unknown"),
        pytest.param("the secret", 403, id="an application's secret is nobody's account"),
    ],
)
def test_only_an_accounts_access_token_opens_it(account, bearer, status):
    assert get("/v1/account", bearer).status == status


def test_a_revoked_grant_ends_its_tokens_at_once(wired, account):
    wired.accounts.revoke_grants("acc_1")
    assert get("/v1/userinfo").status == 401


def test_an_expired_token_is_refused_although_the_table_still_holds_it(wired, account):
    wired.tokens.save(hashed("old"), TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW, "acc_1", "g1", "free_busy_write"))
    assert get("/v1/account", "old").status == 401


@pytest.mark.parametrize(
    ("scope", "path", "status"),
    [
        ("free_busy", "/v1/account", 200),
        ("free_busy", "/v1/calendars", 200),
        ("read_free_busy", "/v1/calendars", 403),
        ("read_free_busy", "/v1/account", 403),
        ("read_free_busy", "/v1/userinfo", 200),
    ],
)
def test_the_scope_decides_what_may_be_read(wired, scope, path, status):
    assert get(path, grant(wired, scope)).status == status


def test_answers_are_not_cached_and_errors_name_themselves_for_the_ruby_sdk(account):
    assert get("/v1/account").headers["Cache-Control"] == "no-store"
    refused = get("/v1/account", "nonsense")
    assert refused.headers["Status"] == "401 Unauthorized"
    assert refused.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/v1/permissions", {"permissions": []}, id="elevated permissions"),
        pytest.param("/v1/calendars", {"profile_id": "pro_macc_1", "name": "Mine"}, id="another calendar"),
    ],
)
def test_what_free_busy_access_cannot_give_is_refused(path, body):
    assert call("account", "POST", path, body=body, bearer=TOKEN).status == 403
    assert call("account", "POST", path, body=body).status == 401


class TestOrganizations:
    """What an administrator connected, and the accounts that it gives access to."""

    @pytest.fixture
    def ser(self, wired):
        ser = organization()
        wired.service_accounts.connect(ser)
        wired.accounts.create(colleague("acc_3", ser))
        for bearer, sub, scope in (("ser", ser.sub, MANAGE_ACCOUNTS), ("acc_3", "acc_3", "free_busy_write")):
            wired.tokens.save(hashed(bearer), TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 60, sub, "g1", scope))
        return ser

    @pytest.mark.usefixtures("ser")
    def test_a_service_account_says_what_it_is(self):
        assert get("/v1/userinfo", "ser").json() == {
            "sub": "ser_1",
            "email": "admin@example.com",
            "name": "Ada Admin",
            "cronofy.type": "service_account",
            "cronofy.data": {
                "authorization": {
                    "scope": MANAGE_ACCOUNTS,
                    "status": "active",
                    "delegated_scope": "free_busy_write",
                },
                "service_account": {"provider_name": "google_free_busy", "domain": "example.com"},
            },
        }

    @pytest.mark.usefixtures("ser")
    @pytest.mark.parametrize("path", ["/v1/account", "/v1/profiles", "/v1/calendars"])
    def test_a_service_account_is_nobodys_account(self, path):
        assert get(path, "ser").status == 403

    @pytest.mark.usefixtures("ser", "account")
    def test_an_application_is_neither(self):
        assert get("/v1/userinfo", "the secret").status == 403

    def test_accounts_of_a_withdrawn_organization_show_disconnected(self, wired, ser):
        def connected_profiles():
            shown = get("/v1/userinfo", "acc_3").json()["cronofy.data"]["profiles"]
            assert [each["profile_connected"] for each in get("/v1/profiles", "acc_3").json()["profiles"]] == [
                each["profile_connected"] for each in shown
            ]
            return {each["provider_name"]: each["profile_connected"] for each in shown}

        assert connected_profiles() == {"google_free_busy": True, "cronofy": True}
        wired.service_accounts.disconnect(ser.sub, because=Disconnected.WITHDRAWN, now=NOW)
        assert connected_profiles() == {"google_free_busy": False, "cronofy": True}
        assert get("/v1/userinfo", "ser").json()["cronofy.data"]["authorization"]["status"] == "disconnected"
