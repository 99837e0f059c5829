"""Small honest implementations of the ports, in memory.

``tests/contract/test_stores.py`` holds the stores to the same rules as the DynamoDB adapters. Whatever
checks before it writes does so under a lock, since services call the stores from several threads.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from threading import RLock
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from freebusy.domain.access_request import AccessRequest, Granted
from freebusy.domain.account import (
    MOST_GRANTS,
    Account,
    Disconnected,
    Grant,
    Identity,
    Profile,
    ProviderCredential,
    ProviderName,
    Upstream,
)
from freebusy.domain.application import Appearance, Application
from freebusy.domain.authorization import AuthorizationCode, AuthorizationRequest, TokenKind, TokenRecord
from freebusy.domain.callback import Destination
from freebusy.domain.channel import MOST_CHANNELS, Channel
from freebusy.domain.data_key import DataKey
from freebusy.domain.errors import CredentialRevoked, IdentityRejected, NotFound, ProviderError
from freebusy.domain.event import InvitationDue, ManagedEvent, SentMark
from freebusy.domain.event_span import span
from freebusy.domain.free_busy import FreeBusyPeriod, Period
from freebusy.domain.idempotency import Answered, FirstRequest, KeyedRequest
from freebusy.domain.identifiers import hashed
from freebusy.domain.managed_availability import (
    FORGOTTEN_AT_ONCE,
    MOST_AVAILABLE_PERIODS,
    MOST_RULES,
    AvailabilityRule,
    AvailablePeriod,
    ManagedAvailability,
)
from freebusy.domain.organization_setup import OrganizationTrip, Setup
from freebusy.domain.pkce import challenge_of
from freebusy.domain.service_account import Organization, ServiceAccount
from freebusy.domain.upstream_due import UpstreamDue

NOW = 1_800_000_000
"""Where a ``FakeClock`` starts: 2027-01-15T08:00:00Z."""

_Kept = TypeVar("_Kept")
_IdentityKey = tuple[str, str, str, str]


class FakeClock:
    """Stands still until it is told to move."""

    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: int) -> None:
        self.now += seconds


class FakeAccounts:
    def __init__(self, *accounts: Account) -> None:
        self._lock = RLock()
        self._accounts: dict[str, Account] = {}
        self._subs: dict[_IdentityKey, str] = {}
        self._leases: dict[tuple[str, str], int] = {}
        self.service_accounts = FakeServiceAccounts()
        for account in accounts:
            assert self.create(account)

    def find(self, sub: str) -> Account | None:
        return self._accounts.get(sub)

    def holder(self, sub: str) -> Account | ServiceAccount | None:
        return self._accounts.get(sub) or self.service_accounts.find(sub)

    def find_many(self, subs: Collection[str]) -> dict[str, Account]:
        return {sub: self._accounts[sub] for sub in subs if sub in self._accounts}

    def sub_of(self, client_id: str, identity: Identity) -> str | None:
        return self._subs.get((client_id, *identity.key))

    def create(self, account: Account) -> bool:
        keys = [key for profile in account.profiles if (key := _identity_key(account.client_id, profile))]
        with self._lock:
            if account.sub in self._accounts or any(key in self._subs for key in keys):
                return False
            self._accounts[account.sub] = account
            self._subs.update(dict.fromkeys(keys, account.sub))
            return True

    def add_profile(self, sub: str, profile: Profile) -> bool:
        with self._lock:
            account = self._existing(sub)
            key = _identity_key(account.client_id, profile)
            if key in self._subs:
                return False
            if key:
                self._subs[key] = sub
            profiles = sorted((*account.profiles, profile), key=lambda each: each.managed)
            self._accounts[sub] = account._replace(profiles=tuple(profiles))
            return True

    def connect(
        self,
        sub: str,
        profile_id: str,
        *,
        identity: Identity,
        sealed: bytes,
        expires_at: int,
        service_account: str | None = None,
    ) -> None:
        with self._lock:
            self._existing(sub)
            profile = self._profile(sub, profile_id)
            if profile is None or profile.identity is None or profile.identity.subject != identity.subject:
                raise NotFound(profile_id)
            self._write(
                sub,
                replace(
                    profile,
                    name=identity.email,
                    identity=identity,
                    sealed_credential=sealed,
                    credential_expires_at=expires_at,
                    disconnected=None,
                    service_account=service_account,
                ),
            )

    def delegate(self, sub: str, profile_id: str, *, identity: Identity, service_account: str, version: int) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or profile.identity is None or profile.version != version:
                return False
            named = replace(profile.identity, email=identity.email)
            changed = replace(
                profile,
                name=identity.email,
                identity=named,
                service_account=service_account,
                disconnected=None,
                withdrawn=False,
            )
            self._write(sub, changed)
            return True

    def mark_moving(self, sub: str, profile_id: str, *, moving: bool) -> bool:
        with self._lock:
            account, profile = self._accounts.get(sub), self._profile(sub, profile_id)
            if account is None or profile is None:
                return False
            changed = replace(profile, moving=moving)
            profiles = tuple(changed if each is profile else each for each in account.profiles)
            self._accounts[sub] = account._replace(profiles=profiles)
            return True

    def note_withdrawn(self, sub: str, profile_id: str, *, withdrawn: bool) -> None:
        with self._lock:
            account, profile = self._accounts.get(sub), self._profile(sub, profile_id)
            if account and profile:
                changed = replace(profile, withdrawn=withdrawn)
                profiles = tuple(changed if each is profile else each for each in account.profiles)
                self._accounts[sub] = account._replace(profiles=profiles)

    def move(self, account: Account, before: Profile, after: Profile, moved: Profile) -> bool:
        with self._lock:
            stored = self._profile(account.sub, before.profile_id)
            key = _identity_key(account.client_id, after)
            if key is None or key in self._subs or stored is None or stored.version != before.version:
                return False
            self._subs[key] = account.sub
            self._write(account.sub, after)
            known = self._accounts[account.sub]
            self._accounts[account.sub] = known._replace(moved=(*known.moved, moved))
            return True

    def of_person(self, identity: Identity) -> list[str]:
        at_cronofy = identity.upstream is Upstream.CRONOFY
        everywhere = {
            sub
            for (_, upstream, provider, subject), sub in self._subs.items()
            if (upstream, subject) == (identity.upstream, identity.subject)
            and (at_cronofy or provider == identity.provider)
        }
        return sorted(everywhere)

    def renew(self, sub: str, profile_id: str, *, sealed: bytes, expires_at: int, version: int) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or profile.version != version:
                return False
            self._write(sub, replace(profile, sealed_credential=sealed, credential_expires_at=expires_at))
            return True

    def lease_refresh(self, sub: str, profile_id: str, *, version: int, now: int, seconds: int) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or profile.version != version or self._leases.get((sub, profile_id), 0) > now:
                return False
            self._leases[sub, profile_id] = now + seconds
            return True

    def disconnect(self, sub: str, profile_id: str, *, because: Disconnected, version: int | None = None) -> bool:
        with self._lock:
            profile = self._profile(sub, profile_id)
            if profile is None or (version is not None and profile.version != version):
                return False
            self._write(sub, replace(profile, sealed_credential=None, credential_expires_at=0, disconnected=because))
            return True

    def expect_events(self, sub: str) -> None:
        with self._lock:
            self._accounts[sub] = self._existing(sub)._replace(has_events=True)

    def revoke_grants(self, sub: str, grant_ids: Collection[str] | None = None) -> None:
        with self._lock:
            if holder := self.holder(sub):
                ended = holder.grants if grant_ids is None else grant_ids
                self._list_grants(holder, [grant for grant_id, grant in holder.grants.items() if grant_id not in ended])

    def add_grant(self, sub: str, grant: Grant) -> bool:
        """What ``TokenStore.redeem_code`` does to the holder; False when there is none."""
        with self._lock:
            if (holder := self.holder(sub)) is None:
                return False
            oldest_first = sorted(holder.grants.values(), key=lambda each: (each.created_at, each.grant_id))
            self._list_grants(holder, (*oldest_first, grant)[-MOST_GRANTS:])
            return True

    def _list_grants(self, holder: Account | ServiceAccount, grants: Iterable[Grant]) -> None:
        listed = {grant.grant_id: grant for grant in grants}
        if isinstance(holder, Account):
            self._accounts[holder.sub] = holder._replace(grants=listed)
        else:
            self.service_accounts.put(replace(holder, grants=listed))

    def of_application(self, client_id: str) -> list[str]:
        return [sub for sub, account in self._accounts.items() if account.client_id == client_id]

    def erase(self, client_id: str) -> int:
        with self._lock:
            erased = [sub for sub, account in self._accounts.items() if account.client_id == client_id]
            for sub in erased:
                del self._accounts[sub]
            identities = [key for key, sub in self._subs.items() if sub in erased]
            for key in identities:
                del self._subs[key]
            return len(erased) + len(identities) + self.service_accounts.erase(client_id)

    def _existing(self, sub: str) -> Account:
        if (account := self._accounts.get(sub)) is None:
            raise NotFound(sub)
        return account

    def _profile(self, sub: str, profile_id: str) -> Profile | None:
        account = self._accounts.get(sub)
        everything = (*account.profiles, *account.moved) if account else ()
        return next((profile for profile in everything if profile.profile_id == profile_id), None)

    def _write(self, sub: str, changed: Profile) -> None:
        """Every write to a profile raises its version and ends the refresh lease."""
        account = self._accounts[sub]
        self._leases.pop((sub, changed.profile_id), None)

        def written(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
            return tuple(
                replace(changed, version=profile.version + 1) if profile.profile_id == changed.profile_id else profile
                for profile in profiles
            )

        self._accounts[sub] = account._replace(profiles=written(account.profiles), moved=written(account.moved))


class FakeServiceAccounts:
    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[str, ServiceAccount] = {}
        self._leases: dict[str, int] = {}

    def find(self, sub: str) -> ServiceAccount | None:
        return self._kept.get(sub)

    def find_many(self, subs: Collection[str]) -> dict[str, ServiceAccount]:
        return {sub: self._kept[sub] for sub in subs if sub in self._kept}

    def connect(self, wanted: ServiceAccount) -> str:
        with self._lock:
            known = next((each for each in self._kept.values() if _organization(each) == _organization(wanted)), None)
            if known is None:
                self.put(wanted)
                return wanted.sub
            changed = replace(
                known,
                organization=wanted.organization,
                administrator=wanted.administrator,
                delegated_scope=wanted.delegated_scope,
            )
            self._write(changed, sealed=b"")
            return known.sub

    def sharing(self, organization: Organization) -> list[str]:
        return sorted(
            each.sub
            for each in self._kept.values()
            if each.organization.at_cronofy and each.organization.key == organization.key
        )

    def lease_refresh(self, sub: str, *, version: int, now: int, seconds: int) -> bool:
        with self._lock:
            known = self._kept.get(sub)
            if known is None or known.version != version or self._leases.get(sub, 0) > now:
                return False
            self._leases[sub] = now + seconds
            return True

    def renew(self, sub: str, *, sealed: bytes, version: int) -> bool:
        with self._lock:
            known = self._kept.get(sub)
            if known is None or known.version != version:
                return False
            self._write(known, sealed=sealed)
            return True

    def disconnect(self, sub: str, *, because: Disconnected, now: int, version: int | None = None) -> bool:
        with self._lock:
            known = self._kept.get(sub)
            if known is None or (version is not None and known.version != version):
                return False
            self._write(known, sealed=b"", because=because, now=now)
            return True

    def put(self, service_account: ServiceAccount) -> None:
        self._kept[service_account.sub] = service_account

    def of_application(self, client_id: str) -> list[str]:
        return [sub for sub, service_account in self._kept.items() if service_account.client_id == client_id]

    def erase(self, client_id: str) -> int:
        """The item of the organization goes with it."""
        return 2 * _erase(self._kept, lambda each: each.client_id == client_id)

    def _write(
        self, changed: ServiceAccount, *, sealed: bytes, because: Disconnected | None = None, now: int = 0
    ) -> None:
        version = changed.version + 1
        self._leases.pop(changed.sub, None)
        self.put(replace(changed, sealed_credential=sealed, disconnected=because, disconnected_at=now, version=version))


class FakeTokens:
    """``accounts`` is where redeemed codes list their grants."""

    def __init__(self, accounts: FakeAccounts | None = None) -> None:
        self._lock = RLock()
        self._accounts = accounts or FakeAccounts()
        self._tokens: dict[str, TokenRecord] = {}
        self._requests: dict[str, AuthorizationRequest] = {}
        self._codes: dict[str, AuthorizationCode] = {}
        self._spent: dict[str, tuple[str, str, str]] = {}
        self._link_tokens: dict[str, tuple[str, str, int]] = {}

    def find(self, token_hash: str, now: int) -> TokenRecord | None:
        token = self._tokens.get(token_hash)
        return token if token and (token.expires_at is None or token.expires_at > now) else None

    def save(self, token_hash: str, token: TokenRecord) -> None:
        self._tokens[token_hash] = token

    def delete(self, token_hash: str) -> None:
        self._tokens.pop(token_hash, None)

    def rotate(
        self, refresh_hash: str, *, successor_hash: str, successor: TokenRecord, derived_with: int, now: int
    ) -> bool:
        with self._lock:
            token = self.find(refresh_hash, now)
            if token is None or token.rotated_at is not None:
                return False
            self._tokens[refresh_hash] = token._replace(rotated_at=now, derived_with=derived_with)
            self._tokens[successor_hash] = successor
            return True

    def save_authorization_request(self, state_hash: str, request: AuthorizationRequest) -> None:
        self._requests[state_hash] = request

    def consume_authorization_request(
        self, state_hash: str, *, browser_hash: str, now: int
    ) -> AuthorizationRequest | None:
        with self._lock:
            request = self._requests.get(state_hash)
            if request is None or request.expires_at <= now or request.browser_hash != browser_hash:
                return None
            return self._requests.pop(state_hash)

    def save_code(self, code_hash: str, code: AuthorizationCode) -> None:
        self._codes[code_hash] = code

    def find_code(self, code_hash: str, now: int) -> AuthorizationCode | None:
        code = self._codes.get(code_hash)
        return code if code and code.expires_at > now else None

    def redeem_code(
        self,
        code_hash: str,
        *,
        code: AuthorizationCode,
        grant: Grant,
        tokens: Mapping[str, TokenRecord],
        now: int,
    ) -> bool:
        with self._lock:
            if self.find_code(code_hash, now) is None or not self._accounts.add_grant(code.sub, grant):
                return False
            del self._codes[code_hash]
            self._tokens.update(tokens)
            self._spent[code_hash] = (code.client_id, code.sub, grant.grant_id)
            return True

    def bought_with(self, code_hash: str) -> tuple[str, str] | None:
        spent = self._spent.get(code_hash)
        return spent and spent[1:]

    def save_link_token(self, token_hash: str, *, client_id: str, sub: str, expires_at: int) -> None:
        self._link_tokens[token_hash] = (client_id, sub, expires_at)

    def find_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        owner, sub, expires_at = self._link_tokens.get(token_hash, ("", "", 0))
        return sub if owner == client_id and expires_at > now else None

    def consume_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        with self._lock:
            sub = self.find_link_token(token_hash, client_id=client_id, now=now)
            if sub is not None:
                del self._link_tokens[token_hash]
            return sub

    def erase(self, client_id: str) -> int:
        return (
            _erase(self._tokens, lambda token: token.client_id == client_id)
            + _erase(self._requests, lambda request: request.client_id == client_id)
            + _erase(self._codes, lambda code: code.client_id == client_id)
            + _erase(self._spent, lambda spent: spent[0] == client_id)
            + _erase(self._link_tokens, lambda link_token: link_token[0] == client_id)
        )


class FakeSetups:
    def __init__(self) -> None:
        self._lock = RLock()
        self._trips: dict[str, OrganizationTrip] = {}
        self._setups: dict[str, Setup] = {}

    def save_trip(self, state_hash: str, trip: OrganizationTrip) -> None:
        self._trips[state_hash] = trip

    def consume_trip(self, state_hash: str, *, browser_hash: str, now: int) -> OrganizationTrip | None:
        with self._lock:
            trip = self._trips.get(state_hash)
            if trip is None or trip.expires_at <= now or trip.browser_hash != browser_hash:
                return None
            return self._trips.pop(state_hash)

    def save(self, handle_hash: str, setup: Setup) -> None:
        self._setups[handle_hash] = setup

    def find(self, handle_hash: str, now: int) -> Setup | None:
        setup = self._setups.get(handle_hash)
        return setup if setup and setup.expires_at > now else None

    def rebind(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        with self._lock:
            if (setup := self.find(handle_hash, now)) is None:
                return False
            self._setups[handle_hash] = setup._replace(browser_hash=browser_hash)
            return True

    def consume(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        with self._lock:
            setup = self.find(handle_hash, now)
            if setup is None or setup.browser_hash != browser_hash:
                return False
            del self._setups[handle_hash]
            return True

    def erase(self, client_id: str) -> int:
        return _erase(self._trips, lambda trip: trip.request.client_id == client_id) + _erase(
            self._setups, lambda setup: setup.request.client_id == client_id
        )


class FakePages:
    def __init__(self) -> None:
        self._pages: dict[str, tuple[bytes, str, str, int]] = {}

    def save(self, pages: Mapping[str, bytes], *, sub: str, client_id: str, expires_at: int) -> None:
        self._pages.update({token_hash: (page, sub, client_id, expires_at) for token_hash, page in pages.items()})

    def find(self, token_hash: str, *, sub: str, now: int) -> bytes | None:
        page, owner, _, expires_at = self._pages.get(token_hash, (b"", "", "", 0))
        return page if owner == sub and expires_at > now else None

    def erase(self, client_id: str) -> int:
        return _erase(self._pages, lambda page: page[2] == client_id)


class FakePermits:
    def __init__(self) -> None:
        self.takes = 0
        self._taken: dict[tuple[str, int], int] = {}

    def take(self, client_id: str, window: int, *, wanted: int, limit: int, expires_at: int) -> int | None:
        assert expires_at > window
        self.takes += 1
        taken = self._taken.get((client_id, window), 0)
        if taken >= limit:
            return None
        self._taken[client_id, window] = taken + wanted
        return taken + wanted

    def erase(self, client_id: str) -> int:
        windows = [key for key in self._taken if key[0] == client_id]
        return len([self._taken.pop(key) for key in windows])


class FakeAnswers:
    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[str, tuple[FirstRequest, str, int]] = {}

    def begin(self, request: KeyedRequest, *, now: int, expires_at: int) -> bool:
        with self._lock:
            if request.key_hash in self._kept and self._kept[request.key_hash][2] > now:
                return False
            self._kept[request.key_hash] = FirstRequest(request.fingerprint, None), request.client_id, expires_at
            return True

    def finish(self, request: KeyedRequest, answered: Answered | None, *, expires_at: int) -> None:
        if request.key_hash in self._kept:
            first, client_id, _ = self._kept[request.key_hash]
            self._kept[request.key_hash] = first._replace(answered=answered), client_id, expires_at

    def first(self, request: KeyedRequest) -> FirstRequest | None:
        kept = self._kept.get(request.key_hash)
        return kept and kept[0]

    def erase(self, client_id: str) -> int:
        return _erase(self._kept, lambda kept: kept[1] == client_id)


class FakeAccessRequests:
    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[str, AccessRequest] = {}
        self._answers: dict[str, tuple[str, str, int]] = {}

    def save(self, requests: Sequence[AccessRequest]) -> None:
        self._kept.update({request.request_id: request for request in requests})

    def find(self, request_id: str, now: int) -> AccessRequest | None:
        request = self._kept.get(request_id)
        return request if request and request.expires_at > now else None

    def mark_failing(self, request_id: str, since: int | None) -> None:
        if request := self._kept.get(request_id):
            first = None if since is None else request.failing_since or since
            self._kept[request_id] = replace(request, failing_since=first)

    def delete(self, request_id: str) -> None:
        self._kept.pop(request_id, None)

    def expect_answer(self, handle_hash: str, request: AccessRequest, *, until: int) -> None:
        self._answers[handle_hash] = (request.client_id, request.request_id, until)

    def take_answer(self, handle_hash: str, now: int) -> str | None:
        with self._lock:
            if handle_hash not in self._answers or self._answers[handle_hash][2] <= now:
                return None
            return self._answers.pop(handle_hash)[1]

    def mark_asked(self, request_id: str, asked_at: int) -> None:
        self._change(request_id, asked_at=asked_at)

    def settle(self, request_id: str, *, granted: Granted | None = None, refused: str | None = None) -> None:
        self._change(request_id, granted=granted, refused=refused)

    def _change(self, request_id: str, **values: Any) -> None:
        with self._lock:
            request = self._kept.get(request_id)
            if request and not (request.granted or request.refused):
                self._kept[request_id] = replace(request, **values)

    def erase(self, client_id: str) -> int:
        return _erase(self._kept, lambda request: request.client_id == client_id) + _erase(
            self._answers, lambda expected: expected[0] == client_id
        )


class FakeAccessQueue:
    """``waiting`` is what nobody took yet, ``delays`` how long each is kept back; ``postponed`` are receipts, each with
    how often it was received.
    """

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.delays: list[int] = []
        self.postponed: list[tuple[str, int]] = []

    def put(self, request_ids: Sequence[str], *, delay: int = 0) -> None:
        self.waiting += request_ids
        self.delays += [delay] * len(request_ids)

    def postpone(self, receipt: str, *, received: int) -> None:
        self.postponed.append((receipt, received))


class FakeHosts:
    """``at`` says where hosts are; all others are on the public Internet. ``asked`` is what was looked up together."""

    def __init__(self) -> None:
        self.at: dict[str, Sequence[str]] = {}
        self.asked: list[list[str]] = []

    def addresses(self, hosts: Collection[str], *, within: float) -> dict[str, Sequence[str]]:
        self.asked.append(list(hosts))
        found = {host: self.at.get(host, ("8.8.8.8",)) for host in hosts}
        return {host: addresses for host, addresses in found.items() if addresses}


@dataclass(frozen=True)
class Callback:
    """``url`` as it can be told from where it went."""

    url: str
    address: str
    body: bytes
    signature: str

    def json(self) -> Any:
        return json.loads(self.body)


class FakeCallbackSender:
    """Keeps what it takes in ``sent``; raises the errors of ``troubles`` first, one for each callback."""

    def __init__(self) -> None:
        self.sent: list[Callback] = []
        self.troubles: list[Exception] = []

    def post(self, destination: Destination, address: str, body: bytes, *, signature: str) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        url = f"{destination.scheme}://{destination.authority}{destination.target}"
        self.sent.append(Callback(url, address, body, signature))


class FakeChannels:
    """Of these accounts."""

    def __init__(self, accounts: FakeAccounts) -> None:
        self._lock = RLock()
        self._accounts = accounts
        self._channels: dict[tuple[str, str], Channel] = {}

    def create(self, channel: Channel) -> bool:
        with self._lock:
            if self._accounts.find(channel.sub) is None:
                raise NotFound(channel.sub)
            if len(self.of(channel.sub)) >= MOST_CHANNELS:
                return False
            self._channels[channel.sub, channel.channel_id] = channel
            return True

    def of(self, sub: str) -> list[Channel]:
        return [channel for (owner, _), channel in sorted(self._channels.items()) if owner == sub]

    def find(self, sub: str, channel_id: str) -> Channel | None:
        return self._channels.get((sub, channel_id))

    def close(self, sub: str, channel_id: str) -> bool:
        return self._channels.pop((sub, channel_id), None) is not None

    def note(self, channel: Channel, *, over: int) -> bool:
        return self._change(channel, over, pending=channel.pending, version=channel.version)

    def told(self, channel: Channel) -> None:
        told = self._change(channel, channel.version, pending={}, failing_since=None)
        if not told and (stored := self.find(channel.sub, channel.channel_id)):
            self._change(channel, stored.version, failing_since=None)

    def failing(self, channel: Channel, *, now: int) -> int:
        if channel.failing_since is None and (stored := self.find(channel.sub, channel.channel_id)):
            self._change(channel, stored.version, failing_since=now)
        return now if channel.failing_since is None else channel.failing_since

    def _change(self, channel: Channel, over: int, **changes: Any) -> bool:
        key = (channel.sub, channel.channel_id)
        with self._lock:
            stored = self._channels.get(key)
            if stored is None or stored.version != over:
                return False
            self._channels[key] = replace(stored, **changes)
            return True


class FakeUpstreamHandles:
    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, str]] = {}

    def save(self, handle_hash: str, *, client_id: str, sub: str, profile_id: str) -> None:
        assert client_id
        self.kept[handle_hash] = (sub, profile_id)

    def find(self, handle_hash: str) -> tuple[str, str] | None:
        return self.kept.get(handle_hash)

    def forget(self, handle_hash: str) -> None:
        self.kept.pop(handle_hash, None)


class FakeUpstreamQueue:
    """``waiting`` is what nobody took yet."""

    def __init__(self) -> None:
        self.waiting: list[UpstreamDue] = []

    def put(self, due: Sequence[UpstreamDue]) -> None:
        self.waiting += due

    def postpone(self, receipt: str, *, received: int) -> None:
        raise AssertionError("nothing has to wait")


class FakeEvents:
    def __init__(self, *events: ManagedEvent) -> None:
        self._lock = RLock()
        self._events: dict[tuple[str, str], ManagedEvent] = {}
        for event in events:
            assert self.save(event, over=None)

    def find(self, sub: str, event_id: str) -> ManagedEvent | None:
        return self._events.get((sub, event_id))

    def find_by_organizer(self, organizer: str) -> ManagedEvent | None:
        return next((event for event in self._every() if event.organizer == organizer.lower()), None)

    def save(self, event: ManagedEvent, *, over: int | None) -> bool:
        with self._lock:
            stored = self.find(event.sub, event.event_id)
            if (stored and stored.version) != over:
                return False
            self._events[event.sub, event.event_id] = event._replace(version=1 if over is None else over + 1)
            return True

    def overlapping(self, sub: str, window: Period) -> Sequence[ManagedEvent]:
        spans = [(span(event.details), event) for event in self.all_of(sub)]
        found = [event for (start, end), event in spans if start < window.end and window.start < end]
        return sorted(found, key=lambda event: event.details.when.start)

    def all_of(self, sub: str) -> Iterator[ManagedEvent]:
        return iter([event for event in self._every() if event.sub == sub])

    def erase(self, client_id: str) -> int:
        return _erase(self._events, lambda event: event.client_id == client_id)

    def _every(self) -> list[ManagedEvent]:
        with self._lock:
            return list(self._events.values())


class FakeManagedAvailability:
    def __init__(self) -> None:
        self._lock = RLock()
        self._stored: dict[str, ManagedAvailability] = {}
        self._applications: dict[str, str] = {}

    def put(self, sub: str, managed: ManagedAvailability) -> None:
        """Not of the port: all that an account has, at once."""
        self._stored[sub] = managed

    def find(self, sub: str) -> ManagedAvailability:
        return self._stored.get(sub, ManagedAvailability())

    def find_many(self, subs: Collection[str]) -> dict[str, ManagedAvailability]:
        return {sub: self.find(sub) for sub in subs}

    def save_rule(self, sub: str, rule: AvailabilityRule, *, client_id: str) -> bool:
        with self._lock:
            others = [each for each in self.find(sub).rules if each.rule_id != rule.rule_id]
            rules = sorted([*others, rule], key=lambda each: each.rule_id)
            return len(others) < MOST_RULES and self._write(sub, client_id, rules=tuple(rules))

    def delete_rule(self, sub: str, rule_id: str) -> None:
        with self._lock:
            self._write(sub, rules=tuple(each for each in self.find(sub).rules if each.rule_id != rule_id))

    def save_period(self, sub: str, period: AvailablePeriod, *, client_id: str) -> bool:
        with self._lock:
            others = [each for each in self.find(sub).periods if each.period_id != period.period_id]
            periods = tuple(sorted([*others, period]))
            return len(others) < MOST_AVAILABLE_PERIODS and self._write(sub, client_id, periods=periods)

    def delete_period(self, sub: str, period_id: str) -> None:
        with self._lock:
            self._write(sub, periods=tuple(each for each in self.find(sub).periods if each.period_id != period_id))

    def delete_periods(self, sub: str) -> None:
        with self._lock:
            self._write(sub, periods=())

    def forget_periods(self, sub: str, *, ended_before: int) -> None:
        with self._lock:
            over = [each for each in self.find(sub).periods if each.end < ended_before][:FORGOTTEN_AT_ONCE]
            self._write(sub, periods=tuple(each for each in self.find(sub).periods if each not in over))

    def erase(self, client_id: str) -> int:
        gone = {sub for sub, owner in self._applications.items() if owner == client_id}
        return sum(self._stored.pop(sub, None) is not None for sub in gone)

    def _write(self, sub: str, client_id: str | None = None, **changed: Any) -> bool:
        self._stored[sub] = self.find(sub)._replace(**changed)
        if client_id:
            self._applications[sub] = client_id
        return True


class FakeInvitationLog:
    def __init__(self) -> None:
        self._lock = RLock()
        self._marks: dict[tuple[str, str, str], SentMark] = {}

    def sent(self, event: ManagedEvent, recipient: str) -> SentMark | None:
        return self._marks.get((event.sub, event.uid, recipient))

    def mark(self, event: ManagedEvent, recipient: str, sent: SentMark) -> None:
        with self._lock:
            known = self.sent(event, recipient)
            if known is None or known.revision <= sent.revision:
                self._marks[event.sub, event.uid, recipient] = sent


class FakeInvitationQueue:
    """``waiting`` is what nobody took yet; what is put twice is queued once, as within FIFO's five minutes."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._seen: set[InvitationDue] = set()
        self.waiting: list[InvitationDue] = []

    def put(self, due: Sequence[InvitationDue]) -> None:
        with self._lock:
            for each in due:
                if each not in self._seen:
                    self._seen.add(each)
                    self.waiting.append(each)

    def take(self) -> list[InvitationDue]:
        """Everything that waits, in the order of its arrival."""
        with self._lock:
            taken, self.waiting = self.waiting, []
            return taken

    def postpone(self, receipt: str, *, received: int) -> None:
        """Nothing here was ever handed out by a receipt."""
        raise AssertionError(f"{receipt} was received {received} times elsewhere")


@dataclass(frozen=True)
class Mail:
    sender: str
    recipient: str
    tags: dict[str, str]
    message: bytes


class FakeMailer:
    """Keeps what it takes in ``sent``; raises the errors of ``troubles`` first, one for each message."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.troubles: list[Exception] = []

    def send(self, message: bytes, *, sender: str, recipient: str, tags: Mapping[str, str]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.sent.append(Mail(sender, recipient, dict(tags), message))


class FakeApplications:
    """Reads and registers; client secrets are listed in ``tokens``, as the real store does."""

    def __init__(
        self,
        *applications: Application,
        tokens: FakeTokens | None = None,
        accounts: FakeAccounts | None = None,
        pages: FakePages | None = None,
        setups: FakeSetups | None = None,
        access_requests: FakeAccessRequests | None = None,
        permits: FakePermits | None = None,
        answers: FakeAnswers | None = None,
    ) -> None:
        self._lock = RLock()
        self._applications: dict[str, Application] = {}
        self._appearances: dict[str, Appearance] = {}
        self._tokens = tokens or FakeTokens()
        self._accounts = accounts or FakeAccounts()
        self._pages = pages or FakePages()
        self._setups = setups or FakeSetups()
        self._access_requests = access_requests or FakeAccessRequests()
        self._permits = permits or FakePermits()
        self._answers = answers or FakeAnswers()
        for application in applications:
            self.create(application)

    def find(self, client_id: str) -> Application | None:
        return self._applications.get(client_id)

    def appearance(self, client_id: str) -> Appearance:
        return self._appearances.get(client_id, Appearance())

    def show_as(self, client_id: str, appearance: Appearance) -> None:
        self._appearances[client_id] = appearance

    def with_origin(self, origin: str) -> frozenset[str]:
        return frozenset(each.client_id for each in self._applications.values() if origin in each.origins)

    def names(self) -> dict[str, str]:
        return {client_id: application.name for client_id, application in self._applications.items()}

    def accounts_of(self, client_id: str) -> list[str]:
        return self._accounts.of_application(client_id)

    def service_accounts_of(self, client_id: str) -> list[str]:
        return self._accounts.service_accounts.of_application(client_id)

    def count(self, client_id: str) -> dict[str, int]:
        """Of what is its own; accounts are counted as one kind."""
        accounts = len([*self.accounts_of(client_id), *self.service_accounts_of(client_id)])
        counted = {"account": accounts, "app": int(client_id in self._applications)}
        return {kind: number for kind, number in counted.items() if number}

    def create(self, application: Application) -> None:
        with self._lock:
            self._applications[application.client_id] = application
            self._list_secrets(application)

    def change(self, before: Application, after: Application) -> bool:
        with self._lock:
            if self._applications.get(before.client_id) != before:
                return False
            for secret in before.secrets:
                self._tokens.delete(secret.secret_hash)
            self._applications[after.client_id] = after
            self._list_secrets(after)
            return True

    def erase(self, client_id: str) -> int:
        with self._lock:
            application = self._applications.pop(client_id, None)
            erased = (application is not None) + (self._appearances.pop(client_id, None) is not None)
            stores = (
                *(self._tokens, self._accounts, self._pages, self._setups),
                *(self._access_requests, self._permits, self._answers),
            )
            return erased + sum(store.erase(client_id) for store in stores)

    def _list_secrets(self, application: Application) -> None:
        for secret in application.secrets:
            self._tokens.save(secret.secret_hash, TokenRecord(TokenKind.CLIENT_SECRET, application.client_id))


class FakeDataKeys:
    """Every application has a first key. What is sealed is readable, but opens only where it should."""

    def __init__(self) -> None:
        self._keys: dict[str, list[DataKey]] = {}

    def keys(self, client_id: str) -> list[DataKey]:
        return list(self._keys.get(client_id, [DataKey(1, None)]))

    def add_key(self, client_id: str, *, after: int) -> None:
        keys = self.keys(client_id)
        if keys[-1].key_id == after:
            self._keys[client_id] = [*keys, DataKey(after + 1, NOW)]

    def forget_keys(self, client_id: str, key_ids: Iterable[int]) -> None:
        self._keys[client_id] = [key for key in self.keys(client_id) if key.key_id not in key_ids]

    def key_of(self, sealed: bytes) -> int:
        key_id: int = json.loads(sealed)[0]
        return key_id

    def _sealed(self, client_id: str, name: str, content: Any) -> bytes:
        return json.dumps([self.keys(client_id)[-1].key_id, client_id, name, content]).encode()

    def _opened(self, sealed: bytes, client_id: str, name: str) -> Any:
        key_id, *sealed_for, content = json.loads(sealed)
        if sealed_for != [client_id, name] or key_id not in {key.key_id for key in self.keys(client_id)}:
            raise ValueError("sealed for something else, or under a key that is gone")
        return content


class FakeVault(FakeDataKeys):
    def seal(self, credential: ProviderCredential, *, client_id: str, profile_id: str) -> bytes:
        return self._sealed(client_id, profile_id, asdict(credential))

    def unseal(self, sealed: bytes, *, client_id: str, profile_id: str) -> ProviderCredential:
        return ProviderCredential(**self._opened(sealed, client_id, profile_id))

    def derive(self, client_id: str, value: str, *, key_id: int | None = None) -> tuple[bytes, int]:
        key_id = key_id or self.keys(client_id)[-1].key_id
        return hmac.digest(f"{client_id} {key_id}".encode(), value.encode(), "sha256"), key_id


class FakeSecretVault(FakeDataKeys):
    def seal(self, secret: str, *, client_id: str) -> bytes:
        return self._sealed(client_id, hashed(secret), secret)

    def unseal(self, sealed: bytes, *, client_id: str, secret_hash: str) -> str:
        return str(self._opened(sealed, client_id, secret_hash))


class FakeProvider:
    """A consent screen as strict as the real ones about what holds a trip together.

    People come to it by ``agree``. ``trouble`` is raised by whatever is asked next, and from then on.
    """

    def __init__(self, name: ProviderName, *, issuer: str | None = None) -> None:
        self.name = name
        self.issuer = issuer
        self.trouble: ProviderError | None = None
        self.exchanged = 0
        self._codes: dict[str, tuple[Identity, dict[str, str]]] = {}

    def authorization_url(self, **asked: str) -> str:
        self._fail_if_told()
        return f"https://{self.name}.test/consent?{urlencode(asked)}"

    def agree(self, location: str, identity: Identity) -> dict[str, str]:
        """What the person's browser brings to the callback after they agreed at ``location``."""
        asked = dict(parse_qsl(location.partition("?")[2]))
        code = f"{self.name} code {len(self._codes)}"
        self._codes[code] = (identity, asked)
        return {"code": code, "state": asked["state"], **({"iss": self.issuer} if self.issuer else {})}

    def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Identity, ProviderCredential]:
        self._fail_if_told()
        if code not in self._codes:
            raise CredentialRevoked("the code is unknown or used")
        identity, asked = self._codes.pop(code)
        if (redirect_uri, challenge_of(code_verifier)) != (asked["redirect_uri"], asked["code_challenge"]):
            raise CredentialRevoked("the code was issued for another trip")
        if nonce != asked["nonce"]:
            raise IdentityRejected("nonce")
        self.exchanged += 1
        return identity, ProviderCredential(f"access {self.exchanged}", f"refresh {self.exchanged}", NOW + 3600)

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        self._fail_if_told()
        return credential

    def free_busy(self, *_: object, **__: object) -> list[FreeBusyPeriod]:
        self._fail_if_told()
        return []

    def _fail_if_told(self) -> None:
        if self.trouble:
            raise self.trouble


def _organization(service_account: ServiceAccount) -> tuple[str, str, str]:
    organization = service_account.organization
    where = organization.upstream if organization.at_cronofy else organization.provider
    return service_account.client_id, where, organization.key


def _identity_key(client_id: str, profile: Profile) -> _IdentityKey | None:
    identity = profile.identity
    return (client_id, *identity.key) if identity else None


def _erase(kept: dict[str, _Kept], belongs: Callable[[_Kept], bool]) -> int:
    erased = [key for key, value in kept.items() if belongs(value)]
    for key in erased:
        del kept[key]
    return len(erased)


class FakeSecretsManager:
    """``value`` is the secret string, or the error that reading it raises."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.reads: list[str] = []
        self.created = datetime.now(UTC)

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        self.reads.append(SecretId)
        if isinstance(self.value, Exception):
            raise self.value
        held = {"SecretString": self.value} if isinstance(self.value, str) else {"SecretBinary": self.value}
        return {**held, "CreatedDate": self.created}
