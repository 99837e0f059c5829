"""People who sign in to see their connections: an item for each trip to the sign-in, and one for each session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freebusy.adapters.dynamodb.short_lived import item_of, key_of, live, taken
from freebusy.adapters.dynamodb.table import Item, Table
from freebusy.domain.account import Identity, ProviderName
from freebusy.domain.person import Person, PersonSession, PersonTrip

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TRIP, _SESSION = "PERSON_TRIP", "PERSON_SESSION"


class DynamoPersonSessions:
    """Implements ``ports.PersonSessionStore``. What it stores belongs to no application."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def save_trip(self, state_hash: str, trip: PersonTrip) -> None:
        item = item_of(
            _TRIP,
            state_hash,
            None,
            provider=trip.provider,
            browser_hash=trip.browser_hash,
            expires_at=trip.expires_at,
        )
        self._table.write(self._table.putting(item))

    def consume_trip(self, state_hash: str, *, browser_hash: str, now: int) -> PersonTrip | None:
        item = taken(self._table, _TRIP, state_hash, browser_hash=browser_hash, now=now)
        if item is None:
            return None
        return PersonTrip(ProviderName(item["provider"]["S"]), browser_hash, int(item["expires_at"]["N"]))

    def save(self, handle_hash: str, session: PersonSession) -> None:
        identity, mailbox = session.person.identity, session.person.mailbox
        item = item_of(
            _SESSION,
            handle_hash,
            None,
            provider=identity.provider,
            subject=identity.subject,
            email=identity.email,
            mailbox={"subject": mailbox.subject, "email": mailbox.email} if mailbox else None,
            expires_at=session.expires_at,
        )
        self._table.write(self._table.putting(item))

    def find(self, handle_hash: str, now: int) -> PersonSession | None:
        item = live(self._table, _SESSION, handle_hash, now)
        return None if item is None else PersonSession(_person(item), int(item["expires_at"]["N"]))

    def end(self, handle_hash: str) -> None:
        self._table.write(self._table.deleting(key_of(_SESSION, handle_hash)))


def _person(item: Item) -> Person:
    provider = ProviderName(item["provider"]["S"])
    mailbox = item["mailbox"]["M"] if "mailbox" in item else None
    return Person(_identity(provider, item), _identity(provider, mailbox) if mailbox else None)


def _identity(provider: ProviderName, values: Item) -> Identity:
    return Identity(provider, values["subject"]["S"], values["email"]["S"])
