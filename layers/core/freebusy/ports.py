"""What the services need from outside, as Protocols. Each says which errors may come out; nothing else does.

Hashes are those of ``domain.identifiers.hashed``; times are epoch seconds; ``now`` is passed in, so that
tests own the clock. Nothing here scans: every lookup is by key. Every method of a store or of a vault may
raise StorageUnavailable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from freebusy.domain.access_request import AccessRequest, Granted
    from freebusy.domain.account import Account, Disconnected, Grant, Identity, Profile, ProviderName
    from freebusy.domain.application import Appearance, Application
    from freebusy.domain.authorization import AuthorizationCode, AuthorizationRequest
    from freebusy.domain.callback import Destination
    from freebusy.domain.channel import Channel, ChannelDue
    from freebusy.domain.credential import ProviderCredential
    from freebusy.domain.data_key import DataKey
    from freebusy.domain.errors import CalendarUnreadable
    from freebusy.domain.event import Attendee, ManagedEvent, UpstreamAnswers
    from freebusy.domain.free_busy import FreeBusyPeriod, Period
    from freebusy.domain.idempotency import Answered, FirstRequest, KeyedRequest
    from freebusy.domain.invitation import InvitationDue, SentMark
    from freebusy.domain.managed_availability import AvailabilityRule, AvailablePeriod, ManagedAvailability
    from freebusy.domain.organization_setup import OrganizationTrip, Setup
    from freebusy.domain.person import Person, PersonSession, PersonTrip
    from freebusy.domain.reply import Letter
    from freebusy.domain.restoring import Restored, Wanted
    from freebusy.domain.service_account import (
        Administrator,
        Delegation,
        Leaving,
        Mailboxes,
        Organization,
        Resource,
        ServiceAccount,
    )
    from freebusy.domain.token import TokenRecord
    from freebusy.domain.upstream_due import UpstreamDue


class Clock(Protocol):
    def __call__(self) -> int:
        """The current time in whole epoch seconds."""


class ApplicationStore(Protocol):
    """Reading applications on a request path."""

    def find(self, client_id: str) -> Application | None: ...

    def with_origin(self, origin: str) -> frozenset[str]:
        """The client ids of the applications that list this browser origin."""

    def appearance(self, client_id: str) -> Appearance:
        """What people are shown of it beside its name; nothing unless that was said."""


class ApplicationRegistry(ApplicationStore, Protocol):
    """Registering, changing and erasing applications: the command line's business."""

    def names(self) -> dict[str, str]:
        """Every registered application, client id to name, also those whose erasure was interrupted."""

    def create(self, application: Application) -> None:
        """Stores the application with its secrets and origins, atomically."""

    def accounts_of(self, client_id: str) -> list[str]:
        """The subs of its accounts; one that was made in this moment may be missing."""

    def service_accounts_of(self, client_id: str) -> list[str]:
        """As ``accounts_of``, of its service accounts."""

    def change(self, before: Application, after: Application) -> bool:
        """Replaces ``before``, secrets and origins included, atomically; False when somebody changed it meanwhile."""

    def show_as(self, client_id: str, appearance: Appearance) -> None:
        """What people are shown from now on, of an application that exists."""

    def lock_out(self, client_id: str) -> int:
        """Nobody can authenticate as the application any more, and no new authorization can start; how many items of
        it that removed.
        """

    def count(self, client_id: str) -> Mapping[str, int]:
        """How much of each kind (``app``, ``account``, ``token``, ...) it has, as far as the index has caught up."""

    def erase(self, client_id: str) -> int:
        """Removes the application and everything that belongs to it; returns how many items that were.

        Its credentials stop working first, its place among ``names`` goes last, so that an erasure that was
        interrupted can be seen and is completed by calling again.
        """


class PermitStore(Protocol):
    """How many requests applications have been permitted, window by window."""

    def take(self, client_id: str, window: int, *, wanted: int, limit: int, expires_at: int) -> int | None:
        """Counts ``wanted`` permits of this window as taken, and returns how many are then; None when ``limit`` were.

        Of the last ones that are taken, some may lie beyond the limit: those are not to be used.
        """


class AccountStore(Protocol):
    """Accounts with their profiles and grants, one item each. All reads are strongly consistent."""

    def find(self, sub: str) -> Account | None: ...

    def find_many(self, subs: Collection[str]) -> dict[str, Account]:
        """As few reads as possible (100 keys a call); subs that do not exist are left out."""

    def holder(self, sub: str) -> Account | ServiceAccount | None:
        """Whoever holds the grants that tokens live by."""

    def sub_of(self, client_id: str, identity: Identity) -> str | None:
        """The account of this application to which the identity is connected."""

    def create(self, account: Account) -> bool:
        """Stores the account and takes its identities, atomically; False when one of them is taken already."""

    def add_profile(self, sub: str, profile: Profile) -> bool:
        """Adds a free/busy profile and takes its identity, atomically; False when the identity is taken.

        Raises NotFound when the account is gone.
        """

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
        """A new consent: replaces credential and label, raises the version, and the profile is connected again.

        The profile's name becomes the identity's e-mail address. It is that of ``service_account``, or else of nobody's
        organization any more. Raises NotFound when the profile is gone or is not of this person (``subject``).
        """

    def delegate(self, sub: str, profile_id: str, *, identity: Identity, service_account: str, version: int) -> bool:
        """The profile is connected again through its organization; its name becomes the identity's address.

        Written only while the version is still ``version``: what was disconnected in this very moment stays so.
        """

    def mark_moving(self, sub: str, profile_id: str, *, moving: bool) -> bool:
        """Whether the person's next consent takes the profile off Cronofy; False when it is gone."""

    def note_withdrawn(self, sub: str, profile_id: str, *, withdrawn: bool) -> None:
        """How the profile's organization was found; of a profile that is gone, nothing. The write is what is told."""

    def move(self, account: Account, before: Profile, after: Profile, moved: Profile) -> bool:
        """Off Cronofy: ``after`` takes the place of ``before``, under the same id, and ``moved`` keeps what it was.

        Takes the new identity, all in one; False when that is taken, or the version is not that of ``before`` any more.
        """

    def of_person(self, identity: Identity) -> list[str]:
        """The accounts of all applications that were ever connected to this person: found by key, in one partition.

        Of somebody known by way of Cronofy, whichever kind of calendar it was.
        """

    def renew(self, sub: str, profile_id: str, *, sealed: bytes, expires_at: int, version: int) -> bool:
        """A refreshed credential: written only while the version is still ``version``; ends the refresh lease."""

    def lease_refresh(self, sub: str, profile_id: str, *, version: int, now: int, seconds: int) -> bool:
        """True for the one caller that may refresh this credential now; False while another one holds the lease."""

    def disconnect(self, sub: str, profile_id: str, *, because: Disconnected, version: int | None = None) -> bool:
        """Forgets the credential and marks the profile; with ``version`` only while it is still that version.

        False when it is not, or the profile is gone.
        """

    def mailboxes_of(self, giver: ServiceAccount, *, after: str, most: int) -> Mailboxes:
        """Accounts that a profile of one of its mailboxes is on, as far as the index tells: of so many mailboxes at
        most, those that follow where another page ended; of all from the first one when ``after`` is empty.
        """

    def remove_profile(self, account: Account, profile: Profile) -> bool:
        """Takes the profile off the account and gives its identity up, both or neither; False where it is gone, or was
        written since it was read.
        """

    def expect_events(self, sub: str) -> None:
        """From now on ``has_events`` is true; called before the first event is stored. Raises NotFound."""

    def revoke_grants(self, sub: str, grant_ids: Collection[str] | None = None) -> None:
        """Ends these grants, or all, of an account or a service account; their tokens die with them.

        Grants that are gone already are no error.
        """


class ServiceAccountStore(Protocol):
    """Organizations that administrators connected, one item each. All reads are strongly consistent."""

    def find(self, sub: str) -> ServiceAccount | None: ...

    def find_many(self, subs: Collection[str]) -> dict[str, ServiceAccount]:
        """As few reads as possible (100 keys a call); subs that do not exist are left out."""

    def connect(self, wanted: ServiceAccount) -> str:
        """Stores it; where this application has the organization already, connects that one again instead.

        Then administrator, domains and delegated scope become those of ``wanted``, and its credential, which was the
        earlier administrator's, is forgotten. Returns the ``sub`` that it has.
        """

    def sharing(self, organization: Organization) -> list[str]:
        """Service accounts of all applications that were ever connected to this organization by way of Cronofy."""

    def lease_refresh(self, sub: str, *, version: int, now: int, seconds: int) -> bool:
        """True for the one caller that may refresh this credential now; False while another one holds the lease."""

    def renew(self, sub: str, *, sealed: bytes, version: int) -> bool:
        """A fresh credential, with which the connection stands: written only while the version is still ``version``.

        Ends the lease.
        """

    def disconnect(self, sub: str, *, because: Disconnected, now: int, version: int | None = None) -> bool:
        """Forgets the credential and marks it; with ``version`` only while it is still that version.

        False when it is not, or the service account is gone.
        """

    def note_leaving(self, sub: str, leaving: Leaving, *, version: int) -> bool:
        """How far its people have got, only while it is still that ``version``, which it raises by one; forgotten when
        the organization is connected again.
        """


class TokenStore(Protocol):
    """Bearer values, authorization codes and the other short-lived things, all under hashes.

    Reads check expiry themselves, since DynamoDB deletes expired items late; an expired thing is not found.
    """

    def find(self, token_hash: str, now: int) -> TokenRecord | None: ...

    def save(self, token_hash: str, token: TokenRecord) -> None: ...

    def rotate(
        self, refresh_hash: str, *, successor_hash: str, successor: TokenRecord, derived_with: int, now: int
    ) -> bool:
        """Marks the refresh token as rotated and stores its successor, atomically; False if it was rotated before."""

    def save_authorization_request(self, state_hash: str, request: AuthorizationRequest) -> None: ...

    def consume_authorization_request(
        self, state_hash: str, *, browser_hash: str, now: int
    ) -> AuthorizationRequest | None:
        """Single use: one conditional delete, which another browser cannot bring about."""

    def save_code(self, code_hash: str, code: AuthorizationCode) -> None: ...

    def find_code(self, code_hash: str, now: int) -> AuthorizationCode | None: ...

    def redeem_code(
        self,
        code_hash: str,
        *,
        code: AuthorizationCode,
        grant: Grant,
        tokens: Mapping[str, TokenRecord],
        now: int,
    ) -> bool:
        """Deletes the code, lists the grant on its account, stores the tokens (by hash) and leaves a tombstone.

        All or nothing, in one transaction; False when the code is gone (used or expired meanwhile) or its account
        is. An account that has ``MOST_GRANTS`` loses its oldest.
        """

    def bought_with(self, code_hash: str) -> tuple[str, str] | None:
        """The (sub, grant id) that a spent code bought, as long as its tombstone lasts (RFC 6749, 4.1.2)."""

    def save_link_token(self, token_hash: str, *, client_id: str, sub: str, expires_at: int) -> None: ...

    def find_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        """The sub it links to; tokens of other applications are not found."""

    def consume_link_token(self, token_hash: str, *, client_id: str, now: int) -> str | None:
        """Single use: one conditional delete."""


class SetupStore(Protocol):
    """Organizations that are being connected: the trips of their administrators, and the setups that follow.

    As ``TokenStore``, and apart from it: a state of one kind of trip is unknown to the other.
    """

    def save_trip(self, state_hash: str, trip: OrganizationTrip) -> None: ...

    def consume_trip(self, state_hash: str, *, browser_hash: str, now: int) -> OrganizationTrip | None:
        """Single use: one conditional delete, which another browser cannot bring about."""

    def save(self, handle_hash: str, setup: Setup) -> None: ...

    def find(self, handle_hash: str, now: int) -> Setup | None: ...

    def rebind(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        """From now on it is this browser's, and no longer that of the one before; False when it is gone."""

    def consume(self, handle_hash: str, *, browser_hash: str, now: int) -> bool:
        """True for one caller, of the browser that it is bound to: one conditional delete."""

    def forget(self, client_id: str, organization: Organization) -> None:
        """Deletes this application's setups of the organization."""


class PersonSessionStore(Protocol):
    """People who sign in to see their connections: their trips, and the sessions that follow. As ``TokenStore``."""

    def save_trip(self, state_hash: str, trip: PersonTrip) -> None: ...

    def consume_trip(self, state_hash: str, *, browser_hash: str, now: int) -> PersonTrip | None:
        """Single use: one conditional delete, which another browser cannot bring about."""

    def save(self, handle_hash: str, session: PersonSession) -> None: ...

    def find(self, handle_hash: str, now: int) -> PersonSession | None: ...

    def end(self, handle_hash: str) -> None:
        """One that is gone already is no error."""


class AccessRequestStore(Protocol):
    """Requests for access to mailboxes, by their ids, until they are answered or expire."""

    def save(self, requests: Sequence[AccessRequest]) -> None:
        """All of them, at most ``MOST_AT_ONCE``, or none."""

    def find(self, request_id: str, now: int) -> AccessRequest | None: ...

    def mark_failing(self, request_id: str, since: int | None) -> None:
        """Keeps the first moment at which the provider failed; with ``None`` it is forgotten.

        A request that is gone stays so.
        """

    def delete(self, request_id: str) -> None:
        """One that is gone already is no error."""

    def waiting(self, client_id: str, service_account: str) -> Iterator[AccessRequest]:
        """What this application still has to be told about mailboxes of the organization, read as it is asked for."""

    def expect_answer(self, handle_hash: str, request: AccessRequest, *, until: int) -> None:
        """Cronofy is about to be asked, and may answer under this handle."""

    def take_answer(self, handle_hash: str, now: int) -> str | None:
        """The id of the request that is answered under the handle. Single use: one conditional delete."""

    def mark_asked(self, request_id: str, asked_at: int) -> None:
        """0 says that it has to be asked again. One that is settled or gone stays as it is."""

    def settle(self, request_id: str, *, granted: Granted | None = None, refused: str | None = None) -> None:
        """What Cronofy answered. One that is settled or gone stays as it is."""


class Belongings(Protocol):
    """Everything that is stored about one account or service account, whichever store wrote it."""

    def count(self, sub: str) -> dict[str, int]:
        """How much of each kind (``event``, ``token``, ...) there is, as far as the index has caught up."""

    def all_of(self, sub: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Everything, as it is stored: of each the kind, and its attributes."""

    def erase(self, sub: str, *, deadline: float, identities: bool = True) -> dict[str, int]:
        """Removes it, the account itself first, its identities when nothing else is left, and only if they are to be
        removed; how much of each kind was found, that which stays too.

        ``deadline`` is on ``time.monotonic``'s clock, and may leave some of it over. Who read the account before it was
        gone may still write: nothing is left when a call that comes the longest request later erases nothing.
        """


class Snapshot(Protocol):
    """All that is stored, as it was."""

    def taken_at(self) -> int | None:
        """None where the table does not say that it was restored. Raises StorageUnavailable."""

    def copy(self, wanted: Wanted, *, leaving_out: frozenset[str], now: int) -> Restored:
        """Nothing of whoever is among ``leaving_out``, subs and client ids, and nothing that has expired. Raises
        StorageUnavailable.
        """


class PageStore(Protocol):
    """The later pages of an answer, kept for a while so that all pages show the same moment."""

    def save(self, pages: Mapping[str, bytes], *, sub: str, client_id: str, expires_at: int) -> None:
        """Each page under the hash of its token."""

    def find(self, token_hash: str, *, sub: str, now: int) -> bytes | None:
        """None when the page is unknown, expired or somebody else's."""


class AnswerStore(Protocol):
    """What was answered to requests that are carried out once."""

    def begin(self, request: KeyedRequest, *, now: int, expires_at: int) -> bool:
        """True for the one caller that may carry it out; False while somebody else's of this key has not expired."""

    def finish(self, request: KeyedRequest, answered: Answered | None, *, expires_at: int) -> None:
        """Keeps the answer, or, without one, lets go of the key by what ``expires_at`` says; one that is gone is not
        made again.
        """

    def first(self, request: KeyedRequest) -> FirstRequest | None:
        """The request that has this key now, expired or not."""


class Vault(Protocol):
    """Seals provider credentials so that they open only for the application and profile they were sealed for."""

    def seal(self, credential: ProviderCredential, *, client_id: str, profile_id: str) -> bytes: ...

    def unseal(self, sealed: bytes, *, client_id: str, profile_id: str) -> ProviderCredential:
        """Raises ``ValueError`` when the bytes were not sealed for this application and profile."""

    def derive(self, client_id: str, value: str, *, key_id: int | None = None) -> tuple[bytes, int]:
        """32 bytes that only this deployment can derive from ``value`` (HMAC), and the id of the data key it took.

        That is the newest of the application unless ``key_id`` names the one of an earlier time, for the same bytes
        again. Raises ``ValueError`` when that key is gone.
        """


class SecretVault(Protocol):
    """Seals client secrets, for signing what is sent to their application; a hash is enough to recognise one."""

    def seal(self, secret: str, *, client_id: str) -> bytes: ...

    def unseal(self, sealed: bytes, *, client_id: str, secret_hash: str) -> str:
        """Raises ``ValueError`` when the bytes are not this application's secret of this hash."""


class DataKeys(Protocol):
    """The data keys of a vault: the command line's business."""

    def keys(self, client_id: str) -> list[DataKey]:
        """Those of an application, the oldest first; the last one seals."""

    def add_key(self, client_id: str, *, after: int) -> None:
        """From now on a new key seals, for everybody and at once, unless there is one after ``after`` already."""

    def forget_keys(self, client_id: str, key_ids: Iterable[int]) -> None:
        """What is sealed under them never opens again."""

    def key_of(self, sealed: bytes) -> int:
        """The id of the key that it was sealed under. Raises ``ValueError`` when nothing was sealed there."""


class CredentialVault(Vault, DataKeys, Protocol): ...


class ClientSecretVault(SecretVault, DataKeys, Protocol): ...


class SecretVersions(Protocol):
    """One secret of what we are known by at providers, and the one before it: the command line's business."""

    def current(self) -> str:
        """Empty while it was never filled in."""

    def previous(self) -> str:
        """Empty when there was none before."""

    def replace(self, value: str) -> None:
        """In one step: what was current is the previous one from now on."""

    def go_back(self) -> None:
        """The current one and the previous one change places."""

    def since(self) -> tuple[int | None, int | None]:
        """When the current and the previous one were made; None for one that there is not."""


class CalendarProvider(Protocol):
    """One kind of upstream. No method raises anything but the ``ProviderError`` family."""

    @property
    def issuer(self) -> str | None:
        """What an ``iss`` parameter of the callback must equal (RFC 9207); None when it is not known beforehand."""

    def authorization_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, kind: ProviderName | None = None
    ) -> str:
        """Where to send the person for consent; asks for identity and free/busy, and for nothing more.

        ``kind`` is what the application asked for, if it did; it says something only where there are several (Cronofy).
        """

    def exchange_code(
        self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str
    ) -> tuple[Identity, ProviderCredential]:
        """Raises ConsentIncomplete when the calendar permission was unticked or no lasting access was granted,
        IdentityRejected when the id_token does not check out or names somebody who cannot be served (a personal
        Microsoft account), OtherAccessMode, ConsentRefused, CredentialRevoked (code unknown), ProviderMisconfigured,
        ProviderUnavailable.
        """

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        """Raises CredentialRevoked (also when the calendar permission was withdrawn), ProviderMisconfigured or
        ProviderUnavailable.
        """

    def free_busy(
        self, credential: ProviderCredential, mailbox: str, window: Period, *, deadline: float
    ) -> Sequence[FreeBusyPeriod]:
        """What overlaps ``window``: sorted by start, nothing but times and status, in as many calls as it takes.

        A period that crosses the window's edge is given as the provider gave it, whole or cut at the edge.
        ``deadline`` is on ``time.monotonic``'s clock; waits and retries end before it.
        Raises AccessTokenRejected, CalendarUnreadable, ProviderUnavailable or ProviderMisconfigured.
        """


class UpstreamAuthorizations(Protocol):
    """What Cronofy lets us do beyond what every provider does."""

    def revoke(self, credential: ProviderCredential, *, deadline: float) -> None:
        """Ends the whole authorization of this person there. Raises the ``ProviderError`` family."""


class EndUpstream(Protocol):
    def __call__(self, holder: Account | ServiceAccount, profile: Profile | None = None) -> None:
        """Ends what ``profile`` of an account, or a service account, had at Cronofy before it was disconnected here.

        Of Cronofy's trouble it raises nothing.
        """


class UpstreamOrganizations(Protocol):
    """Whole organizations by way of Cronofy, of which each mailbox then has a credential of its own.

    Raises nothing but the ``ProviderError`` family.
    """

    def authorization_url(self, *, redirect_uri: str, state: str, scope: str, kind: ProviderName | None) -> str:
        """Where an administrator connects their organization; ``scope`` is what the service account may do."""

    def connect(self, code: str, *, redirect_uri: str) -> tuple[Administrator, ProviderCredential]:
        """The service account, and whoever connected it.

        Raises ConsentIncomplete, ConsentRefused, CredentialRevoked (code unknown), IdentityRejected,
        ProviderMisconfigured or ProviderUnavailable.
        """

    def refresh(self, credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        """Of the service account. Raises CredentialRevoked, ProviderMisconfigured or ProviderUnavailable."""

    def ask(
        self, credential: ProviderCredential, mailbox: str, *, callback_url: str, state: str, deadline: float
    ) -> None:
        """Asks for access to a mailbox: what comes of it is told to ``callback_url``.

        Raises AccessTokenRejected, MailboxUnknown, DelegationMissing, CalendarUnreadable, ProviderMisconfigured or
        ProviderUnavailable.
        """

    def mailbox(self, code: str, *, redirect_uri: str) -> tuple[Identity, ProviderCredential]:
        """Whose mailbox ``code`` lets us into; ``redirect_uri`` is the callback URL. Raises as ``connect``."""

    def resources(self, credential: ProviderCredential, *, deadline: float) -> Sequence[Resource]:
        """Raises AccessTokenRejected, DelegationMissing, ProviderMisconfigured or ProviderUnavailable."""


class UpstreamEvents(Protocol):
    """Managed events in the calendar that Cronofy keeps for a person, who is mailed from there.

    Raises AccessTokenRejected, CalendarUnreadable (locked, or gone), ProviderMisconfigured or ProviderUnavailable.
    """

    def deliver(self, credential: ProviderCredential, owner: Identity, event: ManagedEvent, *, deadline: float) -> None:
        """Writes the event as it stands; one that was deleted is deleted. Doing so twice changes nothing.

        Also raises EventRefused for what will never be taken.
        """

    def answers(self, credential: ProviderCredential, window: Period, *, deadline: float) -> Sequence[UpstreamAnswers]:
        """What was answered to events that were written from here and that happen within ``window``, as far as told."""


class UpstreamChannels(Protocol):
    """Our own notification channels at Cronofy. Raises as ``UpstreamEvents``."""

    def settle(self, credential: ProviderCredential, callback_url: str, *, wanted: bool, deadline: float) -> None:
        """Sees to it that of this person just one channel leads to the address, or none. Doing so twice is no error."""


class PersonSignIn(Protocol):
    """A person's browser at one kind of upstream. Raises nothing but the ``ProviderError`` family."""

    @property
    def issuer(self) -> str | None:
        """As ``CalendarProvider.issuer``."""

    def sign_in_url(self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str) -> str:
        """Where to send the person to prove who they are; asks for identity and for nothing more."""

    def sign_in(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Person:
        """Raises IdentityRejected, ConsentRefused, CredentialRevoked (code unknown), ProviderMisconfigured or
        ProviderUnavailable.
        """


class OrganizationSignIn(Protocol):
    """An administrator's browser at one kind of upstream. Raises nothing but the ``ProviderError`` family."""

    @property
    def issuer(self) -> str | None:
        """As ``CalendarProvider.issuer``."""

    def consent_url(self, *, redirect_uri: str, state: str) -> str | None:
        """Where an administrator agrees for the whole organization; None where there is no such screen (Google).

        What comes back from there proves nothing: it can be forged.
        """

    def sign_in_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, login_hint: str | None = None
    ) -> str:
        """Where to send the administrator to prove who they are; asks for identity and for nothing more."""

    def sign_in(self, code: str, *, redirect_uri: str, code_verifier: str, nonce: str) -> Administrator:
        """Raises IdentityRejected for somebody who is of no organization, and NotAnAdministrator where the provider
        says who is one (Microsoft); ConsentRefused, CredentialRevoked (code unknown), ProviderMisconfigured,
        ProviderUnavailable.
        """


class OrganizationCalendars(Protocol):
    """The calendars of whole organizations at one kind of upstream, with the access that administrators gave.

    Raises nothing but the ``ProviderError`` family.
    """

    most_together: int
    """How many mailboxes one call may name."""

    def delegation(self) -> Delegation:
        """What an administrator lets us in with.

        Raises ProviderMisconfigured or ProviderUnavailable.
        """

    def credential(self, organization: Organization, speaker: str, *, deadline: float) -> ProviderCredential:
        """A token that reads the organization's mailboxes as ``speaker``, one of them, sees them.

        Raises DelegationMissing, MailboxUnknown (the speaker), ProviderMisconfigured or ProviderUnavailable.
        """

    def free_busy(
        self, credential: ProviderCredential, mailboxes: Sequence[str], window: Period, *, deadline: float
    ) -> Mapping[str, Sequence[FreeBusyPeriod] | CalendarUnreadable]:
        """What overlaps ``window``, of up to ``most_together`` mailboxes together, by mailbox as it was given.

        As ``CalendarProvider.free_busy`` otherwise. A mailbox that this credential does not see is CalendarUnreadable.
        Raises AccessTokenRejected, DelegationMissing, ProviderMisconfigured or ProviderUnavailable. A credential knows
        what was allowed when it was issued: DelegationMissing is certain only of a new one.
        """

    def own_free_busy(
        self, organization: Organization, mailbox: str, window: Period, *, deadline: float
    ) -> Sequence[FreeBusyPeriod]:
        """What overlaps ``window``, as the mailbox's own person sees it: also where colleagues may not look.

        Raises DelegationMissing, MailboxUnknown, MailboxWithoutCalendar, CalendarUnreadable, ProviderMisconfigured or
        ProviderUnavailable.
        """

    def resources(self, organization: Organization, speaker: str, *, deadline: float) -> Sequence[Resource]:
        """The organization's rooms and other things to book.

        Raises DelegationMissing where the administrator did not allow that beside free/busy, and as ``credential``.
        """


class DomainRecords(Protocol):
    """What the owner of a domain says about it in public."""

    def texts(self, name: str, *, deadline: float) -> tuple[str, ...]:
        """The TXT records of this name, in no order; none where there is no such name. Raises ProviderUnavailable."""


class HostResolver(Protocol):
    def addresses(self, hosts: Collection[str], *, within: float) -> Mapping[str, Sequence[str]]:
        """Every IP address of each of these names, looked up side by side within so many seconds.

        A host that has none, or of which nothing is known by then, is left out. Raises nothing.
        """


class CallbackSender(Protocol):
    def post(self, destination: Destination, address: str, body: bytes, *, signature: str) -> None:
        """Sends JSON to this address and to no other, in the name of the destination's host, which TLS verifies.

        Done when the answer is a 2xx; of it, nothing else is read. Raises CallbackGone for a 410, and CallbackFailed
        for everything else.
        """


class EventStore(Protocol):
    """Managed events by account. Reads are strongly consistent, so an event counts from the moment it was stored."""

    def find(self, sub: str, event_id: str) -> ManagedEvent | None:
        """Deleted events are found for a while (``deleted``), so that they can be listed as such."""

    def find_by_organizer(self, organizer: str) -> ManagedEvent | None:
        """By the opaque local part of its mail address (RFC 5321 local parts are compared in lower case)."""

    def save(self, event: ManagedEvent, *, over: int | None) -> bool:
        """Stores the event as version ``over + 1``; False when the stored one is not ``over`` (``None``: none).

        The write is what the table's stream delivers, so an event that was stored is mailed. A deleted event is
        kept for ``DELETED_KEPT`` seconds from its ``updated_at``.
        """

    def overlapping(self, sub: str, window: Period) -> Sequence[ManagedEvent]:
        """Events whose span overlaps ``window``: in one indexed query, by start, deleted ones included.

        The span (``domain.event_span``) of an event with rules is that of its whole series, and that of an all-day
        event reaches as far as its dates do in any zone.
        """

    def all_of(self, sub: str) -> Iterator[ManagedEvent]:
        """Every event of the account, deleted ones included, in no order."""


class ManagedAvailabilityStore(Protocol):
    """Rules and available periods, one item for each account that has any. All reads are strongly consistent."""

    def find(self, sub: str) -> ManagedAvailability:
        """What is not stored is empty."""

    def find_many(self, subs: Collection[str]) -> dict[str, ManagedAvailability]:
        """Every one of ``subs``, in as few reads as possible (100 keys a call)."""

    def save_rule(self, sub: str, rule: AvailabilityRule, *, client_id: str) -> bool:
        """Stores the rule, in place of one of its id; False when it would be one more than ``MOST_RULES``."""

    def delete_rule(self, sub: str, rule_id: str) -> None:
        """One that is not there is no error."""

    def save_period(self, sub: str, period: AvailablePeriod, *, client_id: str) -> bool:
        """Stores the period, in place of one of its id; False when it would be one more than MOST_AVAILABLE_PERIODS."""

    def delete_period(self, sub: str, period_id: str) -> None:
        """One that is not there is no error."""

    def delete_periods(self, sub: str) -> None:
        """All of them; rules stay."""

    def forget_periods(self, sub: str, *, ended_before: int) -> None:
        """Deletes the earliest of those that ended before, up to FORGOTTEN_AT_ONCE; not when they change meanwhile."""


class InvitationLog(Protocol):
    """What each attendee was sent, so that a retry after a crash does not send it again.

    ``recipient`` is that of ``InvitationDue``: a hash, as addresses have no place in keys.
    """

    def sent(self, event: ManagedEvent, recipient: str) -> SentMark | None: ...

    def mark(self, event: ManagedEvent, recipient: str, sent: SentMark) -> None:
        """Keeps the higher revision of what is stored and ``sent``; of equal ones, ``sent``."""


class AuditLog(Protocol):
    """Records of ``entrypoints.audit``, each with the ``time`` at which it was written (RFC 3339)."""

    def about(self, sub: str, *, since: int, until: int) -> Sequence[Mapping[str, Any]]:
        """What concerned this account, in the order of time. Raises AuditUnavailable."""

    def erasures(self, *, since: int, until: int) -> Sequence[Mapping[str, Any]]:
        """The records of ``domain.erasure``, each with its ``accounts`` as a list, likewise."""

    def add(self, line: str) -> None:
        """A record that no function writes. Raises AuditUnavailable."""


class ChannelStore(Protocol):
    """The channels of accounts, an item each. All reads are strongly consistent."""

    def create(self, channel: Channel) -> bool:
        """Stores it; False when its account has ``MOST_CHANNELS`` already.

        The account counts its channels, so that what happens to one without any need not be looked at. Raises NotFound
        when the account is gone.
        """

    def of(self, sub: str) -> Sequence[Channel]:
        """All of this account, by id."""

    def find(self, sub: str, channel_id: str) -> Channel | None: ...

    def close(self, sub: str, channel_id: str) -> bool:
        """False when there is no such channel (any more)."""

    def note(self, channel: Channel, *, over: int) -> bool:
        """Stores what is pending, and the version; False when the stored version is not ``over``.

        The write is what the table's stream queues, so what was noted is told.
        """

    def told(self, channel: Channel) -> None:
        """Its server does not fail any more; nor is anything pending, unless something was noted since ``channel`` was
        read.
        """

    def failing(self, channel: Channel, *, now: int) -> int:
        """Since when its server has been failing: ``now``, unless it was before. Of a closed one, ``now`` as well."""


class UpstreamHandles(Protocol):
    """For whom our channels at Cronofy are, by the hash of the handle in their callback URL."""

    def save(self, handle_hash: str, *, client_id: str, sub: str, profile_id: str) -> None: ...

    def find(self, handle_hash: str) -> tuple[str, str] | None:
        """Account and profile."""

    def forget(self, handle_hash: str) -> None:
        """One that is not there is no error."""


class RetriedQueue(Protocol):
    """Raises StorageUnavailable, and nothing else."""

    def postpone(self, receipt: str, *, received: int) -> None:
        """Lets a message that failed wait, the longer the more often it was ``received``.

        ``receipt`` is that of its last delivery. A message that is gone meanwhile is no error.
        """


class InvitationQueue(RetriedQueue, Protocol):
    def put(self, due: Sequence[InvitationDue]) -> None:
        """Queues each, in order per event and attendee; the same one twice within minutes is one.

        When it raises, some may be queued: put all of them again.
        """


class ChannelQueue(RetriedQueue, Protocol):
    def put(self, due: Sequence[ChannelDue]) -> None:
        """Queues each, in order per channel; the same one twice within minutes is one.

        When it raises, some may be queued: put all of them again.
        """


class UpstreamQueue(RetriedQueue, Protocol):
    def put(self, due: Sequence[UpstreamDue]) -> None:
        """Queues each, in order per account. When it raises, some may be queued: put all of them again."""


class AccessRequestQueue(RetriedQueue, Protocol):
    def put(self, request_ids: Sequence[str], *, delay: int = 0) -> None:
        """Queues each, to come after ``delay`` seconds, ``LONGEST_DELAY`` at most.

        When it raises, some may be queued.
        """


class ErasureQueue(RetriedQueue, Protocol):
    def put(self, subs: Sequence[str], *, after: int = 0) -> None:
        """Queues each, to be handed out ``after`` so many seconds. When it raises, some may be queued."""


class DeadLetters(Protocol):
    """Where records go that nobody can read, for the operator to look at."""

    def put(self, record: Mapping[str, Any]) -> None:
        """Keeps what names the record (JSON, no addresses). Raises StorageUnavailable."""


class InvitationWriter(Protocol):
    def __call__(  # noqa: PLR0913 - all of it is on the page
        self, event: ManagedEvent, attendee: Attendee, *, cancel: bool, changed: bool, application_name: str, zone: str
    ) -> bytes:
        """The message for one attendee (RFC 5322, CRLF); the same arguments always give the same bytes.

        ``changed`` says that they were sent an earlier version; ``zone`` is where they read it, an IANA name. Raises
        MailRefused for an address that no mail service takes.
        """


class FreeBusyWriter(Protocol):
    def __call__(
        self,
        account: Account,
        window: Period,
        periods: Iterable[FreeBusyPeriod],
        managed: ManagedAvailability,
        *,
        now: int,
    ) -> bytes:
        """An iCalendar object (RFC 5545, CRLF) that says what is known of the window, and nothing beyond it."""


class Mailer(Protocol):
    def send(self, message: bytes, *, sender: str, recipient: str, tags: Mapping[str, str]) -> None:
        """Hands one message (RFC 5322, CRLF) to the mail service for one recipient.

        ``tags`` come back with what the mail service reports about the message: letters, digits, ``_`` and ``-``.
        Raises MailRefused for what will never be taken, and MailUnavailable for what may be tried again
        (throttling, an outage, a paused account).
        """


class InboundMailbox(Protocol):
    """The raw mail that came in at the deployment's own domain."""

    def read(self, key: str) -> Letter:
        """What the mail says, in bounded time and memory whatever it holds.

        Raises MailIgnored for mail without an answer in it, and StorageUnavailable, also when it is not there (yet).
        """
