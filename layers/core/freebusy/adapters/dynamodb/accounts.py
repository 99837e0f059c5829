"""Accounts: one item each, with profiles and grants as maps in it, so that one read answers a request.

Beside it lie two items per connected identity: by one of them it belongs to one account of an application only, by the
other the person is found in all applications. A profile's ``leased_until`` says until when one caller alone may refresh
its credential.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from freebusy.adapters.dynamodb.table import (
    CONDITION_FAILED,
    Action,
    Item,
    Key,
    Table,
    Value,
    attributes,
    binary,
    may_be_ours,
    number,
    text,
)
from freebusy.domain.account import (
    MOST_GRANTS,
    MOVED,
    Account,
    Disconnected,
    Grant,
    Identity,
    Profile,
    ProviderName,
    Upstream,
)
from freebusy.domain.errors import NotFound
from freebusy.domain.identifiers import is_service_account
from freebusy.measures import Measure, take

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from freebusy.domain.service_account import Mailboxes, ServiceAccount

_CONSENTED = """
SET #profiles.#profile.#name = :email, #profiles.#profile.#identity = :identity,
    #profiles.#profile.#sealed = :sealed, #profiles.#profile.#expires_at = :expires_at,
    #profiles.#profile.#version = #profiles.#profile.#version + :one"""
_CONNECT = f"""{_CONSENTED}
REMOVE #profiles.#profile.#disconnected, #profiles.#profile.#leased_until, #profiles.#profile.#service_account
"""
_CONNECT_MAILBOX = f"""{_CONSENTED}, #profiles.#profile.#service_account = :service_account
REMOVE #profiles.#profile.#disconnected, #profiles.#profile.#leased_until
"""
_DELEGATE = """
SET #profiles.#profile.#name = :email, #profiles.#profile.#identity.#email = :email,
    #profiles.#profile.#service_account = :service_account,
    #profiles.#profile.#version = #profiles.#profile.#version + :one
REMOVE #profiles.#profile.#disconnected, #profiles.#profile.#leased_until, #profiles.#profile.#withdrawn
"""
_RENEW = """
SET #profiles.#profile.#sealed = :sealed, #profiles.#profile.#expires_at = :expires_at,
    #profiles.#profile.#version = #profiles.#profile.#version + :one
REMOVE #profiles.#profile.#leased_until
"""
_DISCONNECT = """
SET #profiles.#profile.#disconnected = :because, #profiles.#profile.#expires_at = :never,
    #profiles.#profile.#version = #profiles.#profile.#version + :one
REMOVE #profiles.#profile.#sealed, #profiles.#profile.#leased_until
"""
_MOVE = """
SET #profiles.#profile.#name = :email, #profiles.#profile.#identity = :identity,
    #profiles.#profile.#sealed = :sealed, #profiles.#profile.#expires_at = :expires_at,
    #profiles.#profile.#version = #profiles.#profile.#version + :one, #profiles.#moved = :moved
REMOVE #profiles.#profile.#disconnected, #profiles.#profile.#leased_until, #profiles.#profile.#moving,
    #profiles.#profile.#service_account
"""
_EXISTING = "attribute_exists(#profiles.#profile)"
_SAME_VERSION = "#profiles.#profile.#version = :version"
_NOT_LEASED = "(attribute_not_exists(#profiles.#profile.#leased_until) OR #profiles.#profile.#leased_until <= :now)"


class DynamoAccounts:
    """Implements ``ports.AccountStore``."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._table = Table(client, table_name)

    def find(self, sub: str) -> Account | None:
        holder = self.holder(sub)
        return holder if isinstance(holder, Account) else None

    def holder(self, sub: str) -> Account | ServiceAccount | None:
        item = self._table.get(account_key(sub)) if may_be_ours(sub) else None
        if item is None:
            return None
        if is_service_account(sub):
            from freebusy.adapters.dynamodb.service_accounts import service_account_of  # most callers are accounts

            return service_account_of(item)
        return _account(item)

    def find_many(self, subs: Collection[str]) -> dict[str, Account]:
        keys = [account_key(sub) for sub in dict.fromkeys(subs) if may_be_ours(sub) and not is_service_account(sub)]
        return {account.sub: account for account in map(_account, self._table.get_many(keys))}

    def sub_of(self, client_id: str, identity: Identity) -> str | None:
        item = self._table.get((_identity_pk(client_id, identity), "IDENTITY"))
        return None if item is None else text(item, "sub")

    def create(self, account: Account) -> bool:
        storing = self._table.putting(_account_item(account), condition="attribute_not_exists(pk)")
        taking = [
            action
            for profile in account.profiles
            if profile.identity
            for action in self._taking(account.client_id, account.sub, profile.profile_id, profile.identity)
        ]
        return not self._table.transact([storing, *taking])

    def add_profile(self, sub: str, profile: Profile) -> bool:
        item = self._table.get(account_key(sub))
        if item is None:
            raise NotFound(sub)
        client_id, profiles = item["application"]["S"], item["profiles"]["M"]
        position = 1 + max(int(value["M"]["position"]["N"]) for value in profiles.values())
        adding = self._table.updating(
            account_key(sub),
            "SET #profiles.#profile = :profile",
            condition="attribute_exists(pk)",
            values={"profile": profile_values(profile, position)},
            names={"profile": profile.profile_id},
        )
        taking = self._taking(client_id, sub, profile.profile_id, profile.identity) if profile.identity else []
        reasons = self._table.transact([adding, *taking])
        if reasons and reasons[0] == CONDITION_FAILED:
            raise NotFound(sub)
        return not reasons

    def connect(  # noqa: PLR0913 - whose, and what it is from now on
        self,
        sub: str,
        profile_id: str,
        *,
        identity: Identity,
        sealed: bytes,
        expires_at: int,
        service_account: str | None = None,
    ) -> None:
        values: dict[str, Value] = {
            "email": identity.email,
            "identity": _identity_values(identity),
            "subject": identity.subject,
            "sealed": sealed,
            "expires_at": expires_at,
            "one": 1,
        }
        change = _CONNECT
        if service_account:
            change, values["service_account"] = _CONNECT_MAILBOX, service_account
        self._connect_again(sub, profile_id, identity, change, values)

    def delegate(self, sub: str, profile_id: str, *, identity: Identity, service_account: str, version: int) -> bool:
        values: dict[str, Value] = {
            "email": identity.email,
            "service_account": service_account,
            "version": version,
            "one": 1,
        }
        return self._update_profile(sub, profile_id, _DELEGATE, condition=_SAME_VERSION, values=values)

    def mark_moving(self, sub: str, profile_id: str, *, moving: bool) -> bool:
        change, values = "REMOVE #profiles.#profile.#moving", {}
        if moving:
            change, values = "SET #profiles.#profile.#moving = :true", {"true": True}
        return self._update_profile(sub, profile_id, change, condition=_EXISTING, values=values)

    def note_withdrawn(self, sub: str, profile_id: str, *, withdrawn: bool) -> None:
        change, values = "REMOVE #profiles.#profile.#withdrawn", {}
        if withdrawn:
            change, values = "SET #profiles.#profile.#withdrawn = :true", {"true": True}
        self._update_profile(sub, profile_id, change, condition=_EXISTING, values=values)

    def move(self, account: Account, before: Profile, after: Profile, moved: Profile) -> bool:
        identity = after.identity
        if identity is None:
            raise ValueError("a profile moves to somebody")
        moving = self._table.updating(
            account_key(account.sub),
            _MOVE,
            condition=_SAME_VERSION,
            values={
                "email": after.name,
                "identity": _identity_values(identity),
                "sealed": after.sealed_credential,
                "expires_at": after.credential_expires_at,
                "moved": profile_values(moved, 0),
                "version": before.version,
                "one": 1,
            },
            names={"profile": before.profile_id, "moved": moved.profile_id},
        )
        taking = self._taking(account.client_id, account.sub, before.profile_id, identity)
        return not self._table.transact([moving, *taking])

    def of_person(self, identity: Identity) -> list[str]:
        return [item["sub"]["S"] for item in self._table.query(_person_pk(identity))]

    def renew(self, sub: str, profile_id: str, *, sealed: bytes, expires_at: int, version: int) -> bool:
        values: dict[str, Value] = {"sealed": sealed, "expires_at": expires_at, "version": version, "one": 1}
        return self._update_profile(sub, profile_id, _RENEW, condition=_SAME_VERSION, values=values)

    def lease_refresh(self, sub: str, profile_id: str, *, version: int, now: int, seconds: int) -> bool:
        return self._update_profile(
            sub,
            profile_id,
            "SET #profiles.#profile.#leased_until = :until",
            condition=f"{_SAME_VERSION} AND {_NOT_LEASED}",
            values={"until": now + seconds, "version": version, "now": now},
        )

    def disconnect(self, sub: str, profile_id: str, *, because: Disconnected, version: int | None = None) -> bool:
        values: dict[str, Value] = {"because": because, "never": 0, "one": 1}
        condition = _EXISTING
        if version is not None:
            values["version"] = version
            condition = _SAME_VERSION
        disconnected = self._update_profile(sub, profile_id, _DISCONNECT, condition=condition, values=values)
        if disconnected:
            take(Measure.DISCONNECTIONS, because)
        return disconnected

    def mailboxes_of(self, giver: ServiceAccount, *, after: str, most: int) -> Mailboxes:
        """At Cronofy an identity does not say whose mailbox it is, so there the accounts are asked. One without an
        account is left of somebody who is being erased, whoever that is.
        """
        from freebusy.domain.service_account import Mailboxes  # only an erasure asks

        organization = giver.organization
        mailboxes = f"{organization.provider}#{organization.mailbox_prefix}"
        prefix = f"{organization.upstream}#" if organization.at_cronofy else mailboxes
        start = (after, "IDENTITY") if after else None
        keys = self._table.some_keys_of(giver.client_id, f"IDENTITY#{giver.client_id}#{prefix}", after=start, most=most)
        subs = [*dict.fromkeys(item["sub"]["S"] for item in self._table.get_many(keys))]
        if organization.at_cronofy:
            accounts = self.find_many(subs)
            subs = [sub for sub in subs if sub not in accounts or _is_let_in_by(giver, accounts[sub])]
        return Mailboxes(subs, keys[-1][0] if len(keys) == most else "")

    def remove_profile(self, account: Account, profile: Profile) -> bool:
        """In one transaction: an identity without its profile would be found, and given up, by nobody."""
        removing = self._table.updating(
            account_key(account.sub),
            "REMOVE #profiles.#profile",
            condition=_SAME_VERSION,
            values={"version": profile.version},
            names={"profile": profile.profile_id},
        )
        keys: list[Key] = []
        if profile.identity:
            keys.append((_identity_pk(account.client_id, profile.identity), "IDENTITY"))
            others = [each.identity for each in account.profiles if each.profile_id != profile.profile_id]
            if (person := _person_pk(profile.identity)) not in {_person_pk(each) for each in others if each}:
                keys.append((person, account.sub))
        ours, values = "attribute_not_exists(pk) OR #sub = :sub", {"sub": account.sub}
        giving_up = [self._table.deleting(key, condition=ours, values=values) for key in keys]
        return not self._table.transact([removing, *giving_up])

    def expect_events(self, sub: str) -> None:
        expecting = self._table.updating(
            account_key(sub), "SET #has_events = :true", condition="attribute_exists(pk)", values={"true": True}
        )
        if not self._table.write(expecting):
            raise NotFound(sub)

    def revoke_grants(self, sub: str, grant_ids: Collection[str] | None = None) -> None:
        existing = "attribute_exists(pk)"
        if grant_ids is None:
            self._table.write(
                self._table.updating(account_key(sub), "SET #grants = :none", condition=existing, values={"none": {}})
            )
        elif names := {f"grant{place}": grant_id for place, grant_id in enumerate(set(grant_ids))}:
            removed = ", ".join(f"#grants.#{name}" for name in names)
            self._table.write(
                self._table.updating(account_key(sub), f"REMOVE {removed}", condition=existing, names=names)
            )

    def _connect_again(
        self, sub: str, profile_id: str, identity: Identity, change: str, values: Mapping[str, Value]
    ) -> None:
        """Also lists the account among those of its person, where it is from before there was such a list."""
        item = self._table.get(account_key(sub))
        if item is None:
            raise NotFound(sub)
        connecting = self._table.updating(
            account_key(sub),
            change,
            condition="#profiles.#profile.#identity.#subject = :subject",
            values=values,
            names={"profile": profile_id},
        )
        if self._table.transact([connecting, self._listing(item["application"]["S"], sub, identity)]):
            raise NotFound(profile_id)

    def _update_profile(
        self, sub: str, profile_id: str, change: str, *, condition: str, values: Mapping[str, Value]
    ) -> bool:
        names = {"profile": profile_id}
        return self._table.write(
            self._table.updating(account_key(sub), change, condition=condition, values=values, names=names)
        )

    def _taking(self, client_id: str, sub: str, profile_id: str, identity: Identity) -> list[Action]:
        """The identity within the application, and the account among those of the person in all applications."""
        item: dict[str, Value] = {
            "pk": _identity_pk(client_id, identity),
            "sk": "IDENTITY",
            "application": client_id,
            "sub": sub,
            "profile_id": profile_id,
        }
        taking = self._table.putting(attributes(item), condition="attribute_not_exists(pk)")
        return [taking, self._listing(client_id, sub, identity)]

    def _listing(self, client_id: str, sub: str, identity: Identity) -> Action:
        listed: dict[str, Value] = {"pk": _person_pk(identity), "sk": sub, "application": client_id, "sub": sub}
        return self._table.putting(attributes(listed))


class GrantList:
    """Lists grants on their account as part of a transaction, and keeps no more than ``MOST_GRANTS``."""

    def __init__(self, table: Table, sub: str, grant: Grant) -> None:
        self._table = table
        self._sub = sub
        self._grant = grant
        self._oldest: str | None = None

    def adding(self) -> Action:
        """Fails when the account is gone or its list is full."""
        change = "SET #grants.#grant = :grant"
        values: dict[str, Value] = {"grant": grant_values(self._grant)}
        names = {"grant": self._grant.grant_id}
        if self._oldest is None:
            condition = "attribute_exists(pk) AND size(#grants) < :most"
            return self._table.updating(
                account_key(self._sub), change, condition=condition, values={**values, "most": MOST_GRANTS}, names=names
            )
        return self._table.updating(
            account_key(self._sub),
            f"{change} REMOVE #grants.#oldest",
            condition="attribute_exists(#grants.#oldest)",
            values=values,
            names={**names, "oldest": self._oldest},
        )

    def make_room(self) -> bool:
        """The next ``adding`` drops the oldest grant if it must; False when the account is gone."""
        item = self._table.get(account_key(self._sub))
        if item is None:
            return False
        grants = sorted(grants_of(item).values(), key=lambda each: (each.created_at, each.grant_id))
        self._oldest = grants[0].grant_id if len(grants) >= MOST_GRANTS else None
        return True


class _Grants(Mapping[str, Grant]):
    """Mapped one at a time: a request looks at one grant, an account of many members' query at none."""

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = items

    def __getitem__(self, grant_id: str) -> Grant:
        values = self._items[grant_id]["M"]
        return Grant(grant_id, values["scope"]["S"], int(values["created_at"]["N"]))

    def __contains__(self, grant_id: object) -> bool:
        return grant_id in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(dict(self))


def account_key(sub: str) -> Key:
    """Also of a service account, whose ``sub`` tells the two apart."""
    return f"ACCOUNT#{sub}", "ACCOUNT"


def _is_let_in_by(giver: ServiceAccount, account: Account) -> bool:
    return any(profile.service_account == giver.sub for profile in account.free_busy_profiles)


def _identity_pk(client_id: str, identity: Identity) -> str:
    upstream = "" if identity.upstream is Upstream.DIRECT else f"{identity.upstream}#"
    return f"IDENTITY#{client_id}#{upstream}{identity.provider}#{identity.subject}"


def _person_pk(identity: Identity) -> str:
    """At Cronofy somebody is one person, whichever kind of calendar they have there."""
    if identity.upstream is Upstream.DIRECT:
        return f"PERSON#{identity.provider}#{identity.subject}"
    return f"UPSTREAM#{identity.upstream}#{identity.subject}"


def _account_item(account: Account) -> Item:
    pk, sk = account_key(account.sub)
    return attributes(
        {
            "pk": pk,
            "sk": sk,
            "application": account.client_id,
            "email": account.email,
            "name": account.name,
            "zone": account.zone,
            "created_at": account.created_at,
            "has_events": account.has_events,
            "profiles": {
                profile.profile_id: profile_values(profile, position)
                for position, profile in enumerate(account.profiles)
            },
            "grants": {grant.grant_id: grant_values(grant) for grant in account.grants.values()},
        }
    )


def profile_values(profile: Profile, position: int) -> dict[str, Value]:
    """``position`` keeps the order in which profiles were added, which a map forgets."""
    return {
        "provider": profile.provider,
        "position": position,
        "name": profile.name,
        "calendar_id": profile.calendar_id,
        "identity": _identity_values(profile.identity) if profile.identity else None,
        "sealed": profile.sealed_credential,
        "expires_at": profile.credential_expires_at,
        "version": profile.version,
        "disconnected": profile.disconnected,
        "service_account": profile.service_account,
        "moving": profile.moving or None,
        "created_at": profile.created_at or None,
        "withdrawn": profile.withdrawn or None,
    }


def _identity_values(identity: Identity) -> dict[str, Value]:
    upstream = None if identity.upstream is Upstream.DIRECT else identity.upstream
    return {"subject": identity.subject, "email": identity.email, "name": identity.name, "upstream": upstream}


def grants_of(item: Item) -> Mapping[str, Grant]:
    return _Grants(item["grants"]["M"])


def grant_values(grant: Grant) -> dict[str, Value]:
    return {"scope": grant.scope, "created_at": grant.created_at}


def _account(item: Item) -> Account:
    listed = [
        profile_of(profile_id, value["M"]) for profile_id, value in sorted(item["profiles"]["M"].items(), key=_place)
    ]
    return Account(
        sub=item["pk"]["S"].removeprefix("ACCOUNT#"),
        client_id=item["application"]["S"],
        email=item["email"]["S"],
        name=text(item, "name"),
        zone=item["zone"]["S"],
        profiles=tuple([profile for profile in listed if not profile.profile_id.endswith(MOVED)]),
        grants=grants_of(item),
        created_at=int(item["created_at"]["N"]),
        has_events="has_events" in item and item["has_events"]["BOOL"],
        moved=tuple([profile for profile in listed if profile.profile_id.endswith(MOVED)]),
        channels=number(item, "channels") or 0,
    )


def _place(entry: tuple[str, Item]) -> tuple[bool, int, str]:
    profile_id, value = entry
    values = value["M"]
    return values["provider"]["S"] == ProviderName.MANAGED, int(values["position"]["N"]), profile_id


def profile_of(profile_id: str, values: Item) -> Profile:
    provider = ProviderName(values["provider"]["S"])
    identity = values.get("identity")
    disconnected = values.get("disconnected")
    return Profile(
        profile_id=profile_id,
        provider=provider,
        name=values["name"]["S"],
        calendar_id=values["calendar_id"]["S"],
        identity=_identity(provider, identity["M"]) if identity else None,
        sealed_credential=binary(values, "sealed"),
        credential_expires_at=int(values["expires_at"]["N"]),
        version=int(values["version"]["N"]),
        disconnected=Disconnected(disconnected["S"]) if disconnected else None,
        service_account=text(values, "service_account"),
        moving="moving" in values,
        created_at=number(values, "created_at") or 0,
        withdrawn="withdrawn" in values,
    )


def _identity(provider: ProviderName, values: Item) -> Identity:
    upstream = Upstream(values["upstream"]["S"]) if "upstream" in values else Upstream.DIRECT
    return Identity(provider, values["subject"]["S"], values["email"]["S"], text(values, "name"), upstream)
