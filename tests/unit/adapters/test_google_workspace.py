"""What is Google's alone; what every provider promises is in ``tests/contract/test_organizations.py``."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.domain.account import ProviderName
from freebusy.domain.errors import (
    CalendarUnreadable,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.service_account import Delegation, Organization, Resource
from tests.fakes.clock import NOW
from tests.organization_harness import ADMIN, ScriptedGoogle
from tests.provider_harness import DAY, busy, json_of

FREE_BUSY = "https://www.googleapis.com/auth/calendar.freebusy"
ROOMS = "https://www.googleapis.com/auth/admin.directory.resource.calendar.readonly"
ANA, BEN = "ana@example.com", "ben@example.com"
MEETING = busy(NOW + 3600, NOW + 7200)


@pytest.fixture
def google() -> ScriptedGoogle:
    return ScriptedGoogle()


def token_refusal(error, status=400, description="a text that must not be read"):
    return httpx.Response(status, json={"error": error, "error_description": description})


# --- Signing in -------------------------------------------------------------------------------------------------------


def test_only_workspace_accounts_are_offered_and_nobody_consents_for_the_organization(google):
    query = parse_qs(urlsplit(google.sign_in_url()).query)
    assert query["hd"] == ["*"]
    assert google.sign_in.consent_url(redirect_uri="https://us.example/callback", state="s") is None
    assert google.sign_in.issuer == "https://accounts.google.com"


@pytest.mark.parametrize(
    ("claims", "key", "domains"),
    [
        pytest.param({}, "example.com", ("example.com",), id="one domain"),
        pytest.param({"hd": "Example.COM"}, "example.com", ("example.com",), id="in capitals"),
        pytest.param({"hd": "main.example"}, "main.example", ("main.example", "example.com"), id="a secondary domain"),
    ],
)
def test_an_organization_is_its_hosted_domain_and_that_of_the_address(google, claims, key, domains):
    google.claims = claims
    administrator = google.administrator()
    assert administrator.organization == Organization(ProviderName.GOOGLE, key, domains)
    assert administrator.identity.subject == f"subject of {ADMIN}"


@pytest.mark.parametrize(
    "claims",
    [{"hd": None}, {"hd": ""}, {"hd": True}, {"hd": ["example.com"]}, {"email_verified": False}, {"email": None}],
    ids=str,
)
def test_an_account_that_google_hosts_for_no_organization_is_rejected(google, claims):
    google.claims = claims
    with pytest.raises(IdentityRejected):
        google.administrator()


# --- Delegation -------------------------------------------------------------------------------------------------------


def test_the_administrator_is_told_whom_to_let_in_and_for_what(google):
    assert google.calendars.delegation() == Delegation("1077", free_busy=FREE_BUSY, resources=ROOMS)


def test_an_assertion_names_the_person_and_one_scope(google):
    google.credential()
    google.resources()
    assert [google.claims_of(request) for request in google.asked("token")] == [
        {
            "iss": "freebusy@project.iam.gserviceaccount.com",
            "sub": ADMIN,
            "scope": scope,
            "aud": "https://oauth2.googleapis.com/token",
            "iat": NOW - 60,
            "exp": NOW - 60 + 3600,
        }
        for scope in (FREE_BUSY, ROOMS)
    ]


def test_an_assertion_is_for_googles_own_host_also_where_another_stands_in(google):
    elsewhere = ScriptedGoogle("http://127.0.0.1:8081")
    elsewhere.credential()
    (request,) = elsewhere.asked("token")
    assert request.url.host == "127.0.0.1"
    assert elsewhere.claims_of(request)["aud"] == "https://oauth2.googleapis.com/token"


def test_a_token_lives_as_long_as_google_says_and_cannot_be_refreshed(google):
    credential = google.credential()
    assert (credential.expires_at, credential.refresh_token) == (NOW + 3599, "")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        pytest.param("unauthorized_client", DelegationMissing, id="not on the administrator's list"),
        pytest.param("access_denied", DelegationMissing, id="a scope is not on it"),
        pytest.param("admin_policy_enforced", DelegationMissing, id="a policy of the organization"),
        pytest.param("invalid_scope", ProviderMisconfigured, id="our question"),
        pytest.param("org_internal", ProviderMisconfigured, id="our project is for its own organization"),
        pytest.param("invalid_client", ProviderMisconfigured, id="our account"),
        pytest.param("disabled_client", ProviderMisconfigured, id="our account is switched off"),
        pytest.param("deleted_client", ProviderMisconfigured, id="our account is gone"),
        pytest.param("something_new", ProviderUnavailable, id="nobody knows, so nobody is disconnected"),
        pytest.param("server_error", ProviderUnavailable, id="a moment's trouble"),
    ],
)
def test_what_a_refused_token_means(google, error, verdict):
    google.usual["token"] = token_refusal(error)
    with pytest.raises(verdict):
        google.credential()


def is_for_somebody(google, request):
    return "sub" in google.claims_of(request)


@pytest.mark.parametrize("description", ["Invalid email or User ID", "Invalid JWT Signature.", "ungültig", ""])
def test_whose_fault_an_invalid_grant_is_is_found_out_by_asking_without_a_person(google, description):
    """The texts say it too, but they are prose: here they say the opposite."""

    def only_for_us(request):
        if is_for_somebody(google, request):
            return token_refusal("invalid_grant", description=description)
        return google.answer("token", request)

    google.usual["token"] = only_for_us
    with pytest.raises(MailboxUnknown):
        google.calendars.own_free_busy(google.organization, ADMIN, DAY, deadline=google.deadline())
    first, second = google.asked("token")
    assert is_for_somebody(google, first)
    assert google.claims_of(second)["scope"] == FREE_BUSY
    assert not is_for_somebody(google, second)


def test_a_key_that_google_does_not_take_is_the_operators_business_and_nobody_is_unknown(google):
    google.signer = "service-key-2"
    with pytest.raises(ProviderMisconfigured):
        google.credential()
    assert google.calls("token") == 4


def test_a_new_key_is_picked_up_when_google_refuses_the_old_one(google):
    google.signer, google.key = "service-key-2", google.key_called("service-key-2")
    assert google.credential().access_token
    assert google.credential().access_token
    assert google.calls("token") == 4


def test_a_question_that_cannot_be_answered_now_blames_nobody(google):
    def away_for_us(request):
        return token_refusal("invalid_grant") if is_for_somebody(google, request) else httpx.Response(503)

    google.usual["token"] = away_for_us
    with pytest.raises(ProviderUnavailable):
        google.credential()


@pytest.mark.parametrize("private_key", ["-----BEGIN PUBLIC KEY-----", "", "key", "{}"])
def test_a_key_file_without_an_rsa_key_is_the_operators_business(google, private_key):
    google.kept_key = replace(google.key, private_key=private_key)
    with pytest.raises(ProviderMisconfigured):
        google.credential()
    assert google.requests == []


def test_nobody_of_another_organization_is_spoken_for_whatever_google_would_allow(google):
    """The same service account is let in by many organizations."""
    google.put("eve@elsewhere.example", busy=[MEETING])
    for call in (google.calendars.credential, google.calendars.resources):
        with pytest.raises(MailboxUnknown):
            call(google.organization, "eve@elsewhere.example", deadline=google.deadline())
    with pytest.raises(MailboxUnknown):
        google.alone("eve@elsewhere.example", window=DAY)
    with pytest.raises(MailboxUnknown):
        google.calendars.credential(Organization(ProviderName.GOOGLE, "example.com"), ANA, deadline=google.deadline())
    assert google.requests == []


# --- Calendars --------------------------------------------------------------------------------------------------------


def test_many_are_asked_for_by_address_and_charged_to_a_name_that_hides_them(google):
    google.put(ANA, BEN)
    credential = google.credential()
    google.together(ANA, BEN, window=DAY, credential=credential)
    google.together(BEN, ANA, window=DAY, credential=credential)
    google.together(ANA, window=DAY, credential=credential)
    google.alone(ANA, window=DAY)
    requests = google.asked("busy")
    assert json_of(requests[0]) == {
        "timeMin": "2027-01-15T08:00:00Z",
        "timeMax": "2027-01-16T08:00:00Z",
        "items": [{"id": ANA}, {"id": BEN}],
        "calendarExpansionMax": 50,
    }
    assert json_of(requests[3])["items"] == [{"id": "primary"}]
    both, again, ana, alone = [request.url.params["quotaUser"] for request in requests]
    assert both == again
    assert both != ana == alone
    for name in (both, ana):
        assert len(name) == 40
        assert set(name) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "calendar",
    [
        {"errors": [{"reason": "notFound"}], "busy": []},
        {"errors": [{"reason": "internalError"}], "busy": []},
        {"errors": [{"reason": "tooManyCalendarsRequested"}], "busy": []},
        {"errors": [{"reason": "tooManyCalendarsRequested"}]},
        {"errors": "a word", "busy": []},
        {"busy": None},
        {},
        None,
    ],
    ids=str,
)
def test_a_calendar_that_google_could_not_read_is_nobody_elses_trouble(google, calendar):
    google.put(ANA)
    google.usual["busy"] = httpx.Response(200, json={"calendars": {ANA: calendar, BEN: {"busy": []}}})
    found = google.together(ANA, BEN, "cat@example.com", window=DAY)
    assert found[BEN] == []
    assert isinstance(found[ANA], CalendarUnreadable)
    assert isinstance(found["cat@example.com"], CalendarUnreadable)


def test_an_answer_for_another_time_is_readable_for_nobody(google):
    bounds = {"timeMin": "2027-01-15T08:00:01Z", "timeMax": "2027-01-16T08:00:00Z"}
    google.usual["busy"] = httpx.Response(200, json={**bounds, "calendars": {ANA: {"busy": []}, BEN: {"busy": []}}})
    assert all(isinstance(each, CalendarUnreadable) for each in google.together(ANA, BEN, window=DAY).values())


def test_a_piece_that_is_refused_makes_everybody_unreadable_and_nobody_free(google):
    google.put(ANA, BEN)
    google.replies["busy"].append(httpx.Response(400, json=google.error("timeRangeTooLong")))
    found = google.together(ANA, BEN, window=DAY._replace(end=NOW + 90 * 86400))
    assert all(isinstance(each, CalendarUnreadable) for each in found.values())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            httpx.Response(403, json={"error": {"errors": [{"domain": "calendar", "reason": "notACalendarUser"}]}}),
            id="Calendar is switched off for them",
        ),
        pytest.param(
            httpx.Response(200, json={"calendars": {"primary": {"errors": [{"reason": "notFound"}], "busy": []}}}),
            id="their own calendar is not found",
        ),
    ],
)
def test_somebody_whom_google_keeps_no_calendar_for_is_told_apart(google, answer):
    google.usual["busy"] = answer
    with pytest.raises(MailboxWithoutCalendar):
        google.alone(ADMIN, window=DAY)


def test_a_trouble_with_their_own_calendar_is_no_more_than_that(google):
    google.usual["busy"] = httpx.Response(
        200, json={"calendars": {"primary": {"errors": [{"reason": "internalError"}]}}}
    )
    with pytest.raises(CalendarUnreadable) as caught:
        google.alone(ADMIN, window=DAY)
    assert type(caught.value) is CalendarUnreadable


def test_nobody_speaks_for_a_room(google):
    room = "c_188@Resource.Calendar.google.com"
    google.world.rooms = {room.lower(): "Board room"}
    with pytest.raises(CalendarUnreadable) as caught:
        google.alone(room, window=DAY)
    assert type(caught.value) is CalendarUnreadable
    assert google.requests == []
    assert google.together(room, window=DAY) == {room: []}


def test_haste_and_a_switched_off_api_are_what_they_are_for_one_person(google):
    def refusal(reason):
        return httpx.Response(403, json=google.error(reason))

    google.replies["busy"].append(refusal("userRateLimitExceeded"))
    assert google.together(ADMIN, window=DAY) == {ADMIN: []}
    google.usual["busy"] = refusal("accessNotConfigured")
    with pytest.raises(ProviderMisconfigured):
        google.together(ADMIN, window=DAY)


# --- Rooms ------------------------------------------------------------------------------------------------------------


def page(number, *, following=None):
    return httpx.Response(
        200,
        json={"items": [{"resourceEmail": f"room{number}@x", "resourceName": f"Room {number}"}], **(following or {})},
    )


def test_rooms_are_listed_page_by_page_in_the_administrators_name(google):
    google.replies["rooms"] += [page(1, following={"nextPageToken": "p2"}), page(2)]
    assert google.resources() == [Resource("room1@x", "Room 1"), Resource("room2@x", "Room 2")]
    first, second = google.asked("rooms")
    assert dict(first.url.params) == {"maxResults": "500"}
    assert dict(second.url.params) == {"maxResults": "500", "pageToken": "p2"}
    assert first.headers["authorization"] == f"Bearer token.of/{ADMIN}"


def test_a_list_of_rooms_that_never_ends_is_given_up(google):
    google.usual["rooms"] = lambda _: page(1, following={"nextPageToken": "again"})
    with pytest.raises(ProviderUnavailable):
        google.resources()
    assert google.calls("rooms") == 20


@pytest.mark.parametrize(
    ("items", "found"),
    [
        pytest.param([{"resourceEmail": "a@x"}], [Resource("a@x", "a@x")], id="no name"),
        pytest.param([{"resourceName": "A"}], [], id="no address"),
        pytest.param([{"resourceEmail": 7}, "a word", None], [], id="no rooms"),
        pytest.param("a word", [], id="no list"),
        pytest.param(None, [], id="nothing"),
    ],
)
def test_what_cannot_be_asked_about_is_no_room(google, items, found):
    google.usual["rooms"] = httpx.Response(200, json={"items": items})
    assert google.resources() == found


@pytest.mark.parametrize(
    ("status", "reason", "verdict"),
    [
        pytest.param(403, "forbidden", DelegationMissing, id="the speaker is no administrator any more"),
        pytest.param(403, "accessNotConfigured", ProviderMisconfigured, id="the Admin SDK is switched off"),
        pytest.param(404, "notFound", ProviderUnavailable, id="something new"),
    ],
)
def test_what_a_refused_list_of_rooms_means(google, status, reason, verdict):
    google.usual["rooms"] = httpx.Response(status, json=google.error(reason))
    with pytest.raises(verdict):
        google.resources()
