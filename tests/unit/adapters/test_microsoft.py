"""What is Microsoft's alone; what every provider promises is in ``tests/contract/test_calendar_provider.py``."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from freebusy.adapters.microsoft import Microsoft
from freebusy.domain.account import ProviderName
from freebusy.domain.errors import (
    CalendarUnreadable,
    ConsentIncomplete,
    ConsentRefused,
    CredentialRevoked,
    IdentityRejected,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.domain.free_busy import FreeBusyStatus, Period
from tests.fakes.clock import NOW
from tests.provider_harness import CANARY, DAY, MicrosoftHarness, busy, form_of, json_of, signing_key

HOUR = 3600


class OneTenantHarness(MicrosoftHarness):
    token_path = f"/{MicrosoftHarness.tenant}/oauth2/v2.0/token"
    keys_path = f"/{MicrosoftHarness.tenant}/discovery/v2.0/keys"

    def connect(self, origin):
        return Microsoft(self.http, self.registration, tenant=self.tenant, origin=origin, timing=self.time.timing)


@pytest.fixture
def microsoft() -> MicrosoftHarness:
    return MicrosoftHarness()


def entry(start="2027-01-15T09:00:00.0000000", end="2027-01-15T10:00:00.0000000", *, status="busy", zone="UTC"):
    return {
        "status": status,
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
    }


# --- Signing in -------------------------------------------------------------------------------------------


def test_the_answer_comes_by_query_and_the_person_chooses_the_account(microsoft):
    url = microsoft.provider.authorization_url(
        redirect_uri="https://us.example/callback", state="s", nonce="n", code_challenge="c"
    )
    query = parse_qs(urlsplit(url).query)
    assert url.startswith("https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize?")
    assert query["response_mode"] == ["query"]
    assert query["prompt"] == ["select_account"]


def test_a_tenant_name_cannot_change_the_path():
    provider = Microsoft(httpx.Client(), MicrosoftHarness().registration, tenant="a/../b?c", origin=None)
    url = provider.authorization_url(redirect_uri="https://x.example", state="s", nonce="n", code_challenge="c")
    assert url.startswith("https://login.microsoftonline.com/a%2F..%2Fb%3Fc/oauth2/v2.0/authorize?")


def test_every_token_request_asks_for_the_same_scopes(microsoft):
    microsoft.refresh()
    microsoft.exchange()
    for request in microsoft.asked(microsoft.token_path):
        assert set(form_of(request)["scope"].split()) == microsoft.scopes


def test_a_person_is_known_by_tenant_and_object_id(microsoft):
    identity, _ = microsoft.exchange()
    assert identity.provider is ProviderName.MICROSOFT
    assert identity.subject == "6babcaad-604b-40ac-a9d7-9fd97c0b779f.00000000-0000-0000-66f3-3332eca7ea81"
    assert identity.name == "Ana"


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        pytest.param(
            {"email": "mail@example.com", "preferred_username": "upn@example.com"}, "mail@example.com", id="both"
        ),
        pytest.param({"email": None, "preferred_username": "upn@example.com"}, "upn@example.com", id="no email"),
        pytest.param({"email": "", "preferred_username": "upn@example.com"}, "upn@example.com", id="an empty one"),
        pytest.param({"email": 7, "preferred_username": "upn@example.com"}, "upn@example.com", id="not a text"),
    ],
)
def test_the_mailbox_is_the_email_claim_or_else_the_sign_in_name(microsoft, claims, email):
    microsoft.usual_tokens = microsoft.tokens(id_token=microsoft.id_token(**claims))
    assert microsoft.exchange()[0].email == email


@pytest.mark.parametrize(
    ("claims", "proven"),
    [
        pytest.param({"email": "ana@example.com", "preferred_username": "a.lima@Example.com"}, True, id="its own"),
        pytest.param({"email": None, "preferred_username": "upn@example.com"}, True, id="the sign-in name itself"),
        pytest.param({"email": "ana@example.com", "preferred_username": "x@evil.example"}, False, id="another's"),
        pytest.param({"email": "ana@example.com", "preferred_username": None}, False, id="no sign-in name"),
        pytest.param({"email": "ana@example.com", "preferred_username": "ana"}, False, id="a name without a domain"),
        pytest.param({"idp": "https://sts.windows.net/another/"}, False, id="a guest's"),
    ],
)
def test_an_address_is_proven_where_the_tenant_has_its_domain(microsoft, claims, proven):
    """A tenant fills the claim ``email`` with what it likes; domains of sign-in names it has to own."""
    microsoft.usual_tokens = microsoft.tokens(id_token=microsoft.id_token(**claims))
    assert microsoft.exchange()[0].proven == proven


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"tid": None}, id="no tenant"),
        pytest.param({"tid": "00000000-0000-0000-0000-000000000000"}, id="issued by another tenant"),
        pytest.param({"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}, id="issued by a pattern"),
        pytest.param({"iss": "https://sts.windows.net/6babcaad-604b-40ac-a9d7-9fd97c0b779f/"}, id="a v1 issuer"),
        pytest.param({"oid": None}, id="nobody"),
        pytest.param({"oid": ""}, id="an empty name"),
        pytest.param({"oid": 7}, id="a number"),
        pytest.param({"preferred_username": None}, id="no mailbox"),
    ],
)
def test_an_id_token_must_say_who_of_which_tenant(microsoft, changes):
    microsoft.usual_tokens = microsoft.tokens(id_token=microsoft.id_token(**changes))
    with pytest.raises(IdentityRejected):
        microsoft.exchange()


def test_a_personal_account_is_refused_since_it_has_no_schedule_to_ask_for(microsoft):
    personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
    claims = {"tid": personal, "iss": f"https://login.microsoftonline.com/{personal}/v2.0"}
    microsoft.usual_tokens = microsoft.tokens(id_token=microsoft.id_token(**claims))
    with pytest.raises(IdentityRejected, match="personal"):
        microsoft.exchange()


def test_a_deployment_for_one_tenant_serves_no_other():
    mine = OneTenantHarness()
    assert mine.exchange()[0].subject == mine.subject
    other = "11111111-604b-40ac-a9d7-9fd97c0b779f"
    claims = {"tid": other, "iss": f"https://login.microsoftonline.com/{other}/v2.0"}
    mine.usual_tokens = mine.tokens(id_token=mine.id_token(**claims))
    with pytest.raises(IdentityRejected):
        mine.exchange()


def test_the_issuer_is_known_beforehand_only_for_one_tenant(microsoft):
    assert microsoft.provider.issuer is None
    assert (
        OneTenantHarness().provider.issuer
        == "https://login.microsoftonline.com/6babcaad-604b-40ac-a9d7-9fd97c0b779f/v2.0"
    )


@pytest.mark.parametrize(
    ("issuer", "accepted"),
    [
        pytest.param("https://login.microsoftonline.com/{tenantid}/v2.0", True, id="any tenant"),
        pytest.param(f"https://login.microsoftonline.com/{MicrosoftHarness.tenant}/v2.0", True, id="this tenant"),
        pytest.param(
            "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", False, id="another"
        ),
    ],
)
def test_a_key_signs_only_for_its_own_issuer(microsoft, issuer, accepted):
    key = {**signing_key("key-1").as_dict(private=False), "issuer": issuer}
    microsoft.keys_replies.append(httpx.Response(200, json={"keys": [key]}))
    if accepted:
        assert microsoft.exchange()[0].subject == microsoft.subject
    else:
        with pytest.raises(IdentityRejected):
            microsoft.exchange()


@pytest.mark.parametrize(
    "scope",
    [
        "openid profile https://graph.microsoft.com/Calendars.ReadBasic",
        "openid profile Calendars.ReadBasic",
        "HTTPS://GRAPH.MICROSOFT.COM/CALENDARS.READBASIC",
        "calendars.readbasic offline_access",
    ],
)
def test_the_granted_scope_is_recognised_however_it_is_spelled(microsoft, scope):
    microsoft.usual_tokens = microsoft.tokens(scope=scope)
    assert microsoft.exchange()[0].subject == microsoft.subject


@pytest.mark.parametrize("scope", ["openid profile email", "Calendars.ReadBasic.All", "User.Read"])
def test_another_permission_is_not_the_one_for_the_calendar(microsoft, scope):
    microsoft.usual_tokens = microsoft.tokens(scope=scope)
    with pytest.raises(ConsentIncomplete):
        microsoft.exchange()


# --- Refused tokens ----------------------------------------------------------------------------------------


def token_refusal(error, *codes):
    description = "AADSTS7000215: a text that must not be read"
    return httpx.Response(400, json={"error": error, "error_codes": codes, "error_description": description})


@pytest.mark.parametrize(
    "code",
    [
        *(50173, 700082, 70008, 700084, 70043, 50076, 50079, 50078, 50074, 53003),
        *(65001, 65004, 90094, 90095, 50105, 50020, 50034, 50057, 500208, 54005, 70000, 501481),
    ],
)
@pytest.mark.parametrize("error", ["invalid_grant", "interaction_required", "a_word_of_tomorrow"])
def test_codes_that_only_the_person_can_mend_revoke_the_credential(microsoft, error, code):
    microsoft.usual_tokens = token_refusal(error, code)
    with pytest.raises(CredentialRevoked):
        microsoft.refresh()


@pytest.mark.parametrize("code", [7000215, 7000222, 700016, 7000112, 50011, 50194, 90002])
@pytest.mark.parametrize("error", ["invalid_client", "unauthorized_client", "invalid_grant", "a_word_of_tomorrow"])
def test_codes_about_our_registration_disconnect_nobody(microsoft, error, code):
    microsoft.usual_tokens = token_refusal(error, code)
    with pytest.raises(ProviderMisconfigured):
        microsoft.refresh()


@pytest.mark.parametrize("code", [65004, 90094, 50105, 53003])
def test_a_consent_that_was_declined_or_not_allowed_is_told_as_such(microsoft, code):
    microsoft.usual_tokens = token_refusal("invalid_grant", code)
    with pytest.raises(ConsentRefused):
        microsoft.exchange()


def test_throttling_in_the_clothes_of_a_dead_grant_disconnects_nobody(microsoft):
    microsoft.usual_tokens = token_refusal("invalid_grant", 50196)
    with pytest.raises(ProviderUnavailable):
        microsoft.refresh()


def test_of_several_codes_our_own_fault_comes_first(microsoft):
    microsoft.usual_tokens = token_refusal("invalid_grant", 50173, 7000215)
    with pytest.raises(ProviderMisconfigured):
        microsoft.refresh()


@pytest.mark.parametrize("codes", ["700082", {"700082": 1}, [None, "700082", 7.5], 700082, None], ids=str)
def test_codes_of_the_wrong_shape_leave_the_error_to_decide(microsoft, codes):
    microsoft.usual_tokens = httpx.Response(400, json={"error": "invalid_grant", "error_codes": codes})
    with pytest.raises(CredentialRevoked):
        microsoft.refresh()


def test_a_refusal_names_the_ids_that_support_asks_for_and_nothing_else_of_the_body(microsoft):
    ids = {"trace_id": "0f9a6a9e-0d1c-4f2e-8e0b-2b6f0f0e1f00", "correlation_id": "ana@example.com"}
    microsoft.usual_tokens = httpx.Response(400, json={"error": "invalid_grant", "error_description": CANARY, **ids})
    with pytest.raises(CredentialRevoked, match="trace_id=0f9a6a9e-0d1c-4f2e-8e0b-2b6f0f0e1f00") as caught:
        microsoft.refresh()
    assert CANARY not in str(caught.value)
    assert "ana@example.com" not in str(caught.value)


# --- Schedules -----------------------------------------------------------------------------------------------


def test_one_mailbox_is_asked_for_in_utc(microsoft):
    microsoft.free_busy()
    (request,) = microsoft.requests
    assert request.headers["prefer"] == 'outlook.timezone="UTC"'
    assert json_of(request) == {
        "schedules": ["ana@example.com"],
        "startTime": {"dateTime": "2027-01-15T08:00:00", "timeZone": "UTC"},
        "endTime": {"dateTime": "2027-01-16T08:00:00", "timeZone": "UTC"},
        "availabilityViewInterval": 1440,
    }


@pytest.mark.parametrize("seconds", [1, 299, 300, 1799, 86399, 86400, 60 * 86400])
def test_the_interval_is_allowed_and_fits_into_the_window(microsoft, seconds):
    microsoft.free_busy(Period(NOW, NOW + seconds))
    (request,) = microsoft.requests
    asked, interval = microsoft.window_of(request), json_of(request)["availabilityViewInterval"]
    assert 5 <= interval <= 1440
    assert interval * 60 <= asked.end - asked.start
    assert asked.start == NOW
    assert asked.end >= NOW + seconds


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("busy", FreeBusyStatus.BUSY),
        ("Busy", FreeBusyStatus.BUSY),
        ("oof", FreeBusyStatus.BUSY),
        ("OOF", FreeBusyStatus.BUSY),
        ("tentative", FreeBusyStatus.TENTATIVE),
        ("Tentative", FreeBusyStatus.TENTATIVE),
        ("free", FreeBusyStatus.FREE),
        ("workingElsewhere", FreeBusyStatus.FREE),
        ("WorkingElsewhere", FreeBusyStatus.FREE),
        ("unknown", FreeBusyStatus.UNKNOWN),
        ("unknownFutureValue", FreeBusyStatus.UNKNOWN),
        ("", FreeBusyStatus.UNKNOWN),
        (None, FreeBusyStatus.UNKNOWN),
        (["free"], FreeBusyStatus.UNKNOWN),
    ],
)
def test_each_status_has_its_meaning_and_an_unknown_one_is_never_free(microsoft, word, status):
    microsoft.usual_busy = microsoft.items(entry(status=word))
    assert microsoft.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR, status)]


def test_the_mailbox_is_found_whatever_its_capitals(microsoft):
    microsoft.usual_busy = microsoft.items(entry(), mailbox="Ana@EXAMPLE.com")
    assert microsoft.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR)]


def test_another_mailbox_in_the_answer_is_not_taken_for_ours(microsoft):
    theirs = {"scheduleId": "ben@example.com", "scheduleItems": []}
    ours = {"scheduleId": "ana@example.com", "scheduleItems": [entry()]}
    microsoft.usual_busy = httpx.Response(200, json={"value": [theirs, ours]})
    assert microsoft.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR)]


@pytest.mark.parametrize(
    ("zone", "start", "end", "expected"),
    [
        pytest.param(
            "Europe/Berlin", "2027-01-15T10:00:00.0000000", "2027-01-15T11:00:00.0000000", (1, 2), id="winter"
        ),
        pytest.param(
            "Etc/UTC", "2027-01-15T09:00:00.0000000", "2027-01-15T10:00:00.0000000", (1, 2), id="another name of UTC"
        ),
    ],
)
def test_a_server_that_answers_in_another_zone_is_understood(microsoft, zone, start, end, expected):
    microsoft.usual_busy = microsoft.items(entry(start, end, zone=zone))
    assert microsoft.free_busy() == [busy(NOW + expected[0] * HOUR, NOW + expected[1] * HOUR)]


def test_an_hour_that_occurs_twice_counts_in_full(microsoft):
    # 2027-10-31 in Berlin: 02:00 to 03:00 happens at 00:00Z and again at 01:00Z.
    midnight = 1_824_940_800
    microsoft.usual_busy = microsoft.items(entry("2027-10-31T02:15:00", "2027-10-31T02:45:00", zone="Europe/Berlin"))
    window = Period(midnight - HOUR, midnight + 6 * HOUR)
    assert microsoft.free_busy(window) == [busy(midnight + 900, midnight + HOUR + 2700)]


@pytest.mark.parametrize(
    "zone", ["W. Europe Standard Time", "customTimeZone", "", "Europe", "../../etc/passwd", "\x00", "Europe/Atlantis"]
)
def test_a_zone_we_do_not_know_is_not_guessed(microsoft, zone):
    microsoft.usual_busy = microsoft.items(entry(zone=zone))
    with pytest.raises(CalendarUnreadable):
        microsoft.free_busy()


@pytest.mark.parametrize("time", ["2027-01-15T09:00:00Z", "2027-01-15T09:00:00+01:00", "2027-01-15", "09:00", ""])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_a_time_of_another_shape_is_no_time(microsoft, zone, time):
    microsoft.usual_busy = microsoft.items(entry(start=time, zone=zone))
    with pytest.raises(ProviderError):
        microsoft.free_busy()


@pytest.mark.parametrize(
    ("item", "readable"),
    [
        pytest.param(entry(), True, id="within the window"),
        pytest.param(entry(status="free"), False, id="marked as free"),
        pytest.param(entry("2026-01-15T09:00:00", "2026-01-15T10:00:00"), False, id="of another year"),
    ],
)
def test_busy_must_be_borne_out_by_an_entry(microsoft, item, readable):
    schedule = {"scheduleId": microsoft.email, "availabilityView": "2", "scheduleItems": [item]}
    microsoft.usual_busy = httpx.Response(200, json={"value": [schedule]})
    if readable:
        assert microsoft.free_busy() == [busy(NOW + HOUR, NOW + 2 * HOUR)]
    else:
        with pytest.raises(CalendarUnreadable):
            microsoft.free_busy()


@pytest.mark.parametrize(
    ("view", "window", "readable"),
    [
        pytest.param("0", DAY, True, id="free"),
        pytest.param("4", DAY, True, id="working elsewhere"),
        pytest.param("2", DAY, False, id="busy"),
        pytest.param("1", DAY, False, id="tentative"),
        pytest.param("3", DAY, False, id="away"),
        pytest.param("9", DAY, False, id="a digit of tomorrow"),
        pytest.param("02", Period(NOW, NOW + 129600), True, id="busy beyond the last whole interval"),
        pytest.param("002", Period(NOW, NOW + 900), False, id="busy within a short window"),
    ],
)
def test_busy_without_saying_when_is_never_free(microsoft, view, window, readable):
    schedule = {"scheduleId": microsoft.email, "availabilityView": view, "scheduleItems": []}
    microsoft.usual_busy = httpx.Response(200, json={"value": [schedule]})
    if readable:
        assert microsoft.free_busy(window) == []
    else:
        with pytest.raises(CalendarUnreadable):
            microsoft.free_busy(window)


@pytest.mark.parametrize("code", ["ErrorAccessDenied", "MailboxNotEnabledForRESTAPI", "ErrorInvalidUser"])
@pytest.mark.parametrize("status", [403, 404])
def test_a_mailbox_that_is_not_there_or_not_ours_is_unreadable(microsoft, status, code):
    microsoft.usual_busy = httpx.Response(status, json=microsoft.error(code))
    with pytest.raises(CalendarUnreadable):
        microsoft.free_busy()


# --- More entries than one answer holds ------------------------------------------------------------------------


def crowded(microsoft, meetings, most, refuse):
    """A mailbox that lists no more than ``most`` entries at once."""

    def reply(request):
        window = microsoft.window_of(request)
        seen = [each for each in meetings if each.start < window.end and each.end > window.start]
        return microsoft.periods(*seen)(request) if len(seen) <= most else refuse

    return reply


def in_the_schedule(name, code):
    error = {"message": CANARY, name: code}
    return httpx.Response(200, json={"value": [{"scheduleId": MicrosoftHarness.email, "error": error}]})


@pytest.mark.parametrize(
    "refuse",
    [
        pytest.param(in_the_schedule("responseCode", "5006"), id="in the schedule"),
        pytest.param(in_the_schedule("code", "5006"), id="in the schedule, by its other name"),
        pytest.param(in_the_schedule("responseCode", 5006), id="in the schedule, as a number"),
        pytest.param(in_the_schedule("responseCode", "ErrorResultSetTooBig"), id="by its word"),
        pytest.param(httpx.Response(400, json={"error": {"code": "5006", "message": CANARY}}), id="as a refusal"),
    ],
)
def test_too_many_entries_are_read_in_shorter_windows(microsoft, refuse):
    meetings = [busy(NOW + 600 * each, NOW + 600 * each + 900) for each in range(100)]
    microsoft.usual_busy = crowded(microsoft, meetings, 30, refuse)
    assert microsoft.free_busy() == meetings
    windows = [microsoft.window_of(request) for request in microsoft.requests]
    assert windows[0] == DAY
    assert min(window.end - window.start for window in windows) < 86400


def test_a_period_across_the_middle_of_a_crowded_window_is_one_period(microsoft):
    absence = busy(DAY.start, DAY.end)

    def cut_to_the_window(request):
        window = microsoft.window_of(request)
        return microsoft.periods(absence._replace(start=window.start, end=window.end))(request)

    microsoft.busy_replies.append(in_the_schedule("responseCode", "5006"))
    for reply in (cut_to_the_window, microsoft.periods(absence)):
        microsoft.usual_busy = reply
        assert microsoft.free_busy() == [absence]


def test_a_mailbox_that_is_crowded_however_short_the_window_is_unreadable(microsoft, caplog):
    caplog.set_level(logging.DEBUG)
    microsoft.usual_busy = in_the_schedule("responseCode", "5006")
    with pytest.raises(CalendarUnreadable) as caught:
        microsoft.free_busy()
    assert len(microsoft.requests) == 9  # the day, and eight halvings
    assert CANARY not in f"{caught.value}{caplog.text}"


def test_another_error_is_not_answered_with_shorter_windows(microsoft):
    microsoft.usual_busy = in_the_schedule("responseCode", "ErrorMailRecipientNotFound")
    with pytest.raises(CalendarUnreadable):
        microsoft.free_busy()
    assert len(microsoft.requests) == 1


def test_a_crowded_mailbox_is_given_up_at_the_deadline(microsoft):
    def slow(_):
        microsoft.time.elapsed += 3
        return in_the_schedule("responseCode", "5006")

    microsoft.usual_busy = slow
    with pytest.raises(ProviderUnavailable):
        microsoft.free_busy(deadline=10)
    assert len(microsoft.requests) == 4
