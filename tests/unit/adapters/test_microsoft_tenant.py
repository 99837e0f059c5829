"""What is Microsoft's alone; what every provider promises is in ``tests/contract/test_organizations.py``."""

from __future__ import annotations

import contextlib
import threading
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.adapters.secrets import ProviderRegistration
from freebusy.domain.account import ProviderName
from freebusy.domain.errors import (
    CalendarUnreadable,
    DelegationMissing,
    IdentityRejected,
    MailboxUnknown,
    MailboxWithoutCalendar,
    NotAnAdministrator,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import Period
from freebusy.domain.service_account import Delegation, Organization, Resource
from tests.fakes.clock import NOW
from tests.organization_harness import ADMIN, EVERY_USER, GLOBAL_ADMINISTRATOR, ScriptedMicrosoft
from tests.provider_harness import CLIENT_ID, DAY, busy, form_of, json_of, second_of

ANA, BEN, CAT, DAN = "ana@example.com", "ben@example.com", "cat@example.com", "dan@example.com"
MEETING = busy(NOW + 3600, NOW + 7200)


class OneTenant(ScriptedMicrosoft):
    deployed_for = ScriptedMicrosoft.tenant


@pytest.fixture
def microsoft() -> ScriptedMicrosoft:
    return ScriptedMicrosoft()


# --- Consent and signing in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harness", "tenant"),
    [
        pytest.param(ScriptedMicrosoft, "organizations", id="any organization"),
        pytest.param(OneTenant, ScriptedMicrosoft.tenant, id="one tenant"),
    ],
)
def test_an_administrator_consents_to_the_permissions_of_our_registration(harness, tenant):
    microsoft = harness()
    url = microsoft.sign_in.consent_url(redirect_uri="https://us.example/callback", state="state-1")
    assert url.startswith(f"https://login.microsoftonline.com/{tenant}/v2.0/adminconsent?")
    assert parse_qs(urlsplit(url).query) == {
        "client_id": [CLIENT_ID],
        "scope": ["https://graph.microsoft.com/.default"],
        "redirect_uri": ["https://us.example/callback"],
        "state": ["state-1"],
    }
    assert microsoft.sign_in_url().startswith(f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize?")


def test_the_administrator_is_told_whom_to_let_in_and_for_what(microsoft):
    expected = Delegation(CLIENT_ID, free_busy="Calendars.ReadBasic.All", resources="Place.Read.All")
    assert microsoft.calendars.delegation() == expected


def test_the_answer_comes_by_query_and_the_code_is_redeemed_for_the_same_scopes(microsoft):
    assert parse_qs(urlsplit(microsoft.sign_in_url()).query)["response_mode"] == ["query"]
    microsoft.administrator()
    (request,) = microsoft.asked("sign in")
    assert set(form_of(request)["scope"].split()) == microsoft.sign_in_scopes


def test_the_issuer_is_known_beforehand_only_for_one_tenant(microsoft):
    assert microsoft.sign_in.issuer is None
    assert OneTenant().sign_in.issuer == f"https://login.microsoftonline.com/{ScriptedMicrosoft.tenant}/v2.0"


@pytest.mark.parametrize(
    ("role", "counts"),
    [
        pytest.param("62e90394-69f5-4237-9190-012177145e10", True, id="Global Administrator"),
        pytest.param("62E90394-69F5-4237-9190-012177145E10", True, id="in capitals"),
        pytest.param("e8611ab8-c189-46e8-94e1-60213ab1f814", True, id="Privileged Role Administrator"),
        pytest.param("29232cdf-9323-42fd-ade2-1d097af3e4de", True, id="Exchange Administrator, for some mailboxes"),
        pytest.param("9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3", False, id="Application Administrator: not for Graph"),
        pytest.param("158c047a-c907-4556-b7ef-446551a6b5f7", False, id="Cloud Application Administrator: likewise"),
        pytest.param("fe930be7-5e62-47db-91af-98c3a49a38b1", False, id="User Administrator"),
        pytest.param("f2ef992c-3afb-46b9-b7cf-a126ee74c451", False, id="Global Reader"),
    ],
)
def test_only_who_can_let_us_in_speaks_for_the_organization(microsoft, role, counts):
    microsoft.claims = {"wids": [EVERY_USER, role]}
    if counts:
        assert microsoft.administrator(ANA).organization == Organization(ProviderName.MICROSOFT, microsoft.tenant)
    else:
        with pytest.raises(NotAnAdministrator):
            microsoft.administrator(ANA)


@pytest.mark.parametrize(
    ("wids", "error"),
    [
        pytest.param(None, ProviderMisconfigured, id="our registration does not ask for it"),
        pytest.param([], NotAnAdministrator, id="no role"),
        pytest.param([7, None, ["62e90394-69f5-4237-9190-012177145e10"]], NotAnAdministrator, id="no ids"),
        pytest.param("62e90394-69f5-4237-9190-012177145e10", IdentityRejected, id="no list"),
        pytest.param({"62e90394-69f5-4237-9190-012177145e10": 1}, IdentityRejected, id="an object"),
    ],
)
def test_without_roles_nobody_is_an_administrator(microsoft, wids, error):
    microsoft.claims = {"wids": wids}
    with pytest.raises(error):
        microsoft.administrator()


def test_the_administrator_goes_by_their_user_name_since_a_tenant_may_write_down_any_address(microsoft):
    microsoft.claims = {"wids": [GLOBAL_ADMINISTRATOR], "email": "boss@another-organization.example"}
    assert microsoft.administrator(ANA).identity.email == ANA


@pytest.mark.parametrize("user_name", [None, "", "ana", 7])
def test_without_a_user_name_nobody_is_an_administrator(microsoft, user_name):
    microsoft.claims = {
        "wids": [GLOBAL_ADMINISTRATOR],
        "preferred_username": user_name,
        "email": "boss@elsewhere.example",
    }
    with pytest.raises(IdentityRejected):
        microsoft.administrator()


@pytest.mark.parametrize("wids", [None, ["62e90394-69f5-4237-9190-012177145e10"]], ids=["without roles", "with a role"])
def test_a_personal_account_has_no_organization(microsoft, wids):
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
    microsoft.claims = {"tid": personal, "iss": f"https://login.microsoftonline.com/{personal}/v2.0", "wids": wids}
    with pytest.raises(IdentityRejected, match="personal"):
        microsoft.administrator()


def test_a_deployment_for_one_tenant_connects_no_other():
    microsoft = OneTenant()
    assert microsoft.administrator().organization.key == microsoft.tenant
    other = "11111111-604b-40ac-a9d7-9fd97c0b779f"
    microsoft.claims = {"tid": other, "iss": f"https://login.microsoftonline.com/{other}/v2.0"}
    with pytest.raises(IdentityRejected):
        microsoft.administrator()


# --- Tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_is_asked_for_at_the_tenant_itself_for_what_it_granted(microsoft):
    credential = microsoft.credential()
    (request,) = microsoft.requests
    assert str(request.url) == f"https://login.microsoftonline.com/{microsoft.tenant}/oauth2/v2.0/token"
    assert form_of(request) == {
        "grant_type": "client_credentials",
        "scope": "https://graph.microsoft.com/.default",
        "client_id": CLIENT_ID,
        "client_secret": "secret-1",
    }
    assert (credential.expires_at, credential.refresh_token) == (NOW + 3599, "")


@pytest.mark.parametrize(
    ("error", "codes", "verdict"),
    [
        pytest.param("unauthorized_client", [700016], DelegationMissing, id="never consented, or removed"),
        pytest.param("invalid_client", [7000229], DelegationMissing, id="the same in newer words"),
        pytest.param("unauthorized_client", [7000112], DelegationMissing, id="switched off"),
        pytest.param("invalid_grant", [65001], DelegationMissing, id="no consent"),
        pytest.param("invalid_grant", [501051], DelegationMissing, id="assignment is required"),
        pytest.param("access_denied", [53003], DelegationMissing, id="Conditional Access"),
        pytest.param("invalid_request", [90002], DelegationMissing, id="the tenant was deleted"),
        pytest.param("access_denied", [], DelegationMissing, id="denied without a code"),
        pytest.param("invalid_client", [7000215], ProviderMisconfigured, id="a wrong secret"),
        pytest.param("invalid_client", [7000222], ProviderMisconfigured, id="an expired secret"),
        pytest.param("invalid_client", [7000215, 700016], ProviderMisconfigured, id="ours comes first"),
        pytest.param("unauthorized_client", [99], ProviderMisconfigured, id="an unknown code"),
        pytest.param("invalid_scope", [1002012], ProviderMisconfigured, id="our question"),
        pytest.param("invalid_grant", [50196], ProviderUnavailable, id="throttling in disguise"),
        pytest.param("invalid_grant", [99], ProviderUnavailable, id="there is no grant to be invalid"),
        pytest.param("something_new", [], ProviderUnavailable, id="something new"),
    ],
)
def test_what_a_refused_token_means(microsoft, error, codes, verdict):
    description = "AADSTS700016: a text that must not be read"
    body = {"error": error, "error_codes": codes, "error_description": description}
    microsoft.usual["token"] = httpx.Response(400, json=body)
    with pytest.raises(verdict):
        microsoft.credential()


@pytest.mark.parametrize(("code", "looks"), [(7000215, 2), (7000222, 2), (7000229, 1), (700016, 1)])
def test_a_secret_is_looked_at_again_only_when_it_is_the_secret(microsoft, code, looks):
    microsoft.registration.current = ProviderRegistration(CLIENT_ID, "secret-2")
    refusal = httpx.Response(401, json={"error": "invalid_client", "error_codes": [code]})
    microsoft.usual["token"] = refusal
    with pytest.raises((ProviderMisconfigured, DelegationMissing)):
        microsoft.credential()
    secrets = [form_of(request)["client_secret"] for request in microsoft.asked("token")]
    assert secrets == ["secret-1", "secret-2"][:looks]


def test_a_kept_token_from_before_the_consent_is_replaced_once_it_may_know_less(microsoft):
    microsoft.alone(ADMIN, window=DAY)
    microsoft.usual["busy"] = httpx.Response(403, json=microsoft.error("ErrorAccessDenied"))
    with pytest.raises(DelegationMissing):
        microsoft.alone(ADMIN, window=DAY)
    assert microsoft.calls("token") == 1
    microsoft.time.elapsed += 60
    with pytest.raises(DelegationMissing):
        microsoft.alone(ADMIN, window=DAY)
    assert microsoft.calls("token") == 2


# --- Many mailboxes ---------------------------------------------------------------------------------------------------


def test_a_call_is_made_through_a_mailbox_that_it_is_about(microsoft):
    microsoft.put(ANA, BEN)
    microsoft.together(ANA, BEN, window=DAY)
    (request,) = microsoft.asked("busy")
    assert request.url.path == f"/v1.0/users/{ANA}/calendar/getSchedule"
    assert request.headers["prefer"] == 'outlook.timezone="UTC"'
    assert json_of(request) == {
        "schedules": [ANA, BEN],
        "startTime": {"dateTime": "2027-01-15T08:00:00", "timeZone": "UTC"},
        "endTime": {"dateTime": "2027-01-16T08:00:00", "timeZone": "UTC"},
        "availabilityViewInterval": 1440,
    }


def test_an_address_cannot_change_the_path(microsoft):
    strange = "o'neil+a/../b?c#EXT#@example.com"
    microsoft.put(strange.lower())
    assert microsoft.together(strange, window=DAY) == {strange: []}
    (request,) = microsoft.asked("busy")
    assert request.url.raw_path == b"/v1.0/users/o%27neil%2Ba%2F..%2Fb%3Fc%23EXT%23@example.com/calendar/getSchedule"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ErrorInvalidUser", MailboxUnknown),
        ("ResourceNotFound", MailboxUnknown),
        ("Request_ResourceNotFound", MailboxUnknown),
        ("ErrorNonExistentMailbox", MailboxUnknown),
        ("MailboxNotEnabledForRESTAPI", MailboxWithoutCalendar),
        ("MailboxNotSupportedForRESTAPI", MailboxWithoutCalendar),
        ("SomethingNew", CalendarUnreadable),
    ],
)
def test_a_mailbox_that_cannot_be_asked_through_is_marked_and_the_next_is_taken(microsoft, code, reason):
    microsoft.put(ANA, BEN, busy=[MEETING])
    microsoft.replies["busy"].append(httpx.Response(404, json=microsoft.error(code)))
    found = microsoft.together(ANA, BEN, window=DAY)
    assert found[BEN] == [MEETING]
    assert type(found[ANA]) is reason
    assert [microsoft.anchor_of(request) for request in microsoft.asked("busy")] == [ANA, BEN]
    microsoft.usual["busy"] = httpx.Response(404, json=microsoft.error(code))
    with pytest.raises(reason):
        microsoft.alone(ANA, window=DAY)


def test_three_mailboxes_are_tried_and_never_four(microsoft):
    microsoft.put(ANA, BEN, CAT, DAN)
    microsoft.usual["busy"] = httpx.Response(404, json=microsoft.error("ErrorInvalidUser"))
    found = microsoft.together(ANA, BEN, CAT, DAN, window=DAY)
    assert [type(found[each]) for each in (ANA, BEN, CAT, DAN)] == [*([MailboxUnknown] * 3), CalendarUnreadable]
    assert microsoft.calls("busy") == 3


def test_where_an_administrator_let_us_into_some_mailboxes_one_of_them_is_found(microsoft):
    microsoft.put(ANA, BEN, CAT, DAN, busy=[MEETING])
    microsoft.narrowed_to = {CAT, DAN}
    found = microsoft.together(ANA, BEN, CAT, DAN, window=DAY)
    assert [type(found[each]) for each in (ANA, BEN)] == [CalendarUnreadable] * 2
    assert found[CAT] == found[DAN] == [MEETING]
    assert microsoft.alone(DAN, window=DAY) == [MEETING]
    with pytest.raises(DelegationMissing):
        microsoft.alone(ANA, window=DAY)


@pytest.mark.parametrize("mailboxes", [[ANA], [ANA, BEN], [ANA, BEN, CAT, DAN]], ids=len)
def test_where_every_mailbox_tried_is_closed_the_delegation_is_missing(microsoft, mailboxes):
    microsoft.put(*mailboxes)
    microsoft.narrowed_to = set()
    with pytest.raises(DelegationMissing):
        microsoft.together(*mailboxes, window=DAY)
    assert microsoft.calls("busy") == min(3, len(mailboxes))


def test_one_mailbox_that_is_only_unknown_says_nothing_about_the_delegation(microsoft):
    microsoft.put(BEN)
    microsoft.narrowed_to = {"nobody@example.com"}
    found = microsoft.together("nobody@example.com", BEN, window=DAY)
    assert type(found["nobody@example.com"]) is MailboxUnknown
    assert type(found[BEN]) is CalendarUnreadable


def test_a_mailbox_that_failed_is_not_tried_again_by_every_piece(microsoft):
    microsoft.put(BEN)
    window = Period(NOW, NOW + 600 * 86400)
    microsoft.together("nobody@example.com", BEN, window=window)
    anchors = [microsoft.anchor_of(request) for request in microsoft.asked("busy")]
    assert anchors.count(BEN) == 10
    assert anchors.count("nobody@example.com") <= 4


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ErrorMailRecipientNotFound", MailboxUnknown),
        ("ErrorNoFreeBusyAccess", CalendarUnreadable),
        ("5006", CalendarUnreadable),
        ("SomethingNew", CalendarUnreadable),
    ],
)
def test_a_schedule_that_was_not_read_says_why_and_takes_nobody_along(microsoft, code, reason):
    microsoft.put(ANA)
    schedules = [
        {"scheduleId": ANA, "availabilityView": "", "scheduleItems": []},
        {"scheduleId": BEN, "availabilityView": "", "scheduleItems": [], "error": {"responseCode": code}},
    ]
    microsoft.usual["busy"] = httpx.Response(200, json={"value": schedules})
    found = microsoft.together(ANA, BEN, CAT, window=DAY)
    assert found[ANA] == []
    assert type(found[BEN]) is reason
    assert type(found[CAT]) is CalendarUnreadable


def test_a_crowded_mailbox_is_read_in_halves_when_it_is_read_alone(microsoft):
    too_many = {"scheduleId": ADMIN, "error": {"responseCode": "5006"}}
    microsoft.put(ADMIN, busy=[MEETING])

    def half_a_day_at_most(request):
        asked = json_of(request)
        start, end = (second_of(asked[bound]["dateTime"] + "Z") for bound in ("startTime", "endTime"))
        if end - start > 43200:
            return httpx.Response(200, json={"value": [too_many]})
        return microsoft.answer("busy", request)

    microsoft.usual["busy"] = half_a_day_at_most
    assert isinstance(microsoft.together(ADMIN, window=DAY)[ADMIN], CalendarUnreadable)
    assert microsoft.alone(ADMIN, window=DAY) == [MEETING]
    assert microsoft.calls("busy") == 1 + 3


@pytest.mark.parametrize("together", [True, False], ids=["together", "alone"])
def test_four_calls_burden_a_mailbox_at_once_and_never_five(microsoft, together):
    five, five_at_once = threading.Barrier(5), []

    def reply(request):
        with contextlib.suppress(threading.BrokenBarrierError):
            five_at_once.append(five.wait(timeout=0.1))
        return microsoft.answer("busy", request)

    microsoft.usual["busy"] = reply
    window = Period(NOW, NOW + 600 * 86400)
    if together:
        assert microsoft.together(ADMIN, window=window) == {ADMIN: []}
    else:
        assert microsoft.alone(ADMIN, window=window) == []
    assert five_at_once == []
    assert microsoft.calls("busy") == 10


# --- Rooms ------------------------------------------------------------------------------------------------------------


def page(number, link=None):
    places = [{"emailAddress": f"room{number}@x", "displayName": f"Room {number}"}, {"displayName": "no address"}]
    return httpx.Response(200, json={"value": places, **({"@odata.nextLink": link} if link else {})})


def test_rooms_are_listed_page_by_page(microsoft):
    following = "https://graph.microsoft.com/v1.0/places/microsoft.graph.room?$top=100&$skip=100"
    microsoft.replies["rooms"] += [page(1, following), page(2)]
    assert microsoft.resources() == [Resource("room1@x", "Room 1"), Resource("room2@x", "Room 2")]
    first, second = microsoft.asked("rooms")
    assert dict(first.url.params) == {"$top": "100"}
    assert dict(second.url.params) == {"$top": "100", "$skip": "100"}
    assert first.headers["authorization"] == "Bearer application-token"


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/v1.0/places",
        "https://graph.microsoft.com@elsewhere.example/",
        "https://graph.microsoft.com.elsewhere.example/",
        "http://graph.microsoft.com/v1.0/places",
        "//elsewhere.example/",
        "/v1.0/places",
        7,
    ],
    ids=str,
)
def test_the_token_never_follows_a_link_to_somewhere_else(microsoft, link):
    microsoft.replies["rooms"].append(page(1, link))
    with pytest.raises(ProviderUnavailable):
        microsoft.resources()
    assert microsoft.calls("rooms") == 1


def test_a_list_of_rooms_that_never_ends_is_given_up(microsoft):
    microsoft.usual["rooms"] = lambda _: page(1, "https://graph.microsoft.com/v1.0/places/microsoft.graph.room?$skip=1")
    with pytest.raises(ProviderUnavailable):
        microsoft.resources()
    assert microsoft.calls("rooms") == 100


@pytest.mark.parametrize(("status", "verdict"), [(403, DelegationMissing), (404, ProviderUnavailable)])
def test_what_a_refused_list_of_rooms_means(microsoft, status, verdict):
    microsoft.usual["rooms"] = httpx.Response(status, json=microsoft.error("Authorization_RequestDenied"))
    with pytest.raises(verdict):
        microsoft.resources()
