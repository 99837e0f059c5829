"""What is Google's alone; what every provider promises is in ``tests/contract/test_calendar_provider.py``."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    ConsentIncomplete,
    CredentialRevoked,
    IdentityRejected,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from tests.fakes.clock import NOW
from tests.provider_harness import DAY, GoogleHarness, busy, json_of

HOUR = 3600


@pytest.fixture
def google() -> GoogleHarness:
    return GoogleHarness()


def refusal(status, reason):
    return httpx.Response(status, json={"error": {"code": status, "errors": [{"reason": reason}]}})


def test_a_refresh_token_comes_with_every_consent(google):
    url = google.provider.authorization_url(
        redirect_uri="https://us.example/callback", state="s", nonce="n", code_challenge="c"
    )
    query = parse_qs(urlsplit(url).query)
    assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    assert query["access_type"] == ["offline"]
    assert query["prompt"] == ["consent"]


def test_scopes_granted_elsewhere_are_not_drawn_in(google):
    url = google.provider.authorization_url(redirect_uri="https://x.example", state="s", nonce="n", code_challenge="c")
    assert "include_granted_scopes" not in url


def test_the_callback_names_its_issuer(google):
    assert google.provider.issuer == "https://accounts.google.com"


def test_a_person_is_known_by_sub(google):
    identity, _ = google.exchange()
    assert identity.provider is ProviderName.GOOGLE
    assert identity.subject == "1077-google"


def test_the_issuer_may_come_without_its_scheme(google):
    google.usual_tokens = google.tokens(id_token=google.id_token(iss="accounts.google.com"))
    assert google.exchange()[0].email == google.email


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email": None},
        {"email": ""},
        {"email": ["ana@example.com"]},
        {"sub": ""},
    ],
    ids=str,
)
def test_an_address_that_google_did_not_verify_is_nobodys(google, changes):
    google.usual_tokens = google.tokens(id_token=google.id_token(**changes))
    with pytest.raises(IdentityRejected):
        google.exchange()


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param("openid https://www.googleapis.com/auth/userinfo.email", id="unticked"),
        pytest.param("openid https://www.googleapis.com/auth/calendar.freebusy.extra", id="a longer name"),
        pytest.param("openid https://www.googleapis.com/auth/calendar.events.freebusy", id="another scope"),
    ],
)
def test_only_the_free_busy_scope_itself_will_do(google, scope):
    google.usual_tokens = google.tokens(scope=scope)
    with pytest.raises(ConsentIncomplete):
        google.exchange()


def test_the_primary_calendar_is_asked_for_by_that_name(google):
    google.free_busy()
    (request,) = google.requests
    assert request.method == "POST"
    assert json_of(request) == {
        "timeMin": "2027-01-15T08:00:00Z",
        "timeMax": "2027-01-16T08:00:00Z",
        "items": [{"id": "primary"}],
    }


def test_times_with_an_offset_are_understood(google):
    calendar = {"busy": [{"start": "2027-01-15T10:00:00+01:00", "end": "2027-01-15T05:00:00.5-05:00"}]}
    google.usual_busy = httpx.Response(200, json={"calendars": {"primary": calendar}})
    assert google.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR + 1)]


def test_times_without_an_offset_are_not_guessed(google):
    google.usual_busy = google._calendar([{"start": "2027-01-15T09:00:00", "end": "2027-01-15T10:00:00"}])
    with pytest.raises(ProviderUnavailable):
        google.free_busy()


@pytest.mark.parametrize(
    ("since", "until", "readable"),
    [
        pytest.param("2027-01-15T08:00:00.000Z", "2027-01-16T08:00:00.000Z", True, id="what was asked"),
        pytest.param("2027-01-15T09:00:00+01:00", "2027-01-16T09:00:00+01:00", True, id="the same elsewhere"),
        pytest.param("2027-01-15T08:00:01.000Z", "2027-01-16T08:00:00.000Z", False, id="begins late"),
        pytest.param("2027-01-15T08:00:00.000Z", "2027-01-16T07:59:59.999Z", False, id="ends early"),
        pytest.param("2026-01-15T08:00:00.000Z", "2026-01-16T08:00:00.000Z", False, id="another year"),
    ],
)
def test_an_answer_for_another_time_is_never_free(google, since, until, readable):
    body = {"timeMin": since, "timeMax": until, "calendars": {"primary": {"busy": []}}}
    google.usual_busy = httpx.Response(200, json=body)
    if readable:
        assert google.free_busy() == []
    else:
        with pytest.raises(CalendarUnreadable):
            google.free_busy()


@pytest.mark.parametrize("bound", ["2027-01-15", "soon", 7, ["2027-01-15T08:00:00Z"]], ids=str)
def test_an_answer_for_no_time_at_all_is_not_understood(google, bound):
    google.usual_busy = httpx.Response(200, json={"timeMin": bound, "calendars": {"primary": {"busy": []}}})
    with pytest.raises(ProviderUnavailable):
        google.free_busy()


def test_an_empty_list_of_errors_is_no_error(google):
    google.usual_busy = httpx.Response(200, json={"calendars": {"primary": {"errors": [], "busy": []}}})
    assert google.free_busy() == []


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"])
def test_a_403_for_haste_is_waited_out(google, reason):
    google.busy_replies.append(refusal(403, reason))
    assert google.free_busy() == []
    assert len(google.time.sleeps) == 1
    google.usual_busy = refusal(403, reason)
    with pytest.raises(ProviderUnavailable):
        google.free_busy()


def test_a_calendar_api_that_is_switched_off_is_the_operators_business(google):
    google.usual_busy = refusal(403, "accessNotConfigured")
    with pytest.raises(ProviderMisconfigured):
        google.free_busy()


def test_a_withdrawn_scope_is_found_out_by_the_refresh_that_follows(google):
    google.usual_busy = refusal(403, "insufficientPermissions")
    with pytest.raises(AccessTokenRejected):
        google.free_busy()
    google.usual_tokens = google.tokens(scope="openid https://www.googleapis.com/auth/userinfo.email")
    with pytest.raises(CredentialRevoked):
        google.refresh()


def test_the_newer_error_model_is_understood_too(google):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}]
    google.usual_busy = httpx.Response(403, json={"error": {"status": "PERMISSION_DENIED", "details": details}})
    with pytest.raises(ProviderMisconfigured):
        google.free_busy()


@pytest.mark.parametrize(
    "error", ["forbidden", {"errors": 7}, {"errors": ["x"], "details": {}}, {"errors": [{"reason": []}]}, None], ids=str
)
def test_a_refusal_of_any_shape_is_never_free(google, error):
    google.usual_busy = httpx.Response(403, json={"error": error})
    with pytest.raises(CalendarUnreadable):
        google.free_busy()


@pytest.mark.parametrize("error", ["deleted_client", "unauthorized_client"])
def test_a_client_that_google_does_not_know_is_the_operators_business(google, error):
    google.usual_tokens = httpx.Response(401, json={"error": error})
    with pytest.raises(ProviderMisconfigured):
        google.refresh()


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_grant", "error_subtype": "invalid_rapt"},
        {"error": "admin_policy_enforced"},
    ],
    ids=["session control of the organization", "the administrator blocked the application"],
)
def test_what_an_organization_ended_only_the_person_can_mend(google, answer):
    google.usual_tokens = httpx.Response(400, json=answer)
    with pytest.raises(CredentialRevoked):
        google.refresh()


def test_a_crowded_calendar_is_read_in_order(google):
    meetings = [busy(NOW + 60 * minute, NOW + 60 * minute + 30) for minute in range(1440)]
    google.usual_busy = google.periods(*reversed(meetings))
    assert google.free_busy(DAY) == meetings
