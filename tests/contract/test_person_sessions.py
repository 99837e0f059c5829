"""People who sign in to see their connections, as two emulators of DynamoDB keep them."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from freebusy.adapters.dynamodb.person_sessions import DynamoPersonSessions
from freebusy.domain.account import Identity, ProviderName
from freebusy.domain.person import Person, PersonSession, PersonTrip
from freebusy.domain.service_account import Organization, mailbox_identity
from tests.fakes.clock import NOW
from tests.tables import create_table

ANA = Identity(ProviderName.MICROSOFT, "tenant.ana", "ana@example.com")
TRIP = PersonTrip(ProviderName.GOOGLE, "browser", NOW + 600)


@pytest.fixture(params=["moto", "ministack"])
def sessions(request):
    client = request.getfixturevalue(request.param)
    return DynamoPersonSessions(client, create_table(client, f"table-{uuid4().hex}"))


def test_a_trip_is_used_once_and_comes_back_as_it_was(sessions):
    sessions.save_trip("state", TRIP)
    assert sessions.consume_trip("state", browser_hash="browser", now=NOW) == TRIP
    assert sessions.consume_trip("state", browser_hash="browser", now=NOW) is None


def test_a_trip_belongs_to_its_browser_and_ends(sessions):
    sessions.save_trip("state", TRIP)
    assert sessions.consume_trip("state", browser_hash="another", now=NOW) is None
    assert sessions.consume_trip("state", browser_hash="browser", now=NOW + 600) is None
    assert sessions.consume_trip("another", browser_hash="browser", now=NOW) is None
    assert sessions.consume_trip("state", browser_hash="browser", now=NOW + 599) == TRIP


def test_of_many_who_come_back_at_once_one_gets_in(ministack):
    sessions = DynamoPersonSessions(ministack, create_table(ministack, f"table-{uuid4().hex}"))
    sessions.save_trip("state", TRIP)
    with ThreadPoolExecutor(8) as threads:
        came = list(threads.map(lambda _: sessions.consume_trip("state", browser_hash="browser", now=NOW), range(8)))
    assert [trip for trip in came if trip] == [TRIP]


@pytest.mark.parametrize("mailbox", [None, mailbox_identity(Organization(ProviderName.MICROSOFT, "tenant"), ANA.email)])
def test_a_session_says_who_it_is_until_it_is_over(sessions, mailbox):
    session = PersonSession(Person(ANA, mailbox), NOW + 900)
    sessions.save("handle", session)
    assert sessions.find("handle", NOW + 899) == session
    assert sessions.find("handle", NOW + 900) is None
    assert sessions.find("another", NOW) is None


def test_a_session_is_ended_once_and_for_all(sessions):
    sessions.save("handle", PersonSession(Person(ANA), NOW + 900))
    for _ in range(2):
        sessions.end("handle")
        assert sessions.find("handle", NOW) is None
