"""Colleagues read through the real adapters, at the simulated providers: what it takes, and what becomes of trouble."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from freebusy.domain.account import Disconnected, ProviderName
from freebusy.domain.errors import ProviderError
from freebusy.domain.free_busy import Period
from freebusy.domain.service_account import ServiceAccount
from freebusy.service.calendar_reader import CalendarReader
from freebusy.service.organization_reader import RETRY_SECONDS, OrganizationReader
from tests.fakes.accounts import FakeAccounts
from tests.fakes.clock import NOW
from tests.fakes.events import FakeEvents
from tests.fakes.service_accounts import FakeServiceAccounts
from tests.fakes.vaults import FakeVault
from tests.organization_harness import ADMIN, SimulatedGoogle, SimulatedHarness, SimulatedMicrosoft, harness_of
from tests.people import busy, colleague, email_of, organization

WINDOW = Period(NOW, NOW + 86400)
LUNCH = busy((4, 5))
SUB = "ser_1"


def real_time() -> int:
    """The simulators' tokens end by the clock on the wall."""
    return int(time.time())


class Company:
    def __init__(self, harness: SimulatedHarness) -> None:
        self.harness = harness
        self.world = harness.world
        self.service_accounts = FakeServiceAccounts()
        provider, key = harness.organization.provider, harness.organization.key
        self.giver: ServiceAccount = organization(SUB, provider=provider, key=key)
        self.service_accounts.put(self.giver)
        organizations = OrganizationReader(
            service_accounts=self.service_accounts,
            calendars={provider: harness.calendars},
            vault=FakeVault(),
            clock=real_time,
        )
        self.reader = CalendarReader(
            accounts=FakeAccounts(),
            events=FakeEvents(),
            vault=FakeVault(),
            providers={},
            clock=real_time,
            organizations=lambda: organizations,
        )

    def hire(self, count):
        people = [colleague(f"acc_{number}", self.giver) for number in range(count)]
        self.harness.put(*(email_of(each.sub) for each in people), busy=LUNCH)
        return people

    def narrow_down(self, *addresses):
        """At Microsoft, where Exchange may let the application use some mailboxes only."""
        self.harness._put("tenants/example.com", {"admin": ADMIN, "narrowed_to": addresses})

    def reasons(self, people):
        """Why each could not be read; None for who was read, rightly."""
        readings = self.reader.read_all([(each, each.profiles[0]) for each in people], WINDOW, within=15)
        return [reading.reason if isinstance(reading, ProviderError) else self._read(reading) for reading in readings]

    def _read(self, reading) -> None:
        assert list(reading) == LUNCH

    def calls(self):
        return {kind: self.harness.calls(kind) for kind in ("token", "busy")}

    @property
    def stored(self) -> ServiceAccount:
        return self.service_accounts.find(SUB)


@pytest.fixture(params=[SimulatedGoogle, SimulatedMicrosoft], ids=lambda kind: kind.name)
def company(request) -> Iterator[Company]:
    for harness in harness_of(request.param):
        yield Company(harness)


def change(company, **world):
    for name, value in world.items():
        setattr(company.world, name, value)
    company.harness.changed()


def test_two_hundred_colleagues_take_at_most_ten_calls(company):
    people = company.hire(200)
    assert company.reasons(people) == [None] * 200
    google = company.harness.organization.provider is ProviderName.GOOGLE
    assert company.calls() == {"token": 1, "busy": 4 if google else 10}
    assert company.reasons(people) == [None] * 200
    assert company.calls() == {"token": 1, "busy": 8 if google else 20}


def test_one_mailboxs_trouble_is_its_own(company):
    people = company.hire(6)
    at = [email_of(each.sub) for each in people]
    change(company, hidden={at[1]}, suspended={at[2]}, without_calendar={at[4]})
    expected = [None, None, "mailbox_unknown", None, "mailbox_without_calendar", None]
    assert company.reasons(people) == expected
    assert company.reasons(people) == expected
    assert company.stored.connected


def test_an_organization_that_withdraws_is_marked_and_heals(company):
    people = company.hire(30)
    assert company.reasons(people) == [None] * 30
    change(company, delegated=False)
    assert company.reasons(people) == ["delegation_missing"] * 30
    assert company.stored.disconnected is Disconnected.WITHDRAWN
    asked = company.calls()
    assert company.reasons(people) == ["delegation_missing"] * 30
    assert company.calls() == asked
    change(company, delegated=True)
    company.service_accounts.disconnect(SUB, because=Disconnected.WITHDRAWN, now=real_time() - RETRY_SECONDS)
    assert company.reasons(people) == [None] * 30
    assert company.stored.connected


def test_a_withdrawn_organization_is_tried_with_a_single_question(company):
    people = company.hire(30)
    change(company, delegated=False)
    company.service_accounts.disconnect(SUB, because=Disconnected.WITHDRAWN, now=real_time() - RETRY_SECONDS)
    assert company.reasons(people) == ["delegation_missing"] * 30
    assert company.calls() == {"token": 1, "busy": 0}


def test_once_the_administrator_has_left_it_goes_on(company):
    people = company.hire(3)
    change(company, suspended={ADMIN})
    assert company.reasons(people) == [None] * 3
    assert company.stored.connected


class TestMicrosoft:
    """Where a token is given to any application that somebody of the tenant ever signed in to."""

    @pytest.fixture
    def company(self):
        for harness in harness_of(SimulatedMicrosoft):
            harness.administrator()
            yield Company(harness)

    def test_that_it_withdrew_shows_when_somebody_is_asked_for(self, company):
        people = company.hire(30)
        assert company.reasons(people) == [None] * 30
        change(company, delegated=False)
        assert company.reasons(people) == ["delegation_missing"] * 30
        assert company.stored.disconnected is Disconnected.WITHDRAWN
        company.service_accounts.disconnect(SUB, because=Disconnected.WITHDRAWN, now=real_time() - RETRY_SECONDS)
        asked = company.calls()
        assert company.reasons(people) == ["delegation_missing"] * 30
        assert company.calls() == {"token": asked["token"] + 1, "busy": asked["busy"] + 4}

    @pytest.mark.parametrize("besides", [[ADMIN], []], ids=["and the administrator", "and nobody else"])
    def test_where_it_narrows_us_down_the_others_are_closed_for_themselves(self, company, besides):
        people = company.hire(6)
        opened = [email_of(each.sub) for each in people[4:]]
        company.narrow_down(*opened, *besides)
        assert company.reasons(people) == ["delegation_missing"] * 4 + [None] * 2
        assert company.stored.connected
        first = company.calls()["busy"]
        assert company.reasons(people) == ["delegation_missing"] * 4 + [None] * 2
        assert company.calls()["busy"] <= first + 5
