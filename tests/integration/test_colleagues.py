"""Accounts that an organization gives access to, through the real handlers of availability and free/busy."""

from dataclasses import replace

import pytest

from freebusy.domain.account import Disconnected, ProviderName
from freebusy.domain.errors import MailboxUnknown
from freebusy.domain.identifiers import hashed
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.service.organization_reader import RETRY_SECONDS
from tests.api import call
from tests.fakes.clock import NOW
from tests.people import CLIENT_ID, busy, colleague, connected, organization
from tests.tables import counted_calls

GOOGLE, MICROSOFT = ProviderName.GOOGLE, ProviderName.MICROSOFT
SECRET = "client secret"
DAY = {"start": "2027-01-15T08:00:00Z", "end": "2027-01-15T18:00:00Z"}
"""From the hour at which the clock stands."""
MORNING = busy((0, 6))


@pytest.fixture
def company(wired, organizations):
    """Two organizations of one application, one at each provider."""
    wired.tokens.save(hashed(SECRET), TokenRecord(TokenKind.CLIENT_SECRET, CLIENT_ID))
    givers = {GOOGLE: organization(), MICROSOFT: organization("ser_2", provider=MICROSOFT)}
    for provider, giver in givers.items():
        wired.service_accounts.connect(giver)
        organizations[provider].kept["admin@example.com"] = []
    return givers


@pytest.fixture
def hire(wired, organizations, company):
    """People of an organization, busy all morning."""

    def hired(count, provider=MICROSOFT):
        subs = [f"acc_{provider.value[:2]}{number:022x}" for number in range(count)]
        for sub in subs:
            wired.accounts.create(colleague(sub, company[provider]))
            organizations[provider].kept[f"{sub}@example.com"] = MORNING
        return subs

    return hired


def ask(subs, required="all"):
    participants = [{"members": [{"sub": sub} for sub in subs], "required": required}]
    body = {"participants": participants, "required_duration": {"minutes": 60}, "query_periods": [DAY]}
    answer = call("availability", "POST", "/v1/availability", body=body, bearer=SECRET)
    assert answer.status == 200, answer.body
    return answer.json()


def free_from(answer):
    """When the stretches begin in which enough are free, with who is."""
    return {
        period["start"][11:16]: [participant["sub"] for participant in period["participants"]]
        for period in answer["available_periods"]
    }


def unreadable(answer):
    return {member["sub"]: member["reason"] for member in answer.get("unreadable_members", [])}


def calls(calendars):
    return len(calendars.credentials) + len(calendars.together) + len(calendars.alone)


@pytest.mark.parametrize(("provider", "first", "then"), [(GOOGLE, 5, 4), (MICROSOFT, 11, 10)])
def test_two_hundred_colleagues_take_at_most_ten_calls_and_a_token_now_and_then(
    hire, organizations, provider, first, then
):
    subs = hire(200, provider)
    for calls_so_far in (first, first + then):
        assert free_from(ask(subs)) == {"14:00": subs}
        assert calls(organizations[provider]) == calls_so_far


def test_one_query_holds_colleagues_of_both_organizations_and_people_who_connected_by_themselves(
    hire, sign_in, calendars, organizations
):
    sign_in(connected("ana"), "token of ana")
    calendars.kept = {"ana@example.com": busy((7, 9))}
    subs = [*hire(60, GOOGLE), "ana", *hire(25)]
    assert free_from(ask(subs)) == {"14:00": subs, "17:00": subs}
    assert (len(calendars.reads), calls(organizations[GOOGLE]), calls(organizations[MICROSOFT])) == (1, 3, 3)


def test_organizations_cost_one_table_read_and_who_meets_none_reads_none(wired, hire, sign_in):
    sign_in(connected("ana"), "token of ana")
    people = [*hire(3, GOOGLE), *hire(3)]
    ask(["ana", *people])
    with counted_calls(wired.dynamodb) as made:
        ask(["ana"])
    assert made == {"GetItem": 1, "BatchGetItem": 1}
    with counted_calls(wired.dynamodb) as made:
        ask(["ana", *people])
    assert made == {"GetItem": 1, "BatchGetItem": 2}


def test_the_stored_token_is_sealed_for_its_organization(wired, hire):
    ask(hire(1))
    sealed = wired.service_accounts.find("ser_2").sealed_credential
    assert wired.vault.unseal(sealed, client_id=CLIENT_ID, profile_id="ser_2").access_token
    with pytest.raises(ValueError, match="not sealed for"):
        wired.vault.unseal(sealed, client_id=CLIENT_ID, profile_id="ser_1")


def test_one_mailboxs_trouble_is_named_and_the_others_are_free(hire, organizations):
    subs = hire(3)
    del organizations[MICROSOFT].kept[f"{subs[1]}@example.com"]
    answer = ask(subs, required=2)
    assert free_from(answer) == {"14:00": [subs[0], subs[2]]}
    assert unreadable(answer) == {subs[1]: "mailbox_unknown"}


def test_an_organization_that_withdraws_is_named_until_it_lets_us_in_again(wired, hire, organizations):
    ours, others = hire(3), hire(2, GOOGLE)
    organizations[MICROSOFT].delegated = set()
    answer = ask([*ours, *others], required=2)
    assert free_from(answer) == {"14:00": others}
    assert unreadable(answer) == dict.fromkeys(ours, "delegation_missing")
    assert wired.service_accounts.find("ser_2").disconnected is Disconnected.WITHDRAWN
    organizations[MICROSOFT].delegated = {"example.com"}
    assert unreadable(ask(ours)) == dict.fromkeys(ours, "delegation_missing")
    assert calls(organizations[MICROSOFT]) == 1
    wired.service_accounts.disconnect("ser_2", because=Disconnected.WITHDRAWN, now=NOW - RETRY_SECONDS)
    assert free_from(ask(ours)) == {"14:00": ours}
    assert wired.service_accounts.find("ser_2").connected


def test_an_organization_that_the_application_revoked_is_not_asked(wired, hire, organizations):
    subs = hire(2)
    wired.service_accounts.disconnect("ser_2", because=Disconnected.REVOKED, now=NOW)
    assert unreadable(ask(subs)) == dict.fromkeys(subs, "credential_revoked")
    assert calls(organizations[MICROSOFT]) == 0


def test_a_profile_that_the_application_disconnected_is_not_asked_for(wired, hire, organizations):
    subs = hire(2)
    profile = wired.accounts.find(subs[0]).profiles[0]
    wired.accounts.disconnect(subs[0], profile.profile_id, because=Disconnected.REVOKED)
    assert unreadable(ask(subs)) == {subs[0]: "credential_revoked"}
    assert organizations[MICROSOFT].together == [[f"{subs[1]}@example.com"]]


class TestFreeBusy:
    """The same path serves one person's free/busy."""

    @pytest.fixture
    def sub(self, wired, hire):
        (sub,) = hire(1)
        record = TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 60, sub, "g1", "free_busy_write")
        wired.tokens.save(hashed("token"), record)
        return sub

    def read(self, **query):
        answer = call("free_busy", "GET", "/v1/free_busy", query={"tzid": "Etc/UTC", **query}, bearer="token")
        assert answer.status == 200, answer.body
        return answer.json()

    def test_shows_when_they_are_busy(self, sub, organizations):
        (row,) = self.read()["free_busy"]
        assert row == {
            "calendar_id": f"cal_ms{sub}",
            "start": "2027-01-15T08:00:00Z",
            "end": "2027-01-15T14:00:00Z",
            "free_busy_status": "busy",
        }
        self.read()
        assert calls(organizations[MICROSOFT]) == 3

    def test_asks_about_the_whole_window_at_once(self, monkeypatch, sub, organizations):
        windows = []
        read = organizations[MICROSOFT].free_busy
        monkeypatch.setattr(
            organizations[MICROSOFT],
            "free_busy",
            lambda credential, mailboxes, window, **time: (
                windows.append(window) or read(credential, mailboxes, window, **time)
            ),
        )
        self.read()
        assert [(window.end - window.start) // 86400 for window in windows] == [243]

    def test_who_hides_from_colleagues_is_read_in_their_own_name(self, sub, organizations):
        organizations[MICROSOFT].hidden = {f"{sub}@example.com"}
        assert [row["free_busy_status"] for row in self.read()["free_busy"]] == ["busy"]

    @pytest.mark.parametrize(
        ("trouble", "reason"),
        [
            pytest.param({"trouble": MailboxUnknown("left")}, "mailbox_unknown", id="one who left"),
            pytest.param({"delegated": set()}, "delegation_missing", id="an organization that withdrew"),
        ],
    )
    def test_who_cannot_be_read_is_unknown_and_named(self, sub, organizations, trouble, reason):
        address = f"{sub}@example.com"
        organizations[MICROSOFT].hidden = {address}
        if "trouble" in trouble:
            organizations[MICROSOFT].trouble = {address: trouble["trouble"]}
        else:
            organizations[MICROSOFT].delegated = trouble["delegated"]
        answer = self.read()
        assert [row["free_busy_status"] for row in answer["free_busy"]] == ["unknown"]
        assert answer["unreadable_calendars"] == [{"calendar_id": f"cal_ms{sub}", "reason": reason}]


def test_an_organization_of_another_application_gives_nothing(wired, hire, company, organizations):
    """Its service account may be named, by whatever mistake; access goes by application."""
    hire(1)
    foreign = replace(company[MICROSOFT], sub="ser_3", client_id="client-2")
    wired.service_accounts.connect(foreign)
    stray = colleague("acc_stray", replace(foreign, client_id=CLIENT_ID))
    wired.accounts.create(stray)
    organizations[MICROSOFT].kept["acc_stray@example.com"] = MORNING
    assert unreadable(ask(["acc_stray"])) == {"acc_stray": "credential_revoked"}
    assert calls(organizations[MICROSOFT]) == 0
