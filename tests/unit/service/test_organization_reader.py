"""Reading colleagues together: how many calls it takes, whose trouble is whose, and when an organization withdrew."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Barrier, Event

import pytest

from freebusy.domain.account import Disconnected, ProviderName
from freebusy.domain.credential import ProviderCredential
from freebusy.domain.errors import (
    CalendarUnreadable,
    DelegationMissing,
    MailboxUnknown,
    MailboxWithoutCalendar,
    ProviderError,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.domain.free_busy import Period
from freebusy.service import calendar_reader
from freebusy.service.calendar_reader import CalendarReader
from freebusy.service.organization_reader import RETRY_SECONDS, Mailbox, OrganizationReader, plan
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.events import FakeEvents
from tests.fakes.service_accounts import FakeServiceAccounts
from tests.fakes.vaults import FakeVault
from tests.organizations import FakeOrganizationCalendars
from tests.people import FakeCalendars, busy, colleague, connected, email_of, organization
from tests.waiting import PATIENCE

GOOGLE, MICROSOFT = ProviderName.GOOGLE, ProviderName.MICROSOFT
WINDOW = Period(NOW, NOW + 86400)
ADMIN = "admin@example.com"
LUNCH = busy((4, 5))


@dataclass
class Graph(FakeOrganizationCalendars):
    """Microsoft's way: a token is given to whoever asks, and only reading shows whether it opens anything.

    What it opens was written into it when it was issued, and nothing was into those that are stored. A call for several
    goes through the first one's mailbox; ``out_of_reach`` are mailboxes that we may not use.
    """

    out_of_reach: set[str] = field(default_factory=set)

    def credential(self, organization, speaker, *, deadline):
        with self._lock:
            self.credentials.append(speaker)
            return ProviderCredential(f"token {len(self.credentials)} of {organization.key}", "", NOW + 3600)

    def free_busy(self, credential, mailboxes, window, *, deadline):
        answers = super().free_busy(credential, mailboxes, window, deadline=deadline)
        if credential.access_token.rpartition(" of ")[2] not in self.delegated or mailboxes[0] in self.out_of_reach:
            raise DelegationMissing(mailboxes[0])
        return answers

    def own_free_busy(self, organization, mailbox, window, *, deadline):
        if mailbox in self.out_of_reach:
            self.alone.append(mailbox)
            raise DelegationMissing(mailbox)
        return super().own_free_busy(organization, mailbox, window, deadline=deadline)


class World:
    """Organizations of both providers, people who connected by themselves, and a reader of all of them."""

    def __init__(self, *givers, google=None, microsoft=None, vault=None):
        self.clock = FakeClock()
        self.vault = vault or FakeVault()
        self.service_accounts = FakeServiceAccounts()
        for giver in givers or (organization(),):
            self.service_accounts.put(giver)
        self.google = google or FakeOrganizationCalendars(most_together=50)
        self.microsoft = microsoft or FakeOrganizationCalendars(most_together=20)
        for calendars in (self.google, self.microsoft):
            calendars.kept.setdefault(ADMIN, [])
        self.individual = FakeCalendars()
        self.accounts = FakeAccounts()
        self.organizations = OrganizationReader(
            service_accounts=self.service_accounts,
            calendars={GOOGLE: self.google, MICROSOFT: self.microsoft},
            vault=self.vault,
            clock=self.clock,
        )
        self.reader = CalendarReader(
            accounts=self.accounts,
            events=FakeEvents(),
            vault=self.vault,
            providers={GOOGLE: self.individual, MICROSOFT: self.individual},
            clock=self.clock,
            organizations=lambda: self.organizations,
        )

    def people(self, count, sub="ser_1", *, name="acc"):
        """Colleagues, all of them busy over lunch."""
        giver = self.service_accounts.find(sub)
        accounts = [colleague(f"{name}_{number}", giver) for number in range(count)]
        calendars = {GOOGLE: self.google, MICROSOFT: self.microsoft}[giver.organization.provider]
        for account in accounts:
            calendars.kept[email_of(account.sub)] = LUNCH
        return accounts

    def read(self, people, *, within=5.0):
        return self.reader.read_all([(each, each.profiles[0]) for each in people], WINDOW, within=within)

    def reasons(self, people, **options):
        """Why each could not be read; None for who was read, rightly."""
        return [reason_of(reading) for reading in self.read(people, **options)]

    def giver(self, sub="ser_1"):
        return self.service_accounts.find(sub)

    def calls(self, calendars):
        return len(calendars.credentials) + len(calendars.together) + len(calendars.alone)


def reason_of(reading):
    if isinstance(reading, ProviderError):
        return reading.reason
    assert reading == LUNCH
    return None


def sealed(giver, *, expires_at=NOW + 3600):
    credential = ProviderCredential("stored token", "", expires_at)
    return replace(
        giver,
        sealed_credential=FakeVault().seal(credential, client_id=giver.client_id, profile_id=giver.sub),
    )


def stored(giver):
    return FakeVault().unseal(giver.sealed_credential, client_id=giver.client_id, profile_id=giver.sub)


def withdrawn(giver, *, at=NOW):
    return replace(giver, disconnected=Disconnected.WITHDRAWN, disconnected_at=at, sealed_credential=b"")


SER = sealed(organization())
GRAPH_SER = sealed(organization(provider=MICROSOFT))
"""Both with a token stored."""


class TestPlan:
    """Whom to ask for, in which company, and for whom not at all."""

    @pytest.mark.parametrize(
        ("giver", "reason"),
        [
            pytest.param(SER, None, id="connected"),
            pytest.param(None, "credential_revoked", id="gone"),
            pytest.param(organization(client_id="client-2"), "credential_revoked", id="of another application"),
            pytest.param(
                replace(SER, disconnected=Disconnected.REVOKED), "credential_revoked", id="revoked by the application"
            ),
            pytest.param(withdrawn(SER), "delegation_missing", id="withdrawn just now"),
            pytest.param(withdrawn(SER, at=NOW - RETRY_SECONDS + 1), "delegation_missing", id="a little too early"),
            pytest.param(withdrawn(SER, at=NOW - RETRY_SECONDS), None, id="time to try again"),
            pytest.param(GRAPH_SER, "provider_misconfigured", id="a provider that this deployment does not offer"),
        ],
    )
    def test_who_is_asked_for(self, giver, reason):
        person = colleague()
        planned = plan(
            [(person, person.profiles[0])],
            {"ser_1": giver} if giver else {},
            {GOOGLE: 50},
            known_alone=(),
            now=NOW,
        )
        asked = planned.asked[person.profiles[0].profile_id]
        if reason:
            assert (asked.reason, planned.together, planned.alone) == (reason, [], [])
        else:
            assert (asked, planned.together) == (Mailbox("ser_1", email_of("acc_1")), [[asked]])

    def test_a_profile_that_the_application_disconnected_is_not_asked_for(self):
        person = colleague()
        profile = replace(person.profiles[0], disconnected=Disconnected.REVOKED)
        planned = plan([(person, profile)], {"ser_1": SER}, {GOOGLE: 50}, known_alone=(), now=NOW)
        assert planned.asked[profile.profile_id].reason == "credential_revoked"
        assert planned.together == []

    @pytest.mark.parametrize(
        ("people", "calls"),
        [(1, [1]), (20, [20]), (21, [20, 1]), (200, [20] * 10)],
    )
    def test_as_many_are_read_together_as_one_call_may_name(self, people, calls):
        accounts = [colleague(f"acc_{number}", GRAPH_SER) for number in range(people)]
        planned = plan(
            [(each, each.profiles[0]) for each in accounts],
            {"ser_1": GRAPH_SER},
            {MICROSOFT: 20},
            known_alone=(),
            now=NOW,
        )
        assert [len(call) for call in planned.together] == calls

    def test_organizations_do_not_share_a_call(self):
        other = replace(SER, sub="ser_2")
        people = [colleague(f"acc_{number}", [SER, other][number % 2]) for number in range(4)]
        planned = plan(
            [(each, each.profiles[0]) for each in people],
            {"ser_1": SER, "ser_2": other},
            {GOOGLE: 50},
            known_alone=(),
            now=NOW,
        )
        assert [[mailbox.address for mailbox in call] for call in planned.together] == [
            ["acc_0@example.com", "acc_2@example.com"],
            ["acc_1@example.com", "acc_3@example.com"],
        ]

    @pytest.mark.parametrize(
        ("version", "alone"),
        [
            pytest.param(SER.version, True, id="known of this credential"),
            pytest.param(SER.version + 1, False, id="known of another one"),
        ],
    )
    def test_who_is_known_to_be_hidden_is_read_alone(self, version, alone):
        person = colleague()
        mailbox = Mailbox("ser_1", email_of("acc_1"))
        planned = plan(
            [(person, person.profiles[0])],
            {"ser_1": SER},
            {GOOGLE: 50},
            known_alone={(mailbox, version)},
            now=NOW,
        )
        assert (planned.alone, planned.together) == (([mailbox], []) if alone else ([], [[mailbox]]))


class TestHowManyCallsItTakes:
    def test_two_hundred_colleagues_at_microsoft_are_ten_calls(self):
        world = World(GRAPH_SER)
        assert world.reasons(world.people(200)) == [None] * 200
        assert world.calls(world.microsoft) == len(world.microsoft.together) == 10

    def test_two_hundred_colleagues_at_google_are_four_calls(self):
        world = World(SER)
        assert world.reasons(world.people(200)) == [None] * 200
        assert world.calls(world.google) == len(world.google.together) == 4

    def test_all_of_one_query_are_read_side_by_side(self):
        """Individually connected people, two organizations at Google, one at Microsoft; each answers as its own."""
        second = sealed(organization("ser_2", key="second.example"))
        third = sealed(organization("ser_3", provider=MICROSOFT))
        world = World(SER, second, third)
        loners = [connected(f"loner_{number}") for number in range(3)]
        for each in loners:
            world.individual.kept[each.email] = busy((1, 2))
        groups = [world.people(60, "ser_1"), world.people(2, "ser_2", name="b"), world.people(21, "ser_3", name="c")]
        world.google.kept["b_1@example.com"] = busy((7, 8))
        mixed = [groups[1][1], loners[0], *groups[2], loners[1], *groups[0], groups[1][0], loners[2]]
        readings = world.read(mixed)
        expected = [
            {"loner": busy((1, 2)), "b_1": busy((7, 8))}.get(each.sub if each.sub == "b_1" else each.sub[:5], LUNCH)
            for each in mixed
        ]
        assert readings == expected
        assert (len(world.individual.reads), world.calls(world.google), world.calls(world.microsoft)) == (3, 3, 2)

    def test_service_accounts_are_looked_up_at_once_and_only_where_there_are_any(self, monkeypatch):
        looked_up = []
        monkeypatch.setattr(
            FakeServiceAccounts, "find_many", lambda self, subs: looked_up.append(subs) or dict(self._kept)
        )
        world = World(SER, sealed(organization("ser_2", key="second.example")))
        world.read([connected("loner")])
        assert looked_up == []
        world.read([*world.people(2), *world.people(2, "ser_2", name="b")])
        assert looked_up == [{"ser_1", "ser_2"}]


class TestTheCredential:
    @pytest.mark.parametrize(
        ("giver", "fetched"),
        [
            pytest.param(SER, 0, id="good"),
            pytest.param(organization(), 1, id="missing"),
            pytest.param(sealed(SER, expires_at=NOW - 1), 1, id="expired"),
            pytest.param(sealed(SER, expires_at=NOW + 30), 1, id="would expire on the way"),
            pytest.param(
                replace(SER, sealed_credential=sealed(replace(SER, sub="ser_2")).sealed_credential),
                1,
                id="sealed for another organization",
            ),
        ],
    )
    def test_it_is_fetched_when_there_is_none_to_read_with_and_kept_for_the_next_query(self, giver, fetched):
        world = World(giver)
        people = world.people(3)
        assert world.reasons(people) == [None] * 3
        assert world.google.credentials == [ADMIN] * fetched
        assert stored(world.giver()).expires_at > NOW + calendar_reader.EXPIRY_MARGIN
        assert world.reasons(people) == [None] * 3
        assert world.google.credentials == [ADMIN] * fetched

    def test_however_many_calls_need_it_it_is_fetched_once(self):
        world = World(organization(provider=MICROSOFT))
        assert world.reasons(world.people(200)) == [None] * 200
        assert world.microsoft.credentials == [ADMIN]

    def test_who_is_late_reads_with_its_own_and_leaves_the_other_ones(self):
        class Calendars(FakeOrganizationCalendars):
            def credential(self, *asked, deadline):
                assert world.service_accounts.renew("ser_1", sealed=SER.sealed_credential, version=0)
                return super().credential(*asked, deadline=deadline)

        world = World(organization(), google=Calendars())
        assert world.reasons(world.people(3)) == [None] * 3
        assert stored(world.giver()).access_token == "stored token"
        assert world.giver().version == 1

    def test_a_rejected_one_is_renewed_once_and_tried_once_more(self):
        world = World(GRAPH_SER)
        world.microsoft.rejects = {"stored token"}
        assert world.reasons(world.people(200)) == [None] * 200
        assert world.microsoft.credentials == [ADMIN]
        assert len(world.microsoft.together) <= 20
        assert stored(world.giver()).access_token == "token 1 of example.com"

    def test_a_provider_that_rejects_every_token_is_not_asked_for_ever(self):
        world = World(SER)
        world.google.rejects = {"stored token", "token 1 of example.com"}
        assert world.reasons(world.people(3)) == ["access_token_rejected"] * 3
        assert (len(world.google.credentials), len(world.google.together)) == (1, 2)
        assert world.giver().connected

    @pytest.mark.parametrize("trouble", [ProviderUnavailable("down"), ProviderMisconfigured("the key is gone")])
    def test_trouble_in_fetching_it_is_everybodys_and_is_met_once(self, trouble):
        world = World(organization(provider=MICROSOFT))
        world.microsoft.credential_trouble = trouble
        assert world.reasons(world.people(60)) == [trouble.reason] * 60
        assert len(world.microsoft.credentials) == 1
        assert world.giver().connected

    def test_once_the_administrator_has_left_a_colleague_speaks(self):
        world = World(organization())
        del world.google.kept[ADMIN]
        assert world.reasons(world.people(3)) == [None] * 3
        assert world.google.credentials == [ADMIN, "acc_0@example.com"]

    def test_a_colleague_who_has_left_as_well_is_no_speaker_either(self):
        world = World(organization())
        people = world.people(3)
        for gone in (ADMIN, "acc_0@example.com"):
            del world.google.kept[gone]
        assert world.reasons(people) == ["mailbox_unknown", None, None]
        assert world.google.credentials == [ADMIN, "acc_0@example.com", "acc_1@example.com"]

    def test_where_nobody_speaks_everybody_is_read_alone(self):
        class Unspoken(FakeOrganizationCalendars):
            def credential(self, organization, speaker, *, deadline):
                self.credentials.append(speaker)
                raise MailboxUnknown(speaker)

        world = World(organization(), google=Unspoken())
        assert world.reasons(world.people(5)) == [None] * 5
        assert len(world.google.credentials) == 4
        assert len(world.google.alone) == 5
        assert world.giver().connected


class TestOneMailboxsTrouble:
    def test_who_hides_from_colleagues_is_read_alone_from_then_on(self):
        world = World(SER)
        people = world.people(30)
        world.google.hidden = {"acc_3@example.com", "acc_7@example.com"}
        assert world.reasons(people) == [None] * 30
        assert sorted(world.google.alone) == ["acc_3@example.com", "acc_7@example.com"]
        assert world.reasons(people) == [None] * 30
        assert [len(call) for call in world.google.together] == [30, 28]
        assert len(world.google.alone) == 4

    def test_a_renewed_credential_may_see_what_the_last_one_did_not(self):
        world = World(SER)
        people = world.people(3)
        world.google.hidden = {"acc_1@example.com"}
        world.read(people)
        world.google.hidden = set()
        world.clock.advance(3600)
        assert world.reasons(people) == [None] * 3
        assert [len(call) for call in world.google.together] == [3, 3]
        assert world.google.alone == ["acc_1@example.com"]

    @pytest.mark.parametrize(
        "trouble",
        [
            MailboxUnknown("left the company"),
            MailboxWithoutCalendar("no licence"),
            CalendarUnreadable("an error in an answer"),
            ProviderUnavailable("throttled"),
        ],
    )
    def test_what_is_wrong_with_a_mailbox_is_said_of_it_alone(self, trouble):
        world = World(SER)
        people = world.people(3)
        world.google.hidden = {"acc_1@example.com"}
        world.google.trouble = {"acc_1@example.com": trouble}
        assert world.reasons(people) == [None, trouble.reason, None]
        assert world.giver() == SER

    def test_whom_a_colleague_does_not_find_may_be_there_all_the_same(self):
        class Hiding(FakeOrganizationCalendars):
            def free_busy(self, *asked, deadline):
                answers = super().free_busy(*asked, deadline=deadline)
                return answers | {"acc_1@example.com": MailboxUnknown("not in the address book")}

        world = World(SER, google=Hiding())
        assert world.reasons(world.people(3)) == [None, None, None]

    @pytest.mark.parametrize("trouble", [ProviderUnavailable("down"), ProviderMisconfigured("switched off")])
    def test_a_call_that_fails_is_the_trouble_of_whom_it_named(self, trouble):
        world = World(GRAPH_SER)
        world.microsoft.call_trouble = [trouble]
        reasons = world.reasons(world.people(60))
        assert (reasons.count(trouble.reason), reasons.count(None)) == (20, 40)
        assert world.microsoft.alone == []


class TestAnOrganizationThatWithdraws:
    def test_is_marked_and_nobody_of_it_is_read(self):
        world = World(organization())
        people = world.people(60)
        world.google.delegated = set()
        assert world.reasons(people) == ["delegation_missing"] * 60
        marked = world.giver()
        assert (marked.disconnected, marked.disconnected_at) == (Disconnected.WITHDRAWN, NOW)
        assert marked.sealed_credential == b""
        assert (len(world.google.credentials), world.google.together) == (1, [])

    def test_is_left_alone_for_a_while_and_then_tried_once(self):
        world = World(withdrawn(organization(provider=MICROSOFT)), microsoft=Graph(delegated=set()))
        people = world.people(60)
        world.clock.advance(RETRY_SECONDS - 1)
        assert world.reasons(people) == ["delegation_missing"] * 60
        assert world.calls(world.microsoft) == 0
        world.clock.advance(1)
        assert world.reasons(people) == ["delegation_missing"] * 60
        assert (len(world.microsoft.credentials), len(world.microsoft.alone)) == (1, 4)
        assert world.microsoft.together == []
        assert world.giver().disconnected_at == NOW + RETRY_SECONDS
        world.read(people)
        assert world.calls(world.microsoft) == 5

    @pytest.mark.parametrize("provider", [GOOGLE, MICROSOFT])
    def test_heals_when_the_administrator_lets_us_in_again(self, provider):
        world = World(withdrawn(organization(provider=provider)), microsoft=Graph())
        people = world.people(3)
        world.clock.advance(RETRY_SECONDS)
        assert world.reasons(people) == [None] * 3
        assert world.giver().connected
        assert stored(world.giver())

    def test_takes_nobody_else_with_it(self):
        world = World(organization(), sealed(organization("ser_2", key="second.example")))
        world.google.delegated = {"second.example"}
        people = [*world.people(2), *world.people(2, "ser_2", name="b"), connected("loner")]
        world.individual.kept["loner@example.com"] = LUNCH
        assert world.reasons(people) == ["delegation_missing"] * 2 + [None] * 3
        assert world.giver("ser_2").connected

    def test_is_found_out_although_there_still_is_a_token(self):
        """Microsoft gives one to any application."""
        world = World(GRAPH_SER, microsoft=Graph(delegated=set()))
        assert world.reasons(world.people(60)) == ["delegation_missing"] * 60
        assert world.giver().disconnected is Disconnected.WITHDRAWN
        assert (world.microsoft.credentials, len(world.microsoft.alone)) == ([ADMIN], 4)

    def test_is_found_out_when_somebody_is_read_alone(self):
        world = World(SER)
        people = world.people(3)
        world.google.hidden = {"acc_1@example.com"}
        world.google.delegated = set()
        assert world.reasons(people) == ["delegation_missing"] * 3
        assert world.giver().disconnected is Disconnected.WITHDRAWN

    def test_is_not_marked_when_a_fresh_token_opens_what_an_old_one_did_not(self):
        """Microsoft writes into a token what was granted when it was issued."""

        world = World(GRAPH_SER, microsoft=Graph())
        assert world.reasons(world.people(60)) == [None] * 60
        assert world.giver().connected
        assert stored(world.giver()).access_token == "token 1 of example.com"

    @pytest.mark.parametrize(
        ("people", "without_mailbox", "out_of_reach", "marked"),
        [
            pytest.param(1, set(), {"acc_0"}, False, id="one of them alone: the administrator's mailbox opens"),
            pytest.param(3, set(), {"acc_0", "acc_1", "acc_2"}, False, id="all who were asked for, but not the admin"),
            pytest.param(1, {"admin"}, {"acc_0"}, False, id="one alone, of an administrator who has no mailbox"),
            pytest.param(3, {"admin"}, {"acc_0"}, False, id="one of three, of an administrator who has no mailbox"),
            pytest.param(
                3, {"admin"}, {"acc_0", "acc_1", "acc_2"}, True, id="all, of an administrator without mailbox"
            ),
            pytest.param(3, set(), {"acc_0", "admin"}, False, id="the administrator's as well, but not everybody's"),
            pytest.param(1, set(), {"acc_0", "admin"}, True, id="the administrator's as well, and nobody else to ask"),
        ],
    )
    def test_is_not_confused_with_mailboxes_that_are_closed_for_themselves(
        self, people, without_mailbox, out_of_reach, marked
    ):
        world = World(GRAPH_SER, microsoft=Graph(out_of_reach={email_of(each) for each in out_of_reach}))
        asked = world.people(people)
        for each in without_mailbox:
            world.microsoft.trouble[email_of(each)] = MailboxWithoutCalendar(each)
        reasons = world.reasons(asked)
        assert world.giver().connected is not marked
        closed = ["delegation_missing" if marked or each.sub in out_of_reach else None for each in asked]
        assert reasons == closed

    def test_may_be_an_administrator_who_reads_nobody_else(self):
        world = World(GRAPH_SER, microsoft=Graph(delegated=set()))
        assert world.reasons([colleague("admin", GRAPH_SER)]) == ["delegation_missing"]
        assert world.giver().disconnected is Disconnected.WITHDRAWN

    def test_is_not_suspected_again_at_once(self):
        """From the second query on, the mailbox that is closed costs one call of its own."""
        world = World(GRAPH_SER, microsoft=Graph(out_of_reach={"acc_0@example.com"}))
        people = world.people(3)
        expected = ["delegation_missing", None, None]
        assert world.reasons(people) == expected
        before = world.calls(world.microsoft)
        assert world.reasons(people) == expected
        assert world.calls(world.microsoft) == before + 2

    def test_is_not_marked_by_who_is_late(self):
        """Somebody else got a token meanwhile, so the refusal is an old one."""

        class Calendars(FakeOrganizationCalendars):
            def credential(self, *asked, deadline):
                assert world.service_accounts.renew("ser_1", sealed=SER.sealed_credential, version=0)
                raise DelegationMissing("a server that has not heard of it yet")

        world = World(organization(), google=Calendars())
        assert world.reasons(world.people(3)) == ["delegation_missing"] * 3
        assert world.giver().connected

    def test_is_not_marked_while_the_provider_does_not_answer(self):
        class Silent(Graph):
            def own_free_busy(self, organization, mailbox, window, *, deadline):
                raise ProviderUnavailable("down")

        world = World(GRAPH_SER, microsoft=Silent(delegated=set()))
        assert world.reasons(world.people(3)) == ["provider_unavailable"] * 3
        assert world.giver().connected


class TestTimeAndThreads:
    def test_a_call_that_hangs_holds_up_nobody_else(self):
        released = Event()

        class Slow(FakeOrganizationCalendars):
            def free_busy(self, credential, mailboxes, window, *, deadline):
                if mailboxes[0] == "acc_20@example.com":
                    assert released.wait(PATIENCE)
                return super().free_busy(credential, mailboxes, window, deadline=deadline)

        world = World(GRAPH_SER, microsoft=Slow(hidden={"acc_1@example.com", "acc_21@example.com"}))
        world.individual.kept["loner@example.com"] = LUNCH
        try:
            reasons = world.reasons([*world.people(60), connected("loner")], within=0.5)
        finally:
            released.set()
        assert reasons == [None] * 20 + ["provider_unavailable"] * 20 + [None] * 21

    def test_who_is_read_alone_and_hangs_is_late_alone(self):
        released = Event()

        class Slow(FakeOrganizationCalendars):
            def own_free_busy(self, *asked, deadline):
                assert released.wait(PATIENCE)
                return super().own_free_busy(*asked, deadline=deadline)

        world = World(SER, google=Slow(hidden={"acc_1@example.com"}))
        try:
            reasons = world.reasons(world.people(3), within=0.3)
        finally:
            released.set()
        assert reasons == [None, "provider_unavailable", None]

    def test_calls_are_made_at_once(self):
        """Ten calls of an organization, one of another and an individual one all wait for each other."""
        together = Barrier(12)

        class Meeting(FakeOrganizationCalendars):
            def free_busy(self, *asked, deadline):
                together.wait(PATIENCE)
                return super().free_busy(*asked, deadline=deadline)

        world = World(sealed(organization("ser_2")), GRAPH_SER, google=Meeting(), microsoft=Meeting())

        def read(*_, **__):
            together.wait(PATIENCE)
            return LUNCH

        world.individual.free_busy = read
        people = [*world.people(200), *world.people(5, "ser_2", name="b"), connected("loner")]
        assert world.reasons(people, within=20) == [None] * 206

    def test_one_thread_is_enough_for_everything(self, monkeypatch):
        """Nothing waits for what has not begun: a token to fetch, a rejected one, and people to read alone."""
        expired = sealed(organization("ser_2", key="second.example"), expires_at=NOW)
        world = World(GRAPH_SER, expired)
        world.microsoft.rejects = {"stored token"}
        world.microsoft.hidden = {f"acc_{number}@example.com" for number in range(0, 60, 7)}
        world.google.delegated = {"second.example"}
        world.individual.kept["loner@example.com"] = LUNCH
        people = [connected("loner"), *world.people(60), *world.people(60, "ser_2", name="b")]
        with ThreadPoolExecutor(1) as pool:
            monkeypatch.setattr(calendar_reader, "_pool", lambda: pool)
            assert world.reasons(people) == [None] * 121

    def test_an_outage_of_the_key_service_leaves_nothing_to_be_read_later(self, monkeypatch):
        class Vault(FakeVault):
            def unseal(self, sealed, *, client_id, profile_id):
                raise StorageUnavailable("the key service does not answer")

        world = World(GRAPH_SER, vault=Vault())
        people = [*world.people(60), connected("loner")]
        with ThreadPoolExecutor(1) as pool:
            monkeypatch.setattr(calendar_reader, "_pool", lambda: pool)
            with pytest.raises(StorageUnavailable):
                world.read(people)
        assert (world.microsoft.together, world.individual.reads) == ([], [])

    def test_queries_side_by_side_all_have_an_answer(self):
        world = World(organization(provider=MICROSOFT))
        people = world.people(40)
        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(lambda _: world.reasons(people), range(8)))
        assert answers == [[None] * 40] * 8
        assert stored(world.giver()).access_token in {
            f"token {number} of example.com" for number in range(1, len(world.microsoft.credentials) + 1)
        }


class TestForChannels:
    """Nobody lists the colleagues of an organization, so what became of it is noted when one of them is read."""

    @pytest.fixture
    def world(self):
        return World()

    def read(self, world, channels=1) -> bool:
        """Whether the one colleague's organization is noted as withdrawn afterwards."""
        account = world.accounts.find("acc_0")
        if account is None:
            (person,) = world.people(1)
            account = person._replace(channels=channels)
            world.accounts.create(account)
        world.read([account])
        return world.accounts.find("acc_0").profiles[0].withdrawn

    def test_it_is_noted_when_it_withdraws_and_when_it_comes_back(self, world):
        assert not self.read(world)
        world.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=NOW)
        assert self.read(world)
        assert self.read(world)
        world.service_accounts.put(organization())
        assert not self.read(world)

    def test_an_organization_that_was_revoked_is_no_different(self, world):
        self.read(world)
        world.service_accounts.disconnect("ser_1", because=Disconnected.REVOKED, now=NOW)
        assert self.read(world)

    def test_a_provider_that_is_down_says_nothing(self, world):
        self.read(world)
        world.google.trouble[email_of("acc_0")] = ProviderUnavailable("503")
        assert not self.read(world)

    def test_nothing_is_written_for_whoever_has_no_channel(self, world):
        self.read(world, channels=0)
        world.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=NOW)
        assert not self.read(world)

    def test_a_table_that_does_not_answer_costs_no_reading(self, world, monkeypatch):
        self.read(world)
        world.service_accounts.disconnect("ser_1", because=Disconnected.WITHDRAWN, now=NOW)

        def note(*_, **__):
            raise StorageUnavailable("DynamoDB")

        monkeypatch.setattr(world.accounts, "note_withdrawn", note)
        assert world.reasons([world.accounts.find("acc_0")]) == ["delegation_missing"]
