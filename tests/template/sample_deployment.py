"""A deployment in which the sample events of events/ make sense: who is registered, connected and about to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import boto3
import pytest

from freebusy.adapters.callbacks import HttpCallbacks
from freebusy.bootstrap import Dependencies, application_registry, dependencies
from freebusy.domain.access_request import AccessRequest
from freebusy.domain.account import MOVED, Account, Disconnected, Grant, Identity, Profile, ProviderName, Upstream
from freebusy.domain.application import Application, ClientSecret
from freebusy.domain.authorization import AuthorizationCode, AuthorizationRequest
from freebusy.domain.callback import is_signed
from freebusy.domain.channel import Channel, News, NotificationType
from freebusy.domain.credential import ProviderCredential
from freebusy.domain.errors import CallbackFailed, CallbackGone
from freebusy.domain.event import ManagedEvent, UpstreamAnswers, When
from freebusy.domain.event_changes import EventUpsert
from freebusy.domain.free_busy import FreeBusyPeriod, FreeBusyStatus, Period
from freebusy.domain.identifiers import hashed
from freebusy.domain.managed_availability import AvailabilityRule, AvailablePeriod, WeeklyPeriod
from freebusy.domain.organization_setup import Leg, OrganizationRequest, OrganizationTrip, ProofRecord, Setup
from freebusy.domain.person import Person, PersonSession, PersonTrip
from freebusy.domain.service_account import (
    MANAGE_ACCOUNTS,
    MANAGE_RESOURCES,
    Administrator,
    Organization,
    Resource,
    ServiceAccount,
)
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.entrypoints.wire.reading import PAGE_SIZE
from freebusy.service.announcing import announce
from freebusy.service.connecting import connect_mailbox
from freebusy.service.events import upsert_event
from freebusy.settings import settings
from tests.fakes.callbacks import FakeCallbackSender, FakeHosts
from tests.invitations import MAIL_DOMAIN, an_event
from tests.organizations import FakeOrganizationCalendars
from tests.people import colleague, email_of, organization
from tests.replies import mail
from tests.tables import create_table

NOW = 1_893_488_400
"""2030-01-01T09:00:00Z, when the sample events were sent."""

CLIENT_ID = "ExampleApplicationClientId123456"
NEW_ID = "ExampleNewApplicationClientId123"
"""An application to which nobody has connected yet, so that it has no data key."""
FRONT_END_ID = "ExampleFrontEndClientId123456789"
REDIRECT_URI = "https://app.example.com/callback"
CLIENT_SECRET = "fbc_cs_example-client-secret"
ACCESS_TOKEN = "fbc_at_example-access-token"
REFRESH_TOKEN = "fbc_rt_example-refresh-token"
COLLEAGUE_ACCESS_TOKEN = "fbc_at_example-colleague-access-token"
FRONT_END_ACCESS_TOKEN = "fbc_at_example-front-end-access-token"
FRONT_END_REFRESH_TOKEN = "fbc_rt_example-front-end-refresh-token"
CODE = "example-authorization-code"
RELINK_CODE = "example-relink-code"
LINK_TOKEN = "fbc_lt_example-link-token"
SUB, OTHER_SUB, FRONT_END_SUB, COLLEAGUE_SUB = (
    "acc_0123456789abcdef01234567",
    "acc_89abcdef0123456701234567",
    "acc_456789abcdef012301234567",
    "acc_cdef0123456789ab01234567",
)
PROFILE_ID = "pro_Ab3dEf9Gh1jKlm"
PAGE_TOKEN = "example-page-token"
SERVICE_ACCOUNT = "ser_0123456789abcdef01234567"
SERVICE_ACCOUNT_TOKEN = "fbc_at_example-service-account-token"
ACCESS_REQUEST = "req_0123456789abcdef0123456789abcdef"
CHANNEL_HANDLE = "example-channel-handle"
CHANNEL = "chn_0123456789abcdef01234567"
MAILBOX, ROOM = "ana@example.com", "c_188abc@resource.calendar.google.com"
STATE = "example-provider-state"
HANDLE = "example-setup-handle"
SESSION_HANDLE = "example-session-handle"
PERSON_STATE = "person.example-provider-state"
ANSWER_HANDLE = "example-answer-handle"
BROWSER_SECRET = "example-browser-secret"
CODE_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
SCOPE = "free_busy_write"

APPLICATION_CODE = AuthorizationCode(CLIENT_ID, SUB, PROFILE_ID, REDIRECT_URI, SCOPE, None, NOW + 300)
FRONT_END_CODE = AuthorizationCode(
    FRONT_END_ID,
    FRONT_END_SUB,
    "pro_FrontEndProf01",
    "https://front.example.com/callback",
    SCOPE,
    CODE_CHALLENGE,
    NOW + 300,
)


MORE_THAN_A_PAGE = [f"booking-{number}" for number in range(PAGE_SIZE + 1)]
WITH_AN_EVENT = {
    "availability",
    "free_busy_all_calendars",
    "events",
    "events_delete",
    "events_delete_all",
    "events_delete_calendars",
    "on_invitation_due",
}
WITH_A_CHANNEL = {
    *("channels_read", "channels_close", "on_channel_due", "on_channel_due_gone", "on_channel_due_unreachable"),
    *("on_event_changed_answered", "on_event_changed_disconnected"),
    *("on_upstream_due_cronofy", "on_upstream_due_change_cronofy"),
}
ADMINISTRATOR = Administrator(
    Identity(ProviderName.GOOGLE, "subject-of-ada", "ada@example.com"),
    Organization(ProviderName.GOOGLE, "example.com", ("example.com",)),
)
TENANT_ADMINISTRATOR = Administrator(
    Identity(ProviderName.MICROSOFT, "tenant.subject-of-max", "max@example.com"),
    Organization(ProviderName.MICROSOFT, "tenant"),
)
UPSTREAM_ADMINISTRATOR = Administrator(
    Identity(ProviderName.GOOGLE, "ser_there", "ada@example.com", upstream=Upstream.CRONOFY),
    Organization(ProviderName.GOOGLE, "ser_there", upstream=Upstream.CRONOFY),
)

ANA = Person(Identity(ProviderName.GOOGLE, f"subject-of-{SUB}", f"{SUB}@example.com"))


class SignIn:
    """Administrators sign in at once."""

    issuer = None

    def __init__(self, name: ProviderName) -> None:
        self._name = name

    def consent_url(self, *, state: str, **_: str) -> str | None:
        consents = self._name is ProviderName.MICROSOFT
        return f"https://{self._name}.example.com/adminconsent?state={state}" if consents else None

    def sign_in_url(self, *, state: str, **_: str) -> str:
        return f"https://{self._name}.example.com/sign-in?state={state}"

    def sign_in(self, _code: str, **_: str) -> Administrator:
        return ADMINISTRATOR if self._name is ProviderName.GOOGLE else TENANT_ADMINISTRATOR


class PersonSignIn(SignIn):
    """So does everybody else."""

    def sign_in(self, _code: str, **_: str) -> Person:
        return ANA


class Dns:
    """Everybody has added the record."""

    def texts(self, _name: str, *, deadline: float) -> tuple[str, ...]:
        assert deadline
        return (ProofRecord.of(NEW_ID, ADMINISTRATOR).value,)


class Provider:
    """Consents at once; everybody is busy half of every hour, which makes several pages a week."""

    issuer = None

    def __init__(self, name: ProviderName) -> None:
        self._name = name

    def authorization_url(self, *, state: str, **_: str) -> str:
        return f"https://{self._name}.example.com/consent?state={state}"

    def exchange_code(self, code: str, **_: str) -> tuple[Identity, ProviderCredential]:
        subject = f"subject-of-{SUB}" if code == RELINK_CODE else "subject-of-somebody-new"
        return Identity(self._name, subject, "somebody@example.com"), credential(NOW + 3600)

    def refresh(self, _credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        assert deadline
        return credential(NOW + 3600)

    def free_busy(
        self, _credential: ProviderCredential, _mailbox: str, window: Period, *, deadline: float
    ) -> list[FreeBusyPeriod]:
        assert deadline
        hours = range(window.start, window.end, 3600)
        return [FreeBusyPeriod(start, start + 1800, FreeBusyStatus.BUSY) for start in hours]


def credential(expires_at: int) -> ProviderCredential:
    return ProviderCredential("provider-access-token", "provider-refresh-token", expires_at)


class Cronofy(Provider):
    """As the upstream of whoever connected through it; also takes events, and nobody has answered any."""

    def exchange_code(self, code: str, **_: str) -> tuple[Identity, ProviderCredential]:
        somebody = Identity(ProviderName.GOOGLE, "acc_new", "somebody@example.com", upstream=Upstream.CRONOFY)
        return somebody, credential(NOW + 3600)

    def settle(self, _credential: ProviderCredential, callback_url: str, *, wanted: bool, deadline: float) -> None:
        assert deadline
        assert callback_url.startswith("https://calendar.example.com/upstream/cronofy/channels/")

    def revoke(self, _credential: ProviderCredential, *, deadline: float) -> None:
        assert deadline

    def deliver(
        self, _credential: ProviderCredential, owner: Identity, event: ManagedEvent, *, deadline: float
    ) -> None:
        assert deadline
        assert owner.subject == event.carrier

    def answers(self, _credential: ProviderCredential, _window: Period, *, deadline: float) -> list[UpstreamAnswers]:
        assert deadline
        return []


class CronofyOrganizations:
    """Whole organizations by way of Cronofy, as whose administrators and mailboxes nobody special is known."""

    def authorization_url(self, *, state: str, **_: object) -> str:
        return f"https://cronofy.example.com/enterprise?state={state}"

    def connect(self, _code: str, **_: str) -> tuple[Administrator, ProviderCredential]:
        return UPSTREAM_ADMINISTRATOR, credential(NOW + 1800)

    def refresh(self, _credential: ProviderCredential, *, deadline: float) -> ProviderCredential:
        assert deadline
        return credential(NOW + 1800)

    def ask(self, _credential: ProviderCredential, mailbox: str, **_: object) -> None:
        assert mailbox == MAILBOX

    def mailbox(self, _code: str, **_: str) -> tuple[Identity, ProviderCredential]:
        return Identity(ProviderName.GOOGLE, "acc_new", MAILBOX, upstream=Upstream.CRONOFY), credential(NOW + 3600)

    def resources(self, _credential: ProviderCredential, **_: object) -> list[Resource]:
        return [Resource(ROOM, "Room")]


def profiles(
    sub: str, sealed: bytes | None, profile_id: str, upstream: Upstream = Upstream.DIRECT
) -> tuple[Profile, Profile]:
    """The free/busy profile, whose credential has expired, and the managed one."""
    identity = Identity(ProviderName.GOOGLE, f"subject-of-{sub}", f"{sub}@example.com", upstream=upstream)
    calendar_id = f"cal_{profile_id.removeprefix('pro_')}_Zz9yXx8w"
    return (
        Profile(profile_id, ProviderName.GOOGLE, identity.email, calendar_id, identity, sealed, NOW - 60),
        Profile(f"{profile_id}M", ProviderName.MANAGED, identity.email, f"{calendar_id}M"),
    )


def store_account(
    wired: Dependencies, sub: str, client_id: str, profile_id: str, upstream: Upstream = Upstream.DIRECT
) -> None:
    sealed = wired.vault.seal(credential(NOW - 60), client_id=client_id, profile_id=profile_id)
    grants = {"grant": Grant("grant", SCOPE, NOW - 3600)}
    assert wired.accounts.create(
        Account(
            sub,
            client_id,
            f"{sub}@example.com",
            None,
            "Etc/UTC",
            profiles(sub, sealed, profile_id, upstream),
            grants,
        )
    )


def store_everything(wired: Dependencies, upstream: Upstream) -> None:
    """What the sample events refer to."""
    registry = application_registry(wired.dynamodb, wired.settings.table_name)
    sealed = wired.secret_vault.seal(CLIENT_SECRET, client_id=CLIENT_ID)
    secret = ClientSecret(hashed(CLIENT_SECRET), "fbc_cs_exa", NOW, sealed)
    registry.create(Application(CLIENT_ID, "Example", (REDIRECT_URI,), secrets=(secret,)))
    registry.create(Application(NEW_ID, "New", (REDIRECT_URI,)))
    front_end = "https://front.example.com"
    registry.create(
        Application(FRONT_END_ID, "Front end", (f"{front_end}/callback",), public=True, origins=(front_end,))
    )
    store_account(wired, SUB, CLIENT_ID, PROFILE_ID, upstream)
    store_account(wired, OTHER_SUB, CLIENT_ID, "pro_OtherProfile01")
    store_account(wired, FRONT_END_SUB, FRONT_END_ID, "pro_FrontEndProf01")
    store_colleague(wired)
    for token, kind, client_id, sub in (
        (ACCESS_TOKEN, TokenKind.ACCESS, CLIENT_ID, SUB),
        (REFRESH_TOKEN, TokenKind.REFRESH, CLIENT_ID, SUB),
        (FRONT_END_ACCESS_TOKEN, TokenKind.ACCESS, FRONT_END_ID, FRONT_END_SUB),
        (FRONT_END_REFRESH_TOKEN, TokenKind.REFRESH, FRONT_END_ID, FRONT_END_SUB),
    ):
        wired.tokens.save(hashed(token), TokenRecord(kind, client_id, NOW + 3600, sub, "grant", SCOPE))
    of_colleague = TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 3600, COLLEAGUE_SUB, "g1", SCOPE)
    wired.tokens.save(hashed(COLLEAGUE_ACCESS_TOKEN), of_colleague)
    wired.pages.save(
        {
            hashed(f"/v1/{read}/pages/{PAGE_TOKEN}"): b'{"pages":{"current":2,"total":2}}'
            for read in ("free_busy", "events", "available_periods")
        },
        sub=SUB,
        client_id=CLIENT_ID,
        expires_at=NOW + 600,
    )
    wired.tokens.save_link_token(hashed(LINK_TOKEN), client_id=CLIENT_ID, sub=SUB, expires_at=NOW + 300)
    wired.service_accounts.connect(
        service_account_at_cronofy(wired) if upstream is Upstream.CRONOFY else service_account()
    )
    scope = f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}"
    record = TokenRecord(TokenKind.ACCESS, CLIENT_ID, NOW + 3600, SERVICE_ACCOUNT, "grant", scope)
    wired.tokens.save(hashed(SERVICE_ACCOUNT_TOKEN), record)


def service_account() -> ServiceAccount:
    scope = f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}"
    return replace(
        organization(SERVICE_ACCOUNT, client_id=CLIENT_ID), grants={"grant": Grant("grant", scope, NOW - 3600)}
    )


def service_account_at_cronofy(wired: Dependencies) -> ServiceAccount:
    """Its credential there has expired."""
    return replace(
        service_account(),
        organization=UPSTREAM_ADMINISTRATOR.organization,
        administrator=UPSTREAM_ADMINISTRATOR.identity,
        sealed_credential=wired.vault.seal(credential(NOW - 60), client_id=CLIENT_ID, profile_id=SERVICE_ACCOUNT),
    )


def store_for(name: str, wired: Dependencies) -> None:
    """What only some of the samples need."""
    match name:
        case _ if name.removesuffix("_cronofy") in WITH_AN_EVENT:
            store_event(wired, *(MORE_THAN_A_PAGE if name == "events" else ()))
        case "on_mail_received" | "on_mail_received_bounce" | "on_mail_received_spoofed":
            store_mail(wired)
        case "authorize_relink":
            wired.accounts.disconnect(SUB, PROFILE_ID, because=Disconnected.CREDENTIAL_REVOKED)
        case "token_code":
            wired.tokens.save_code(hashed(CODE), APPLICATION_CODE)
        case "token_front_end_code":
            wired.tokens.save_code(hashed(CODE), FRONT_END_CODE)
        case "oauth_callback" | "oauth_callback_cronofy":
            at_cronofy = name.endswith("_cronofy")
            store_request(wired, NEW_ID, ProviderName.MANAGED if at_cronofy else ProviderName.GOOGLE)
        case "oauth_callback_refused":
            store_request(wired, CLIENT_ID, ProviderName.MICROSOFT)
        case "oauth_callback_link":
            store_request(wired, CLIENT_ID, ProviderName.MICROSOFT, link_token_hash=hashed(LINK_TOKEN))
        case "oauth_callback_relink":
            wired.accounts.disconnect(SUB, PROFILE_ID, because=Disconnected.CREDENTIAL_REVOKED)
            store_request(wired, CLIENT_ID, ProviderName.GOOGLE, relink_sub=SUB, relink_profile_id=PROFILE_ID)


def store_for_people(name: str, wired: Dependencies) -> None:
    """Ana has signed in, or is about to; one of her profiles was at Cronofy before it moved to Google."""
    match name:
        case "oauth_callback_signed_in":
            trip = PersonTrip(ProviderName.GOOGLE, hashed(BROWSER_SECRET), NOW + 600)
            wired.person_sessions.save_trip(hashed(PERSON_STATE), trip)
        case "connections_disconnect_cronofy":
            account = wired.accounts.find(SUB)
            assert account
            before = account.profiles[0]
            after, moved = replace(before, identity=ANA.identity), replace(before, profile_id=f"{PROFILE_ID}{MOVED}")
            assert wired.accounts.move(account, before, after, moved)
    if name.startswith("connections"):
        wired.person_sessions.save(hashed(SESSION_HANDLE), PersonSession(ANA, NOW + 600))


def store_for_hours(name: str, wired: Dependencies) -> None:
    match name:
        case "availability_rules" | "availability_rules_read" | "availability_rules_delete":
            store_rule(wired)
        case "available_periods" | "available_periods_delete" | "available_periods_delete_all":
            store_periods(wired)


def store_for_administrators(name: str, wired: Dependencies) -> None:
    match name:
        case "on_erasure_requested_organization":
            wired.service_accounts.disconnect(SERVICE_ACCOUNT, because=Disconnected.REVOKED, now=NOW - 60)
        case "enterprise_connect_consent" | "enterprise_connect_refused":
            store_trip(wired, Leg.CONSENT, ProviderName.MICROSOFT)
        case "enterprise_connect_signed_in":
            store_trip(wired, Leg.SIGN_IN)
        case "enterprise_connect_signed_in_cronofy":
            store_trip(wired, Leg.SIGN_IN, ProviderName.MANAGED)
        case "enterprise_connect_answer_cronofy":
            store_access_request(name, wired)
        case "enterprise_connect_signed_in_again":
            store_trip(wired, Leg.SIGN_IN, handle=HANDLE)
            store_setup(wired, ADMINISTRATOR)
        case "enterprise_connect_another_mailbox":
            store_setup(wired, TENANT_ADMINISTRATOR)
        case (
            "enterprise_connect_setup"
            | "enterprise_connect_setup_leaked"
            | "enterprise_connect_connected"
            | "enterprise_connect_sign_in"
        ):
            store_setup(wired, ADMINISTRATOR)


def organization_request(provider: ProviderName) -> OrganizationRequest:
    scope = f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}"
    return OrganizationRequest(NEW_ID, REDIRECT_URI, "example-state", scope, SCOPE, provider)


def store_trip(
    wired: Dependencies, leg: Leg, provider: ProviderName = ProviderName.GOOGLE, handle: str | None = None
) -> None:
    trip = OrganizationTrip(organization_request(provider), leg, hashed(BROWSER_SECRET), NOW + 600, handle)
    wired.setups.save_trip(hashed(STATE), trip)


def store_setup(wired: Dependencies, administrator: Administrator) -> None:
    provider = administrator.organization.provider
    client_id = NEW_ID if provider is ProviderName.GOOGLE else CLIENT_ID
    request = organization_request(provider)._replace(client_id=client_id)
    wired.setups.save(hashed(HANDLE), Setup(request, administrator, hashed(BROWSER_SECRET), NOW - 3600))


def store_event(wired: Dependencies, *event_ids: str) -> None:
    account = wired.accounts.find(SUB)
    assert account
    calendar_id = account.managed_profile.calendar_id
    for event_id in event_ids or ["booking-7"]:
        wanted = EventUpsert(event_id, "Interview", When(NOW + 6 * 86_400, NOW + 6 * 86_400 + 3600))
        upsert_event(account, calendar_id, wanted, accounts=wired.accounts, events=wired.events, now=NOW - 3600)


def store_rule(wired: Dependencies) -> None:
    rule = AvailabilityRule("work_hours", "Europe/Paris", (WeeklyPeriod(0, 570, 1020),))
    assert wired.managed_availability.save_rule(SUB, rule, client_id=CLIENT_ID)


def store_periods(wired: Dependencies) -> None:
    """More than one page of them."""
    for number in range(101):
        start = NOW + number * 7200
        period = AvailablePeriod(start, start + 3600, f"interviews-{number}")
        assert wired.managed_availability.save_period(SUB, period, client_id=CLIENT_ID)


def store_colleague(wired: Dependencies) -> None:
    """Somebody whose organization gives access; the token that it is read with has yet to be fetched."""
    assert wired.accounts.create(colleague(COLLEAGUE_SUB, service_account()))


def store_mail(wired: Dependencies) -> None:
    """An event that was mailed, and the answer to it."""
    event = an_event()
    assert wired.events.save(event._replace(updated_at=event.created_at), over=None)
    s3 = boto3.client("s3")
    s3.create_bucket(
        Bucket=wired.settings.inbound_bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    s3.put_object(
        Bucket=wired.settings.inbound_bucket,
        Key="5o6q7r8s9t0u1v2w3x4y5z6a7b8c9d0e1f2g3h4i",
        Body=mail("gmail_accepted"),
    )


def store_access_request(name: str, wired: Dependencies) -> None:
    """A mailbox that was asked for, and in one case before, whose organization was gone meanwhile."""
    if name == "on_access_requested_again":
        before = connect_mailbox(service_account(), MAILBOX, accounts=wired.accounts, now=NOW - 3600)
        wired.accounts.disconnect(before.sub, before.profile_id, because=Disconnected.WITHDRAWN)
    others = {"on_access_requested_room": ROOM, "on_access_requested_unknown_mailbox": "nobody@example.com"}
    email, url = others.get(name, MAILBOX), "https://app.example.com/access?job=17"
    request = AccessRequest(ACCESS_REQUEST, CLIENT_ID, SERVICE_ACCOUNT, email, url, SCOPE, "job-17", NOW - 60)
    wired.access_requests.save([request])
    wired.access_requests.expect_answer(hashed(ANSWER_HANDLE), request, until=NOW + 1800)


def store_channel(wired: Dependencies) -> None:
    """One that was told all before; then an attendee answered."""
    channel = Channel(CHANNEL, SUB, CLIENT_ID, "https://app.example.com/changes")
    assert wired.channels.create(channel)
    news = News(SUB, NotificationType.CHANGE, NOW - 60, calendar_id=None)
    assert announce(news, channels=wired.channels) == 1


def store_request(wired: Dependencies, client_id: str, provider: ProviderName, **more: Any) -> None:
    request = AuthorizationRequest(
        client_id=client_id,
        redirect_uri=REDIRECT_URI,
        scope=SCOPE,
        application_state="example-state",
        code_challenge=None,
        provider=provider,
        browser_hash=hashed(BROWSER_SECRET),
        expires_at=NOW + 600,
        **more,
    )
    wired.tokens.save_authorization_request(hashed(STATE), request)


@contextmanager
def deployment_for(sample: str) -> Iterator[Dependencies]:
    """One that holds what the sample event refers to, at the time it was sent; the sandbox has just started."""
    from moto import mock_aws

    from tests import quick_aws

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_ACCESS_KEY_ID", "example")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "example")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setattr(boto3, "client", quick_aws.client)
        store(sample, patch)
        stage(sample, patch)
        yield dependencies()
    settings.cache_clear()
    dependencies.cache_clear()


def store(sample: str, patch: pytest.MonkeyPatch) -> dict[str, str]:
    """Makes what the deployment consists of, at the AWS of the environment; returns a function's own variables."""
    name = sample.replace("_", "-")
    variables = {
        "TABLE_NAME": create_table(boto3.client("dynamodb"), name),
        "CREDENTIAL_KEY_ID": boto3.client("kms").create_key()["KeyMetadata"]["KeyId"],
        "INBOUND_BUCKET": f"{name}-mail",
        "MAIL_DOMAIN": MAIL_DOMAIN,
        "CONFIGURATION_SET": "reports",
        "REQUESTS_PER_MINUTE": "500",
    }
    boto3.client("ses").verify_domain_identity(Domain=MAIL_DOMAIN)
    queues = {
        "INVITATION_QUEUE_URL": f"{name}.fifo",
        "DEAD_LETTER_QUEUE_URL": f"{name}-dead",
        "ACCESS_QUEUE_URL": f"{name}-access",
        "ERASURE_QUEUE_URL": f"{name}-erasures",
        "CHANNEL_QUEUE_URL": f"{name}-channels.fifo",
        "UPSTREAM_QUEUE_URL": f"{name}-upstream.fifo",
    }
    for variable, queue in queues.items():
        fifo = {"FifoQueue": "true"} if queue.endswith(".fifo") else {}
        variables[variable] = boto3.client("sqs").create_queue(QueueName=queue, Attributes=fifo)["QueueUrl"]
    if through_cronofy(sample):
        variables |= {"UPSTREAM": "cronofy", "CRONOFY_SECRET_ID": "cronofy"}
    if sample.startswith("on_upstream_due"):
        variables["PUBLIC_URL"] = "https://calendar.example.com"
    for variable, value in variables.items():
        patch.setenv(variable, value)
    settings.cache_clear()
    dependencies.cache_clear()
    with pytest.MonkeyPatch.context() as meanwhile:
        meanwhile.setattr(Dependencies, "clock", lambda _: NOW)
        store_everything(dependencies(), Upstream.CRONOFY if through_cronofy(sample) else Upstream.DIRECT)
        store_for(sample, dependencies())
        store_for_people(sample, dependencies())
        store_for_hours(sample, dependencies())
        store_for_administrators(sample, dependencies())
        if sample.startswith("on_access_requested"):
            store_access_request(sample, dependencies())
        if sample == "on_erasure_requested_colleague":
            store_access_request(sample, dependencies())
        if sample in WITH_A_CHANNEL:
            store_channel(dependencies())
        whose = {"client_id": CLIENT_ID, "sub": SUB, "profile_id": PROFILE_ID}
        dependencies().upstream_handles.save(hashed(CHANNEL_HANDLE), **whose)
    dependencies.cache_clear()
    return variables


def through_cronofy(sample: str) -> bool:
    return sample.endswith("_cronofy")


def stage(sample: str, patch: pytest.MonkeyPatch) -> None:
    """Sets the clock to when the samples were sent, and stands in for the providers."""
    patch.setattr(Dependencies, "clock", lambda _: NOW)
    providers = {name: Provider(name) for name in (ProviderName.GOOGLE, ProviderName.MICROSOFT)}
    if through_cronofy(sample):
        cronofy = Cronofy(ProviderName.MANAGED)
        providers[ProviderName.MANAGED] = cronofy
        patch.setattr(Dependencies, "cronofy", cronofy)
        patch.setattr(Dependencies, "upstream_events", cronofy)
        patch.setattr(Dependencies, "cronofy_organizations", CronofyOrganizations())
        patch.setattr(Dependencies, "upstream_channels", cronofy)
        signing = ["example-cronofy-secret"]
        patch.setattr(Dependencies, "cronofy_has_signed", lambda _, *signed: is_signed(*signed, signing))
    patch.setattr(Dependencies, "providers", providers)
    mailboxes = (*map(email_of, ("admin", "ada", "ben", "max")), email_of(COLLEAGUE_SUB), MAILBOX, ROOM)
    lets_in = set() if sample == "enterprise_connect_setup" else {"example.com", "tenant"}
    calendars = FakeOrganizationCalendars(kept={mailbox: [] for mailbox in mailboxes}, delegated=lets_in)
    patch.setattr(Dependencies, "organization_calendars", dict.fromkeys(providers, calendars))
    patch.setattr(Dependencies, "organization_sign_ins", {name: SignIn(name) for name in providers})
    patch.setattr(Dependencies, "person_sign_ins", {name: PersonSignIn(name) for name in providers})
    patch.setattr(Dependencies, "domain_records", Dns())
    patch.setattr(Dependencies, "hosts", FakeHosts())
    sender = FakeCallbackSender()
    troubles = {"unreachable": CallbackFailed("status 503"), "gone": CallbackGone("status 410")}
    sender.troubles = [troubles[why]] if (why := sample.rpartition("_")[2]) in troubles else []
    patch.setattr(HttpCallbacks, "post", lambda _, *told, **signed: sender.post(*told, **signed))
