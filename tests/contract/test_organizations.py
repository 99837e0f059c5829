"""What every provider promises about whole organizations (``ports.OrganizationSignIn``, ``OrganizationCalendars``)."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.domain.errors import (
    AccessTokenRejected,
    CalendarUnreadable,
    CredentialRevoked,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    MailboxWithoutCalendar,
    NotAnAdministrator,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyPeriod, Period
from freebusy.domain.service_account import Organization, Resource
from tests.fakes.clock import NOW
from tests.organization_harness import ADMIN, HARNESSES, SCRIPTED, OrganizationHarness, ScriptedHarness, harness_of
from tests.provider_harness import CANARY, CLIENT_ID, DAY, JUNK, NONCE, busy, form_of, paths_of, replaced, told

HOUR = 3600
EIGHT_MONTHS = Period(NOW, NOW + 242 * 86400)
ANA, BEN, CAT = "ana@example.com", "ben@example.com", "cat@example.com"
ROOM = "board@example.com"
MEETING = busy(NOW + HOUR, NOW + 2 * HOUR)
LUNCH = busy(NOW + 5 * HOUR, NOW + 6 * HOUR)


@pytest.fixture(params=HARNESSES, ids=lambda harness: harness.__name__)
def provider(request) -> OrganizationHarness:
    yield from harness_of(request.param)


@pytest.fixture(params=SCRIPTED, ids=lambda harness: harness.__name__)
def scripted(request) -> ScriptedHarness:
    return request.param()


# --- Many mailboxes together --------------------------------------------------------------------------------------


def test_many_mailboxes_are_read_in_one_call(provider):
    provider.put(ANA, busy=[LUNCH, MEETING])
    provider.put(BEN)
    assert provider.together(ANA, BEN, ADMIN, window=DAY) == {ANA: [MEETING, LUNCH], BEN: [], ADMIN: []}
    assert (provider.calls("token"), provider.calls("busy")) == (1, 1)


def test_as_many_as_promised_fit_into_one_call(provider):
    mailboxes = [f"person{number}@example.com" for number in range(provider.calendars.most_together)]
    provider.put(*mailboxes, busy=[MEETING])
    assert provider.together(*mailboxes, window=DAY) == {each: [MEETING] for each in mailboxes}
    assert provider.calls("busy") == 1


def test_a_colleague_who_cannot_be_read_is_never_free_and_takes_nobody_along(provider):
    provider.put(ANA, BEN, CAT, "dan@example.com", busy=[MEETING])
    provider.world.hidden, provider.world.suspended = {BEN}, {CAT}
    provider.world.without_calendar = {"dan@example.com"}
    provider.changed()
    found = provider.together(
        ANA, BEN, CAT, "dan@example.com", "nobody@example.com", "eve@elsewhere.example", window=DAY
    )
    assert found.pop(ANA) == [MEETING]
    assert len(found) == 5
    for reading in found.values():
        assert isinstance(reading, CalendarUnreadable)


def test_whoever_comes_first_does_not_matter(provider):
    provider.put(ANA, BEN, busy=[MEETING])
    provider.world.suspended = {BEN}
    provider.changed()
    found = provider.together("nobody@example.com", BEN, ANA, window=DAY)
    assert found[ANA] == [MEETING]
    assert isinstance(found[BEN], CalendarUnreadable)
    assert isinstance(found["nobody@example.com"], CalendarUnreadable)


def test_an_answer_is_under_the_address_that_was_given(provider):
    provider.put(ANA, busy=[MEETING])
    assert provider.together("Ana@Example.com", window=DAY) == {"Ana@Example.com": [MEETING]}


def test_nobody_is_asked_about_nobody_or_about_no_time(provider):
    provider.put(ANA, busy=[MEETING])
    credential = provider.credential()
    assert provider.together(window=DAY, credential=credential) == {}
    assert provider.together(ANA, window=Period(NOW, NOW), credential=credential) == {ANA: []}
    assert provider.calls("busy") == 0


def test_a_long_window_is_read_in_pieces_that_every_limit_allows(provider):
    seam = NOW + 60 * 86400
    crossing, late = busy(seam - HOUR, seam + HOUR), busy(NOW + 200 * 86400, NOW + 200 * 86400 + HOUR)
    provider.put(ANA, busy=[crossing])
    provider.put(BEN, busy=[late])
    assert provider.together(ANA, BEN, window=EIGHT_MONTHS) == {ANA: [crossing], BEN: [late]}
    assert provider.calls("busy") == 5
    assert provider.alone(ANA, window=EIGHT_MONTHS) == [crossing]


def test_a_room_is_read_together_with_people(provider):
    provider.world.rooms = {ROOM: "Board room"}
    provider.changed()
    assert provider.together(ADMIN, ROOM, window=DAY) == {ADMIN: [], ROOM: []}


# --- One mailbox, as its own person sees it ---------------------------------------------------------------------------


def test_a_calendar_that_colleagues_may_not_see_is_seen_by_its_own_person(provider):
    provider.put(ANA, busy=[LUNCH, MEETING])
    provider.world.hidden = {ANA}
    provider.changed()
    assert provider.alone(ANA, window=DAY) == [MEETING, LUNCH]


def test_reading_somebody_again_costs_one_call(provider):
    provider.put(ANA, busy=[MEETING])
    assert provider.alone(ANA, window=DAY) == provider.alone(ANA, window=DAY) == [MEETING]
    assert (provider.calls("token"), provider.calls("busy")) == (1, 2)


@pytest.mark.parametrize(
    ("mailbox", "error"),
    [
        pytest.param("nobody@example.com", MailboxUnknown, id="never existed"),
        pytest.param("ben@example.com", MailboxUnknown, id="suspended"),
        pytest.param("eve@elsewhere.example", MailboxUnknown, id="of another organization"),
        pytest.param("cat@example.com", MailboxWithoutCalendar, id="has no calendar"),
    ],
)
def test_why_a_mailbox_cannot_be_read_is_told(provider, mailbox, error):
    provider.put(BEN, CAT, busy=[MEETING])
    provider.world.suspended, provider.world.without_calendar = {BEN}, {CAT}
    provider.changed()
    with pytest.raises(error):
        provider.alone(mailbox, window=DAY)


# --- What the administrator allows ------------------------------------------------------------------------------------


def test_nothing_is_read_before_the_administrator_lets_us_in(provider):
    provider.world.delegated = False
    provider.changed()
    with pytest.raises(DelegationMissing):
        provider.alone(ADMIN, window=DAY)
    with pytest.raises(DelegationMissing):
        provider.together(ADMIN, window=DAY)


def test_what_the_administrator_allows_works_at_once_with_a_new_credential(provider):
    provider.world.delegated = False
    provider.changed()
    with pytest.raises(DelegationMissing):
        provider.together(ADMIN, window=DAY)
    provider.world.delegated = True
    provider.changed()
    assert provider.together(ADMIN, window=DAY) == {ADMIN: []}
    assert provider.alone(ADMIN, window=DAY) == []


def test_what_the_administrator_takes_back_ends_at_once(provider):
    credential = provider.credential()
    assert provider.alone(ADMIN, window=DAY) == []
    provider.world.delegated = False
    provider.changed()
    with pytest.raises(DelegationMissing):
        provider.alone(ADMIN, window=DAY)
    with pytest.raises((AccessTokenRejected, DelegationMissing)):
        provider.together(ADMIN, window=DAY, credential=credential)


def test_rooms_are_listed_where_the_administrator_allows_that(provider):
    provider.world.rooms = {ROOM: "Board room", "attic@example.com": "Attic"}
    provider.changed()
    assert provider.resources() == [Resource(ROOM, "Board room"), Resource("attic@example.com", "Attic")]
    assert provider.resources()
    assert provider.calls("token") == 1


def test_free_busy_alone_lists_no_rooms(provider):
    provider.world.rooms, provider.world.rooms_allowed = {ROOM: "Board room"}, False
    provider.changed()
    with pytest.raises(DelegationMissing):
        provider.resources()
    assert provider.alone(ADMIN, window=DAY) == []


# --- Signing in -------------------------------------------------------------------------------------------------------


def test_an_administrator_is_known_with_their_organization(provider):
    administrator = provider.administrator()
    assert administrator.organization == provider.organization
    assert administrator.identity.email == ADMIN
    assert administrator.identity.provider is provider.organization.provider


def test_somebody_who_cannot_speak_for_the_organization_is_turned_away(provider):
    """Google does not say who is an administrator, and a private account has no organization there."""
    somebody = "somebody@gmail.com" if provider.organization.domains else ANA
    with pytest.raises((IdentityRejected, NotAnAdministrator)):
        provider.administrator(somebody)


def test_the_sign_in_asks_for_identity_and_for_nothing_more(scripted):
    url = urlsplit(scripted.sign_in_url(login_hint=ADMIN))
    query = parse_qs(url.query)
    assert (url.scheme, url.hostname in scripted.hosts) == ("https", True)
    assert set(query["scope"][0].split()) == scripted.sign_in_scopes
    assert "access_type" not in query
    told_back = {name: values[0] for name, values in query.items()}
    assert (
        told_back.items()
        >= {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": "https://us.example/callback",
            "state": "state-1",
            "nonce": NONCE,
            "code_challenge": "challenge-1",
            "code_challenge_method": "S256",
            "prompt": "select_account",
            "login_hint": ADMIN,
        }.items()
    )
    assert "login_hint" not in scripted.sign_in_url()


def test_a_code_is_redeemed_with_everything_that_binds_it_to_its_trip(scripted):
    scripted.administrator()
    (request,) = scripted.asked("sign in")
    assert (
        form_of(request).items()
        >= {
            "grant_type": "authorization_code",
            "code": "code-1",
            "redirect_uri": "https://us.example/callback",
            "code_verifier": "verifier-1",
            "client_id": CLIENT_ID,
            "client_secret": "secret-1",
        }.items()
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"nonce": "of another sign-in"}, id="another trip's"),
        pytest.param({"aud": "another-client-id"}, id="another application's"),
        pytest.param({"iss": "https://accounts.example.com"}, id="another issuer's"),
        pytest.param({"exp": NOW - 61}, id="expired"),
    ],
)
def test_an_id_token_that_does_not_check_out_proves_nobody(scripted, changes):
    scripted.claims = changes
    with pytest.raises(IdentityRejected):
        scripted.administrator()


def test_a_code_that_the_provider_does_not_know_proves_nobody(scripted):
    scripted.usual["sign in"] = httpx.Response(400, json={"error": "invalid_grant"})
    with pytest.raises(CredentialRevoked):
        scripted.administrator()


# --- Trouble ----------------------------------------------------------------------------------------------------------


def outcomes(call):
    """Of a call for several mailboxes, what was read or went wrong of each; of any call, what went wrong."""
    try:
        found = call()
    except ProviderError as error:
        return [error]
    return list(found.values()) if isinstance(found, dict) else []


def calls_of(scripted):
    """Every call that reads for an organization, by the kind of request that it is about, and what bounds it."""
    credential = scripted.credential()
    scripted.requests.clear()

    def together(deadline):
        return scripted.calendars.free_busy(credential, [ADMIN, ANA], DAY, deadline=deadline)

    def alone(deadline):
        return scripted.calendars.own_free_busy(scripted.organization, ADMIN, DAY, deadline=deadline)

    def rooms(deadline):
        return scripted.calendars.resources(scripted.organization, ADMIN, deadline=deadline)

    def token(deadline):
        return scripted.calendars.credential(scripted.organization, ADMIN, deadline=deadline)

    return [("busy", together), ("busy", alone), ("rooms", rooms), ("token", token)]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_provider_that_stays_away_is_given_up_before_the_deadline(scripted, status):
    for kind, call in calls_of(scripted):
        scripted.usual = {kind: httpx.Response(status, text="<html>")}
        deadline = scripted.deadline(20)
        with pytest.raises(ProviderUnavailable):
            call(deadline)
        assert scripted.time.elapsed < deadline


def test_throttling_is_waited_out_for_exactly_the_time_asked(scripted):
    for kind, call in calls_of(scripted):
        scripted.time.sleeps.clear()
        scripted.replies[kind].append(httpx.Response(429, headers={"retry-after": "3"}))
        call(scripted.deadline())
        assert scripted.time.sleeps == [3]


def test_nobody_is_asked_once_the_deadline_is_over(scripted):
    for _, call in calls_of(scripted):
        with pytest.raises(ProviderUnavailable):
            call(scripted.time.elapsed)
    assert scripted.requests == []


def test_a_refused_access_token_is_said_so_where_the_caller_keeps_it(scripted):
    credential = scripted.credential()
    scripted.usual["busy"] = httpx.Response(401, json=scripted.error("authError"))
    with pytest.raises(AccessTokenRejected):
        scripted.together(ADMIN, window=DAY, credential=credential)
    assert scripted.calls("busy") == 1


def test_a_refused_access_token_is_replaced_once_where_we_keep_it(scripted):
    scripted.alone(ADMIN, window=DAY)
    scripted.replies["busy"].append(httpx.Response(401, json=scripted.error("authError")))
    assert scripted.alone(ADMIN, window=DAY) == []
    assert scripted.calls("token") == 2
    scripted.usual["busy"] = httpx.Response(401, json=scripted.error("authError"))
    with pytest.raises(ProviderUnavailable):
        scripted.alone(ADMIN, window=DAY)
    assert scripted.calls("token") == 3


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refusal_is_never_free(scripted, status):
    scripted.usual["busy"] = httpx.Response(status, json=scripted.error("somethingNew"))
    with pytest.raises((CalendarUnreadable, DelegationMissing)):
        scripted.alone(ADMIN, window=DAY)
    found = outcomes(lambda: scripted.together(ADMIN, ANA, window=DAY))
    assert found
    assert all(isinstance(each, CalendarUnreadable | DelegationMissing) for each in found)


@pytest.mark.parametrize("harness", SCRIPTED)
def test_wrong_types_anywhere_in_an_answer_are_never_free_and_never_a_crash(harness):
    scripted = harness()
    scripted.put(ANA, BEN, busy=[MEETING])
    credential = scripted.credential()
    scripted.together(ANA, BEN, window=DAY, credential=credential)
    good = scripted.answer("busy", scripted.asked("busy")[0]).json()
    tried = 0
    for path in paths_of(good):
        for junk in JUNK:
            body = json.dumps(replaced(good, path, junk)).encode()
            scripted.usual["busy"] = httpx.Response(200, content=body)
            try:
                found = scripted.together(ANA, BEN, window=DAY, credential=credential)
            except ProviderError:
                continue
            tried += 1
            for reading in found.values():
                emptied = junk == [] and path[-1] in ("busy", "scheduleItems")
                assert isinstance(reading, CalendarUnreadable) or emptied or spans(reading) == spans([MEETING]), path
    assert tried > 50


def spans(periods: list[FreeBusyPeriod]) -> list[tuple[int, int]]:
    return [(each.start, each.end) for each in periods]


def test_what_is_wrong_with_one_calendar_is_not_the_others_trouble(scripted):
    scripted.put(ANA, BEN, busy=[MEETING])
    scripted.put(CAT, busy=[busy(NOW + 2 * HOUR, NOW + HOUR)])
    for window in (DAY, EIGHT_MONTHS):
        found = scripted.together(ANA, CAT, BEN, window=window)
        assert found[ANA] == found[BEN] == [MEETING]
        assert isinstance(found[CAT], CalendarUnreadable)


@pytest.mark.parametrize("harness", SCRIPTED)
def test_an_origin_stands_in_for_every_host_and_leaves_the_paths(harness):
    here, real = harness("http://127.0.0.1:8081"), harness()
    for each in (here, real):
        each.administrator()
        each.together(ADMIN, window=DAY)
        each.alone(ADMIN, window=DAY)
        each.resources()
    assert {(request.url.scheme, request.url.netloc) for request in here.requests} == {("http", b"127.0.0.1:8081")}
    assert {request.url.scheme for request in real.requests} == {"https"}
    assert {request.url.host for request in real.requests} <= real.hosts
    assert [request.url.path for request in here.requests] == [request.url.path for request in real.requests]


def test_a_token_that_many_need_at_once_is_asked_for_once(scripted):
    everybody, two, together = threading.Barrier(8), threading.Barrier(2), []

    def slowly(request):
        with contextlib.suppress(threading.BrokenBarrierError):
            together.append(two.wait(timeout=0.1))
        return scripted.answer("token", request)

    def read(_):
        everybody.wait(timeout=30)
        return scripted.alone(ADMIN, window=DAY)

    scripted.usual["token"] = slowly
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [[]] * 8
    assert together == []
    assert (scripted.calls("token"), scripted.calls("busy")) == (1, 8)


@pytest.mark.parametrize(
    "answer", [httpx.Response(200, text="<html>"), httpx.Response(200, json={}), httpx.Response(204)]
)
def test_what_the_token_endpoint_never_said_disconnects_nobody(scripted, answer):
    scripted.usual["token"] = answer
    with pytest.raises(ProviderUnavailable):
        scripted.credential()


def test_a_secret_that_is_wrong_is_the_operators_business(scripted):
    scripted.usual["token"] = httpx.Response(401, json={"error": "invalid_client"})
    with pytest.raises(ProviderMisconfigured):
        scripted.credential()


# --- What is never kept or told ---------------------------------------------------------------------------------------


def test_titles_and_places_go_no_further_than_the_adapter(provider):
    provider.put(ANA, busy=[MEETING])
    for periods in (provider.together(ANA, window=DAY)[ANA], provider.alone(ANA, window=DAY)):
        assert periods == [MEETING]
        assert all(type(each) is FreeBusyPeriod for each in periods)


def test_no_address_token_or_secret_is_in_any_message(scripted, caplog):
    caplog.set_level(logging.DEBUG, logger="freebusy")
    scripted.put(ANA)
    scripted.world.hidden = {ANA}
    messages = []
    replies = [
        *(httpx.Response(status, json=scripted.error(ANA)) for status in (400, 401, 403, 404, 500)),
        httpx.Response(200, json={ANA: CANARY}),
        httpx.Response(200, text=CANARY),
        httpx.ConnectError(f"{ANA} {CANARY}"),
    ]
    for kind, call in calls_of(scripted):
        for reply in replies:
            scripted.usual = {kind: reply}
            found = outcomes(partial(call, scripted.deadline(1)))
            messages += [told(each) for each in found if isinstance(each, ProviderError)]
    scripted.usual = {}
    for mailbox in ("nobody@example.com", "eve@elsewhere.example"):
        with pytest.raises(ProviderError) as caught:
            scripted.alone(mailbox, window=DAY)
        messages.append(told(caught.value))
    assert len(messages) > 20
    for secret in ("@", CANARY, "token.of", "application-token", "secret-1", "PRIVATE KEY"):
        assert secret not in "".join(messages)
        assert secret not in caplog.text


def test_no_credential_shows_in_what_is_printed(scripted):
    credential = scripted.credential()
    assert credential.access_token not in repr(credential)


def test_another_organization_of_the_same_provider_is_another_world(scripted):
    """Whatever it is that the provider would say: who may be spoken for is the organization's to decide."""
    scripted.put(ANA, busy=[MEETING])
    other = Organization(
        scripted.organization.provider, "other", ("other.example",) if scripted.organization.domains else ()
    )
    assert other.may_hold("ana@other.example")
    if scripted.organization.domains:
        with pytest.raises(MailboxUnknown):
            scripted.calendars.own_free_busy(other, ANA, DAY, deadline=scripted.deadline())
        assert scripted.requests == []
    else:
        scripted.calendars.credential(other, ANA, deadline=scripted.deadline())
        (request,) = scripted.requests
        assert request.url.path == "/other/oauth2/v2.0/token"
