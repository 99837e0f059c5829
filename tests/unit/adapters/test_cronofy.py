"""What Cronofy says in its own way; what all providers have in common is in ``tests/contract``."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.domain.account import ProviderName, Upstream
from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    CredentialRevoked,
    IdentityRejected,
    OtherAccessMode,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from tests.fakes.clock import NOW
from tests.provider_harness import CREDENTIAL, CronofyHarness, busy, form_of

HOUR = 3600
DAY = 86400
TODAY = NOW - 8 * HOUR
PAGE_2 = "https://api-de.cronofy.com/v1/free_busy/pages/0f1e2d3c"


@pytest.fixture
def cronofy():
    return CronofyHarness()


def consent(cronofy, **asked):
    asked = {"redirect_uri": "https://us.example/cb", "state": "s", "nonce": "n", "code_challenge": "c", **asked}
    return urlsplit(cronofy.provider.authorization_url(**asked))


def with_pages(cronofy, **replies):
    """Answers for the later pages, by token."""
    usual = cronofy.routes

    def routes():
        more = {f"/v1/free_busy/pages/{token}": (cronofy.busy_replies, reply) for token, reply in replies.items()}
        return {**usual(), **more}

    cronofy.routes = routes


# --- Consent ---------------------------------------------------------------------------------------


def test_the_kind_of_calendar_that_was_asked_for_is_passed_on(cronofy):
    assert parse_qs(consent(cronofy, kind=ProviderName.MICROSOFT).query)["provider_name"] == ["ms_graph_free_busy"]
    assert "provider_name" not in parse_qs(consent(cronofy).query)


def test_people_who_share_a_browser_do_not_become_one_account_there(cronofy):
    assert parse_qs(consent(cronofy).query)["avoid_linking"] == ["true"]


def test_what_cronofy_does_not_know_is_not_sent(cronofy):
    assert not {"nonce", "code_challenge", "code_challenge_method"} & parse_qs(consent(cronofy).query).keys()
    cronofy.exchange()
    assert "code_verifier" not in form_of(cronofy.asked("/oauth/token")[0])


@pytest.mark.parametrize(
    ("data_center", "hosts"),
    [
        pytest.param("us", {"app.cronofy.com", "api.cronofy.com"}, id="the first one has no suffix"),
        *(
            pytest.param(name, {f"app-{name}.cronofy.com", f"api-{name}.cronofy.com"}, id=name)
            for name in ("au", "ca", "de", "sg", "uk")
        ),
    ],
)
def test_every_data_center_has_its_own_hosts(cronofy, data_center, hosts):
    cronofy.registration.kept = replace(cronofy.registration.kept, data_center=data_center)
    cronofy.exchange()
    cronofy.free_busy()
    assert {consent(cronofy).hostname, *(request.url.host for request in cronofy.requests)} == hosts


@pytest.mark.parametrize("data_center", ["", "eu", "US", "de.evil.example/", "../x"])
def test_another_data_center_is_the_operators_mistake_and_nobody_is_asked(cronofy, data_center):
    cronofy.registration.kept = replace(cronofy.registration.kept, data_center=data_center)
    for call in (cronofy.exchange, cronofy.refresh, cronofy.free_busy, lambda: consent(cronofy)):
        with pytest.raises(ProviderMisconfigured):
            call()
    assert cronofy.requests == []


def test_a_person_is_known_by_the_sub_of_cronofy_and_never_as_who_signs_in_at_google(cronofy):
    identity, _ = cronofy.exchange()
    assert (identity.provider, identity.upstream) == (ProviderName.GOOGLE, Upstream.CRONOFY)
    assert identity.key != replace(identity, upstream=Upstream.DIRECT).key


def linked(cronofy, **changes):
    """A token answer with a changed ``linking_profile``."""
    profile = cronofy.tokens().json()["linking_profile"]
    return cronofy.tokens(linking_profile={**profile, **changes})


def test_the_profile_says_which_kind_of_calendar_it_is(cronofy):
    cronofy.usual_tokens = linked(cronofy, provider_name="ms_graph_free_busy")
    assert cronofy.exchange()[0].provider is ProviderName.MICROSOFT


def test_the_older_name_of_the_account_will_do(cronofy):
    cronofy.usual_tokens = cronofy.tokens(sub=None)
    assert cronofy.exchange()[0].subject == cronofy.subject


@pytest.mark.parametrize("name", ["google", "office365", "cronofy", "apple", "something_new"])
def test_whoever_gave_more_or_less_than_free_busy_is_not_connected(cronofy, name):
    cronofy.usual_tokens = linked(cronofy, provider_name=name)
    with pytest.raises(OtherAccessMode):
        cronofy.exchange()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sub": None, "account_id": None}, id="no account"),
        pytest.param({"sub": 7}, id="a number"),
        pytest.param({"linking_profile": None}, id="no profile, as of a service account"),
        pytest.param({"linking_profile": {"provider_name": "google_free_busy"}}, id="no address"),
        pytest.param({"linking_profile": "google_free_busy"}, id="a word"),
    ],
)
def test_tokens_of_nobody_are_rejected(cronofy, changes):
    cronofy.usual_tokens = cronofy.tokens(**changes)
    with pytest.raises(IdentityRejected):
        cronofy.exchange()


def test_a_token_is_revoked_with_our_client(cronofy):
    revoked = []

    def routes(usual=cronofy.routes):
        return {
            **usual(),
            "/oauth/token/revoke": (cronofy.token_replies, lambda request: revoked.append(request) or ok),
        }

    ok = httpx.Response(200)
    cronofy.routes = routes
    cronofy.provider.revoke(CREDENTIAL, deadline=10)
    assert form_of(revoked[0]) == {"client_id": "our-client-id", "client_secret": "secret-1", "token": "refresh-1"}


def test_a_token_is_revoked_also_when_our_secret_was_replaced_just_now(cronofy):
    secrets = []

    def reply(request):
        secrets.append(form_of(request)["client_secret"])
        known = secrets[-1] == "secret-2"
        return httpx.Response(200) if known else httpx.Response(400, json={"error": "invalid_client"})

    usual = cronofy.routes
    cronofy.routes = lambda: {**usual(), "/oauth/token/revoke": (cronofy.token_replies, reply)}
    cronofy.registration.current = replace(cronofy.registration.kept, client_secret="secret-2")
    cronofy.provider.revoke(CREDENTIAL, deadline=10)
    assert secrets == ["secret-1", "secret-2"]


# --- Free/busy -------------------------------------------------------------------------------------


def test_both_calendars_are_read_in_utc_with_what_was_written_to_the_managed_one(cronofy):
    cronofy.free_busy()
    asked = cronofy.asked("/v1/free_busy")[0].url.params
    assert dict(asked).items() >= {"tzid": "Etc/UTC", "include_managed": "true", "include_ids": "true"}.items()
    assert "calendar_ids[]" not in asked
    managed = cronofy.row("2027-01-15T13:00:00Z", "2027-01-15T13:30:00Z", event_id="booking-7", event_uid="evt_1")
    managed["calendar_id"] = "cal_Zz9yXx_1"
    cronofy.usual_busy = cronofy.page(cronofy.row("2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z"), managed)
    assert cronofy.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR), busy(NOW + 5 * HOUR, NOW + 5.5 * HOUR)]


def test_what_was_written_from_here_counts_from_our_own_store_and_not_twice(cronofy):
    ours = cronofy.row("2027-01-15T13:00:00Z", "2027-01-15T13:30:00Z", event_id="fbc_evt_5f00", event_uid="evt_1")
    cronofy.usual_busy = cronofy.page(ours)
    assert cronofy.free_busy() == []


def test_a_deleted_row_is_gone(cronofy):
    gone = cronofy.row("2027-01-15T13:00:00Z", "2027-01-15T13:30:00Z", deleted=True)
    cronofy.usual_busy = cronofy.page(gone, {**gone, "deleted": False})
    assert cronofy.free_busy() == [busy(NOW + 5 * HOUR, NOW + 5.5 * HOUR)]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("busy", FreeBusyStatus.BUSY),
        ("tentative", FreeBusyStatus.TENTATIVE),
        ("free", FreeBusyStatus.FREE),
        ("unknown", FreeBusyStatus.UNKNOWN),
        ("unavailable", FreeBusyStatus.UNKNOWN),
        (None, FreeBusyStatus.UNKNOWN),
        (["free"], FreeBusyStatus.UNKNOWN),
    ],
    ids=str,
)
def test_a_status_that_nobody_knows_is_unknown(cronofy, told, status):
    cronofy.usual_busy = cronofy.page(cronofy.row("2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z", told))
    assert cronofy.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR, status)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        pytest.param(
            "2027-01-15",
            "2027-01-16",
            (TODAY - 14 * HOUR, TODAY + 36 * HOUR),
            id="a date is as long as it may be meant anywhere on earth",
        ),
        pytest.param(
            "2027-01-14",
            "2027-01-15",
            (TODAY - 38 * HOUR, TODAY + 12 * HOUR),
            id="yesterday reaches into today",
        ),
        pytest.param("2027-01-15 09:00:00Z", "2027-01-15 10:00:00Z", (NOW + HOUR, NOW + 2 * HOUR), id="with a space"),
        pytest.param(
            {"time": "2027-01-15T10:00:00+01:00", "tzid": "Europe/Paris"},
            {"time": "2027-01-15T11:00:00+01:00", "tzid": "Europe/Paris"},
            (NOW + HOUR, NOW + 2 * HOUR),
            id="localized",
        ),
        pytest.param(
            "0000-12-29T00:00:00Z", "2027-01-15T10:00:00Z", (-62135510400, NOW + 2 * HOUR), id="from the year 0 on"
        ),
    ],
)
def test_times_are_read_as_the_contract_writes_them(cronofy, start, end, expected):
    cronofy.usual_busy = cronofy.page(cronofy.row(start, end))
    assert cronofy.free_busy() == [busy(*expected)]


def test_dates_are_looked_for_beside_the_window_too(cronofy):
    cronofy.free_busy(Period(NOW, NOW + HOUR))
    asked = cronofy.asked("/v1/free_busy")[0].url.params
    assert (asked["from"], asked["to"]) == ("2027-01-14T20:00:00Z", "2027-01-15T23:00:00Z")


def test_what_cronofy_does_not_show_is_unknown_and_never_free(cronofy):
    window = Period(TODAY - 50 * DAY, TODAY + 210 * DAY)
    shown = Period(TODAY - 42 * DAY, TODAY + 201 * DAY)
    assert cronofy.free_busy(window) == [
        FreeBusyPeriod(window.start, shown.start, FreeBusyStatus.UNKNOWN),
        FreeBusyPeriod(shown.end, window.end, FreeBusyStatus.UNKNOWN),
    ]
    asked = [request.url.params for request in cronofy.asked("/v1/free_busy")]
    assert min(each["from"] for each in asked) == "2026-12-04T00:00:00Z"
    assert max(each["to"] for each in asked) == "2027-08-04T00:00:00Z"


@pytest.mark.parametrize("days", [-60, 300])
def test_a_window_of_which_nothing_is_shown_is_unknown_without_asking(cronofy, days):
    window = Period(NOW + days * DAY, NOW + (days + 1) * DAY)
    assert cronofy.free_busy(window) == [FreeBusyPeriod(*window, FreeBusyStatus.UNKNOWN)]
    assert cronofy.requests == []


def test_every_page_is_read_with_the_token(cronofy):
    first = cronofy.row("2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z")
    second = cronofy.row("2027-01-15T11:00:00Z", "2027-01-15T12:00:00Z")
    cronofy.usual_busy = cronofy.page(first, total=2, next_page=PAGE_2)
    with_pages(cronofy, **{"0f1e2d3c": cronofy.page(second, current=2, total=2)})
    assert cronofy.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR), busy(NOW + 3 * HOUR, NOW + 4 * HOUR)]
    assert cronofy.requests[-1].headers["authorization"] == "Bearer access-1"
    assert cronofy.requests[-1].url == PAGE_2


def test_a_page_is_found_where_the_data_center_is_stood_in_for():
    cronofy = CronofyHarness("http://127.0.0.1:8180")
    next_page = "http://127.0.0.1:8180/v1/free_busy/pages/2"
    cronofy.usual_busy = cronofy.page(total=2, next_page=next_page)
    with_pages(cronofy, **{"2": cronofy.page(current=2, total=2)})
    assert cronofy.free_busy() == []
    assert cronofy.requests[-1].url == next_page


@pytest.mark.parametrize(
    "second",
    [
        pytest.param({"current": 1, "total": 2, "next_page": PAGE_2}, id="the same page for ever"),
        pytest.param({"current": 2, "total": 3}, id="it ends too early"),
    ],
)
def test_pages_that_are_not_complete_are_no_answer(cronofy, second):
    cronofy.usual_busy = cronofy.page(total=2, next_page=PAGE_2)
    with_pages(cronofy, **{"0f1e2d3c": httpx.Response(200, json={"pages": second, "free_busy": []})})
    with pytest.raises(CalendarUnreadable):
        cronofy.free_busy()


def test_pages_without_end_are_given_up(cronofy):
    def reply(request):
        number = int(request.url.path.rpartition("/")[2]) if "pages" in request.url.path else 1
        page = f"https://api-de.cronofy.com/v1/free_busy/pages/{number + 1}"
        return cronofy.page(current=number, total=10**6, next_page=page)

    cronofy.usual_busy = reply
    with_pages(cronofy, **{str(number): reply for number in range(2, 200)})
    with pytest.raises(CalendarUnreadable):
        cronofy.free_busy()
    assert len(cronofy.requests) < 110


def test_a_later_page_that_is_gone_is_no_answer(cronofy):
    cronofy.usual_busy = cronofy.page(total=2, next_page=PAGE_2)
    with_pages(cronofy, **{"0f1e2d3c": httpx.Response(404)})
    with pytest.raises(CalendarUnreadable):
        cronofy.free_busy()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(402, ProviderMisconfigured, id="the plan lacks it"),
        pytest.param(403, CalendarUnreadable, id="the scope is missing"),
        pytest.param(422, CalendarUnreadable, id="validation"),
        pytest.param(423, CalendarUnreadable, id="the account is locked"),
        pytest.param(429, ProviderUnavailable, id="throttled"),
        pytest.param(500, ProviderUnavailable, id="down"),
    ],
)
@pytest.mark.parametrize("path", ["busy", "userinfo"])
def test_refusals_without_a_body_are_told_apart_by_their_status(cronofy, path, status, expected):
    setattr(cronofy, f"usual_{path}", httpx.Response(status))
    with pytest.raises(expected):
        cronofy.free_busy()


# --- Whether Cronofy itself still sees the calendar -----------------------------------------------------


def test_a_calendar_that_cronofy_has_not_seen_yet_is_not_free(cronofy):
    cronofy.usual_userinfo = cronofy.userinfo(profile_initial_sync_required=True)
    with pytest.raises(CalendarUnreadable):
        cronofy.free_busy()
    assert cronofy.asked("/v1/free_busy") == []


def test_a_calendar_that_cronofy_lost_needs_its_person(cronofy):
    cronofy.usual_userinfo = cronofy.userinfo(profile_connected=False)
    with pytest.raises(AccessTokenRejected):
        cronofy.free_busy()
    with pytest.raises(CredentialRevoked):
        cronofy.refresh()


@pytest.mark.parametrize(
    "userinfo",
    [
        pytest.param(httpx.Response(503), id="down"),
        pytest.param(httpx.Response(401), id="rejected"),
        pytest.param(httpx.Response(200, json={}), id="says nothing"),
        pytest.param(CronofyHarness().userinfo(profile_initial_sync_required=True), id="not seen yet"),
    ],
)
def test_tokens_that_were_renewed_are_kept_whatever_userinfo_says(cronofy, userinfo):
    """Those before them may be used up."""
    cronofy.usual_userinfo = userinfo
    assert cronofy.refresh().refresh_token == "refresh-2"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"cronofy.data": None},
        {"cronofy.data": {"profiles": []}},
        {"cronofy.data": {"profiles": [7]}},
        {"cronofy.data": {"profiles": [{"provider_name": "cronofy", "profile_connected": True}]}},
        {"cronofy.data": {"profiles": [{"provider_name": "google_free_busy"}]}},
        {"cronofy.data": {"profiles": [{"provider_name": "google_free_busy", "profile_connected": "no"}]}},
    ],
    ids=str,
)
def test_an_account_without_a_calendar_of_its_own_is_not_free(cronofy, body):
    cronofy.usual_userinfo = httpx.Response(200, json=body)
    with pytest.raises(CalendarUnreadable):
        cronofy.free_busy()


def test_one_look_lasts_for_a_minute(cronofy):
    for _ in range(3):
        cronofy.free_busy(deadline=1000)
    assert len(cronofy.asked("/v1/userinfo")) == 1
    cronofy.time.elapsed += 61
    cronofy.free_busy(deadline=1000)
    assert len(cronofy.asked("/v1/userinfo")) == 2


def test_what_was_seen_for_one_person_says_nothing_of_another(cronofy):
    cronofy.free_busy()
    cronofy.provider.free_busy(replace(CREDENTIAL, access_token="other"), "", Period(NOW, NOW + HOUR), deadline=10)
    assert len(cronofy.asked("/v1/userinfo")) == 2
