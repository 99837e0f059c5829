"""Where ports meet adapters: made on first use, kept while the sandbox is warm.

What only some functions use is imported where it is made, so that the others do not load it.
"""

from __future__ import annotations

from functools import cache, cached_property, partial
from time import time
from typing import TYPE_CHECKING, Any

from freebusy.settings import Settings, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import httpx
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

    from freebusy.adapters.cronofy import Cronofy
    from freebusy.adapters.cronofy_organizations import CronofyOrganizations
    from freebusy.adapters.secrets import ProviderSecrets, RegistrationSource
    from freebusy.domain.account import Account, Profile, ProviderName, Upstream
    from freebusy.domain.service_account import ServiceAccount
    from freebusy.ports import (
        AccessRequestQueue,
        AccessRequestStore,
        AccountStore,
        AnswerStore,
        ApplicationRegistry,
        ApplicationStore,
        AuditLog,
        Belongings,
        CalendarProvider,
        ChannelQueue,
        ChannelStore,
        DeadLetters,
        DomainRecords,
        ErasureQueue,
        EventStore,
        FreeBusyWriter,
        HostResolver,
        InboundMailbox,
        InvitationLog,
        InvitationQueue,
        Mailer,
        ManagedAvailabilityStore,
        OrganizationCalendars,
        OrganizationSignIn,
        PageStore,
        PermitStore,
        PersonSessionStore,
        PersonSignIn,
        SecretVault,
        ServiceAccountStore,
        SetupStore,
        Snapshot,
        TokenStore,
        UpstreamChannels,
        UpstreamEvents,
        UpstreamHandles,
        UpstreamQueue,
        Vault,
    )
    from freebusy.service.access_answers import AccessAnswers
    from freebusy.service.calendar_reader import CalendarReader
    from freebusy.service.connections import Connections
    from freebusy.service.delivery import Deliverer
    from freebusy.service.erasure import Erasure
    from freebusy.service.invitations import InvitationSender
    from freebusy.service.key_rotation import KeyRotation
    from freebusy.service.notifications import Notifier
    from freebusy.service.organization_reader import OrganizationReader
    from freebusy.service.organization_setups import OrganizationSetups
    from freebusy.service.organization_trips import OrganizationTrips
    from freebusy.service.person_trips import PersonTrips
    from freebusy.service.provider_secrets import ProviderSecret
    from freebusy.service.rate_limits import RateLimiter
    from freebusy.service.upstream_access import UpstreamAccess, UpstreamAnswers
    from freebusy.service.upstream_channels import UpstreamWork
    from freebusy.service.upstream_events import AnswerReader, UpstreamDelivery
    from freebusy.service.upstream_notifications import UpstreamNotifications
    from freebusy.service.upstream_organizations import OrganizationsAtCronofy


def _patience() -> Config:
    """AWS may take well less time than the gateway allows us; calendars are read by many threads at once."""
    from botocore.config import Config

    return Config(
        connect_timeout=2,
        read_timeout=4,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=50,
    )


class Dependencies:
    """Everything a service may be given."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def clock(self) -> int:
        return int(time())

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        import boto3

        return boto3.client("dynamodb", config=_patience())

    @cached_property
    def applications(self) -> ApplicationStore:
        from freebusy.adapters.dynamodb.applications import DynamoApplications

        return DynamoApplications(self.dynamodb, self.settings.table_name)

    @cached_property
    def permits(self) -> PermitStore:
        from freebusy.adapters.dynamodb.permits import DynamoPermits

        return DynamoPermits(self.dynamodb, self.settings.table_name)

    @cached_property
    def rate_limiter(self) -> RateLimiter:
        from freebusy.service.rate_limits import RateLimiter

        return RateLimiter(
            applications=self.applications,
            permits=lambda: self.permits,
            default=self.settings.requests_per_minute,
            clock=self.clock,
        )

    @cached_property
    def accounts(self) -> AccountStore:
        from freebusy.adapters.dynamodb.accounts import DynamoAccounts

        return DynamoAccounts(self.dynamodb, self.settings.table_name)

    @cached_property
    def service_accounts(self) -> ServiceAccountStore:
        from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts

        return DynamoServiceAccounts(self.dynamodb, self.settings.table_name)

    @cached_property
    def access_requests(self) -> AccessRequestStore:
        from freebusy.adapters.dynamodb.access_requests import DynamoAccessRequests

        return DynamoAccessRequests(self.dynamodb, self.settings.table_name)

    @cached_property
    def access_queue(self) -> AccessRequestQueue:
        from freebusy.adapters.queue import SqsAccessRequests

        return SqsAccessRequests(self._sqs, self.settings.access_queue_url)

    @cached_property
    def erasure_queue(self) -> ErasureQueue:
        from freebusy.adapters.queue import SqsErasures

        return SqsErasures(self._sqs, self.settings.erasure_queue_url)

    @cached_property
    def erasure(self) -> Erasure:
        from freebusy.service.erasure import Erasure

        return Erasure(
            accounts=self.accounts,
            service_accounts=self.service_accounts,
            requests=self.access_requests,
            setups=self.setups,
            handles=self.upstream_handles,
            belongings=belongings(self.dynamodb, self.settings.table_name),
            queue=self.erasure_queue,
            end_upstream=self.end_upstream,
            clock=self.clock,
        )

    @cached_property
    def hosts(self) -> HostResolver:
        from freebusy.adapters.hosts import SystemResolver

        return SystemResolver()

    @cached_property
    def access_answers(self) -> AccessAnswers:
        from freebusy.adapters.callbacks import HttpCallbacks
        from freebusy.service.access_answers import AccessAnswers
        from freebusy.service.callbacks import Callbacks

        return AccessAnswers(
            requests=self.access_requests,
            applications=self.applications,
            service_accounts=self.service_accounts,
            accounts=self.accounts,
            tokens=self.tokens,
            calendars=self.organization_calendars,
            callbacks=Callbacks(
                self.hosts, HttpCallbacks(), self.secret_vault, local=self.settings.callbacks_may_be_local
            ),
            upstream=lambda: self.upstream_access,
            clock=self.clock,
        )

    @cached_property
    def channels(self) -> ChannelStore:
        from freebusy.adapters.dynamodb.channels import DynamoChannels

        return DynamoChannels(self.dynamodb, self.settings.table_name)

    @cached_property
    def channel_queue(self) -> ChannelQueue:
        from freebusy.adapters.queue import SqsChannels

        return SqsChannels(self._sqs, self.settings.channel_queue_url)

    @cached_property
    def notifier(self) -> Notifier:
        from freebusy.adapters.callbacks import HttpCallbacks
        from freebusy.service.callbacks import Callbacks
        from freebusy.service.notifications import ANSWER_SECONDS, Notifier

        return Notifier(
            channels=self.channels,
            accounts=self.accounts,
            applications=self.applications,
            callbacks=Callbacks(
                self.hosts,
                HttpCallbacks(exchange_seconds=ANSWER_SECONDS),
                self.secret_vault,
                local=self.settings.callbacks_may_be_local,
            ),
            clock=self.clock,
        )

    @cached_property
    def tokens(self) -> TokenStore:
        from freebusy.adapters.dynamodb.tokens import DynamoTokens

        return DynamoTokens(self.dynamodb, self.settings.table_name)

    @cached_property
    def setups(self) -> SetupStore:
        from freebusy.adapters.dynamodb.setups import DynamoSetups

        return DynamoSetups(self.dynamodb, self.settings.table_name)

    @cached_property
    def person_sessions(self) -> PersonSessionStore:
        from freebusy.adapters.dynamodb.person_sessions import DynamoPersonSessions

        return DynamoPersonSessions(self.dynamodb, self.settings.table_name)

    @cached_property
    def pages(self) -> PageStore:
        from freebusy.adapters.dynamodb.pages import DynamoPages

        return DynamoPages(self.dynamodb, self.settings.table_name)

    @cached_property
    def kept_answers(self) -> AnswerStore:
        from freebusy.adapters.dynamodb.kept_answers import DynamoAnswers

        return DynamoAnswers(self.dynamodb, self.settings.table_name)

    @cached_property
    def events(self) -> EventStore:
        from freebusy.adapters.dynamodb.events import DynamoEvents

        return DynamoEvents(self.dynamodb, self.settings.table_name)

    @cached_property
    def managed_availability(self) -> ManagedAvailabilityStore:
        from freebusy.adapters.dynamodb.managed_availability import DynamoManagedAvailability

        return DynamoManagedAvailability(self.dynamodb, self.settings.table_name)

    @cached_property
    def invitation_log(self) -> InvitationLog:
        from freebusy.adapters.dynamodb.events import DynamoInvitationLog

        return DynamoInvitationLog(self.dynamodb, self.settings.table_name)

    @cached_property
    def invitation_queue(self) -> InvitationQueue:
        from freebusy.adapters.queue import SqsInvitations

        return SqsInvitations(self._sqs, self.settings.invitation_queue_url)

    @cached_property
    def unread_changes(self) -> DeadLetters:
        """For records of the table's stream."""
        from freebusy.adapters.queue import SqsDeadLetters

        return SqsDeadLetters(self._sqs, self.settings.dead_letter_queue_url)

    @cached_property
    def _sqs(self) -> SQSClient:
        import boto3

        return boto3.client("sqs", config=_patience())

    @cached_property
    def mailer(self) -> Mailer:
        """Tries once: the queue tries again, and a second try would hide that the first one may have got through."""
        import boto3
        from botocore.config import Config

        from freebusy.adapters.ses import SesMailer

        once = Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
        return SesMailer(
            boto3.client("sesv2", config=_patience().merge(once)), configuration_set=self.settings.configuration_set
        )

    @cached_property
    def invitation_sender(self) -> InvitationSender:
        from freebusy.adapters.imip.message import build
        from freebusy.service.invitations import InvitationSender

        return InvitationSender(
            events=self.events,
            log=self.invitation_log,
            accounts=self.accounts,
            applications=self.applications,
            mailer=self.mailer,
            write=partial(build, mail_domain=self.settings.mail_domain),
            mail_domain=self.settings.mail_domain,
            clock=self.clock,
        )

    @property
    def deliverer(self) -> Deliverer:
        from freebusy.service.delivery import Deliverer

        by_mail = (lambda: self.invitation_sender) if self.settings.mail_domain else None
        upstream = (lambda: self.upstream_delivery) if self.settings.cronofy_secret_id else None
        return Deliverer(by_mail, upstream)

    @cached_property
    def upstream_delivery(self) -> UpstreamDelivery:
        from freebusy.service.upstream_events import UpstreamDelivery

        return UpstreamDelivery(
            accounts=self.accounts,
            events=self.events,
            log=self.invitation_log,
            upstream=self.upstream_events,
            reader=self.calendar_reader,
            clock=self.clock,
        )

    @cached_property
    def upstream_answers(self) -> AnswerReader:
        from freebusy.service.upstream_events import AnswerReader

        return AnswerReader(
            events=self.events, upstream=self.upstream_events, reader=self.calendar_reader, clock=self.clock
        )

    @cached_property
    def upstream_events(self) -> UpstreamEvents:
        from freebusy.adapters.cronofy_events import CronofyEvents

        return CronofyEvents(self._http, self._cronofy_registration, origin=self.settings.cronofy_origin)

    @cached_property
    def upstream_channels(self) -> UpstreamChannels:
        from freebusy.adapters.cronofy_channels import CronofyChannels

        return CronofyChannels(self._http, self._cronofy_registration, origin=self.settings.cronofy_origin)

    @cached_property
    def upstream_handles(self) -> UpstreamHandles:
        from freebusy.adapters.dynamodb.upstream_channels import DynamoUpstreamHandles

        return DynamoUpstreamHandles(self.dynamodb, self.settings.table_name)

    @cached_property
    def upstream_queue(self) -> UpstreamQueue:
        from freebusy.adapters.queue import SqsUpstream

        return SqsUpstream(self._sqs, self.settings.upstream_queue_url)

    @cached_property
    def upstream_notifications(self) -> UpstreamNotifications:
        from freebusy.service.upstream_notifications import UpstreamNotifications

        return UpstreamNotifications(self.cronofy_has_signed, self.upstream_handles, self.upstream_queue)

    def cronofy_has_signed(self, body: bytes, signature: str) -> bool:
        """Nothing is Cronofy's where nobody is connected through it. Raises ProviderMisconfigured or
        ProviderUnavailable.
        """
        from freebusy.adapters.cronofy_api import has_signed

        if not self.settings.cronofy_secret_id:
            return False
        return has_signed(body, signature, self._cronofy_registration)

    @cached_property
    def upstream_work(self) -> UpstreamWork:
        from freebusy.service.upstream_channels import UpstreamWork

        return UpstreamWork(
            accounts=self.accounts,
            channels=self.channels,
            handles=self.upstream_handles,
            upstream=self.upstream_channels,
            reader=self.calendar_reader,
            answers=self.upstream_answers,
            clock=self.clock,
            public_url=self.settings.public_url or "",
            is_offered=self.settings.cronofy_secret_id is not None,
        )

    @property
    def free_busy_calendar(self) -> FreeBusyWriter:
        from freebusy.adapters.free_busy_calendar import free_busy_calendar

        return free_busy_calendar

    @cached_property
    def inbound_mailbox(self) -> InboundMailbox:
        import boto3

        from freebusy.adapters.inbound_mail import S3Mailbox

        return S3Mailbox(boto3.client("s3", config=_patience()), self.settings.inbound_bucket)

    @cached_property
    def _kms(self) -> KMSClient:
        import boto3

        return boto3.client("kms", config=_patience())

    @cached_property
    def vault(self) -> Vault:
        from freebusy.adapters.vault import KmsVault

        key_id = self.settings.credential_key_id
        return KmsVault(self._kms, self.dynamodb, self.settings.table_name, key_id=key_id)

    @cached_property
    def secret_vault(self) -> SecretVault:
        return secret_vault(self._kms, self.dynamodb, self.settings.table_name, key_id=self.settings.credential_key_id)

    @cached_property
    def _secrets(self) -> ProviderSecrets:
        import boto3

        from freebusy.adapters.secrets import ProviderSecrets

        return ProviderSecrets(boto3.client("secretsmanager", config=_patience()))

    @property
    def _cronofy_registration(self) -> RegistrationSource:
        return self._secrets.registration(self.settings.cronofy_secret_id or "")

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx

        return httpx.Client(
            timeout=httpx.Timeout(8.0, connect=3.0),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=100),
            follow_redirects=False,
        )

    @cached_property
    def providers(self) -> dict[ProviderName, CalendarProvider]:
        """The providers that this deployment has a registration for."""
        from freebusy.domain.account import ProviderName

        providers: dict[ProviderName, CalendarProvider] = {}
        if secret_id := self.settings.google_secret_id:
            from freebusy.adapters.google import Google

            providers[ProviderName.GOOGLE] = Google(
                self._http, self._secrets.registration(secret_id), origin=self.settings.google_origin
            )
        if secret_id := self.settings.microsoft_secret_id:
            from freebusy.adapters.microsoft import Microsoft

            providers[ProviderName.MICROSOFT] = Microsoft(
                self._http,
                self._secrets.registration(secret_id),
                tenant=self.settings.microsoft_tenant,
                origin=self.settings.microsoft_origin,
            )
        if self.cronofy:
            providers[ProviderName.MANAGED] = self.cronofy
        return providers

    @property
    def upstream(self) -> Upstream:
        """Where people connect unless their application says otherwise."""
        from freebusy.domain.account import Upstream

        return Upstream(self.settings.upstream)

    @cached_property
    def cronofy(self) -> Cronofy | None:
        if not self.settings.cronofy_secret_id:
            return None
        from freebusy.adapters.cronofy import Cronofy

        return Cronofy(self._http, self._cronofy_registration, origin=self.settings.cronofy_origin)

    def end_upstream(self, holder: Account | ServiceAccount, profile: Profile | None = None) -> None:
        """Implements ``ports.EndUpstream``; what it needs is made when somebody of Cronofy's revokes."""
        from freebusy.domain.account import Account
        from freebusy.service.upstream_authorization import end_organization_upstream, end_upstream

        if not self.cronofy:
            return
        if not isinstance(holder, Account):
            end_organization_upstream(
                holder, service_accounts=self.service_accounts, vault=self.vault, cronofy=self.cronofy
            )
        elif profile:
            end_upstream(holder, profile, accounts=self.accounts, vault=self.vault, cronofy=self.cronofy)

    @cached_property
    def cronofy_organizations(self) -> CronofyOrganizations:
        """Raises ProviderMisconfigured where Cronofy is not offered any more."""
        from freebusy.adapters.cronofy_organizations import CronofyOrganizations
        from freebusy.domain.errors import ProviderMisconfigured

        if not self.settings.cronofy_secret_id:
            raise ProviderMisconfigured("Cronofy is not offered")
        return CronofyOrganizations(self._http, self._cronofy_registration, origin=self.settings.cronofy_origin)

    @cached_property
    def organizations_at_cronofy(self) -> OrganizationsAtCronofy:
        """Raises as above."""
        from freebusy.service.upstream_organizations import OrganizationsAtCronofy

        return OrganizationsAtCronofy(
            service_accounts=self.service_accounts,
            cronofy=self.cronofy_organizations,
            vault=self.vault,
            clock=self.clock,
        )

    @cached_property
    def upstream_access(self) -> UpstreamAccess:
        """Raises as above."""
        from freebusy.service.upstream_access import UpstreamAccess

        return UpstreamAccess(
            requests=self.access_requests,
            queue=self.access_queue,
            organizations=self.organizations_at_cronofy,
            cronofy=self.cronofy_organizations,
            clock=self.clock,
        )

    @cached_property
    def upstream_mailboxes(self) -> UpstreamAnswers:
        """Raises as above."""
        from freebusy.service.upstream_access import UpstreamAnswers

        return UpstreamAnswers(
            requests=self.access_requests,
            queue=self.access_queue,
            service_accounts=self.service_accounts,
            accounts=self.accounts,
            vault=self.vault,
            cronofy=self.cronofy_organizations,
            clock=self.clock,
        )

    @cached_property
    def person_sign_ins(self) -> dict[ProviderName, PersonSignIn]:
        """Where people can say who they are; Cronofy has no sign-in that asks for no calendar."""
        from freebusy.domain.account import ProviderName

        sign_ins: dict[ProviderName, PersonSignIn] = {}
        if secret_id := self.settings.google_secret_id:
            from freebusy.adapters.person_sign_in import GooglePersonSignIn

            sign_ins[ProviderName.GOOGLE] = GooglePersonSignIn(
                self._http, self._secrets.registration(secret_id), origin=self.settings.google_origin
            )
        if secret_id := self.settings.microsoft_secret_id:
            from freebusy.adapters.person_sign_in import MicrosoftPersonSignIn

            sign_ins[ProviderName.MICROSOFT] = MicrosoftPersonSignIn(
                self._http,
                self._secrets.registration(secret_id),
                tenant=self.settings.microsoft_tenant,
                origin=self.settings.microsoft_origin,
            )
        return sign_ins

    @cached_property
    def person_trips(self) -> PersonTrips:
        from freebusy.service.person_trips import PersonTrips

        return PersonTrips(sessions=self.person_sessions, sign_ins=self.person_sign_ins)

    @cached_property
    def connections(self) -> Connections:
        from freebusy.service.connections import Connections

        return Connections(
            accounts=self.accounts,
            applications=self.applications,
            service_accounts=self.service_accounts,
            end_upstream=self.end_upstream,
        )

    @cached_property
    def organization_sign_ins(self) -> dict[ProviderName, OrganizationSignIn]:
        """Where administrators can connect their organization: Google's needs a service account of ours too."""
        from freebusy.domain.account import ProviderName

        sign_ins: dict[ProviderName, OrganizationSignIn] = {}
        secret_id = self.settings.google_secret_id
        if secret_id and self.settings.google_service_account_secret_id:
            from freebusy.adapters.google_workspace import GoogleWorkspaceSignIn

            sign_ins[ProviderName.GOOGLE] = GoogleWorkspaceSignIn(
                self._http, self._secrets.registration(secret_id), origin=self.settings.google_origin
            )
        if secret_id := self.settings.microsoft_secret_id:
            from freebusy.adapters.microsoft_tenant import MicrosoftTenantSignIn

            sign_ins[ProviderName.MICROSOFT] = MicrosoftTenantSignIn(
                self._http,
                self._secrets.registration(secret_id),
                tenant=self.settings.microsoft_tenant,
                origin=self.settings.microsoft_origin,
            )
        return sign_ins

    @cached_property
    def organization_calendars(self) -> dict[ProviderName, OrganizationCalendars]:
        """The providers at which this deployment can read for organizations."""
        from freebusy.domain.account import ProviderName

        calendars: dict[ProviderName, OrganizationCalendars] = {}
        if secret_id := self.settings.google_service_account_secret_id:
            from freebusy.adapters.google_workspace import GoogleWorkspaceCalendars

            calendars[ProviderName.GOOGLE] = GoogleWorkspaceCalendars(
                self._http, self._secrets.service_account_key(secret_id), origin=self.settings.google_origin
            )
        if secret_id := self.settings.microsoft_secret_id:
            from freebusy.adapters.microsoft_tenant import MicrosoftTenantCalendars

            calendars[ProviderName.MICROSOFT] = MicrosoftTenantCalendars(
                self._http, self._secrets.registration(secret_id), origin=self.settings.microsoft_origin
            )
        return calendars

    @cached_property
    def domain_records(self) -> DomainRecords:
        from freebusy.adapters.domain_records import GoogleDns

        return GoogleDns(self._http, origin=self.settings.google_origin)

    @cached_property
    def organization_trips(self) -> OrganizationTrips:
        from freebusy.service.organization_trips import OrganizationTrips

        return OrganizationTrips(
            applications=self.applications,
            setups=self.setups,
            tokens=self.tokens,
            sign_ins=self.organization_sign_ins,
            calendars=self.organization_calendars,
            upstream=self.upstream,
            cronofy=self.organizations_at_cronofy if self.settings.cronofy_secret_id else None,
        )

    @cached_property
    def organization_setups(self) -> OrganizationSetups:
        from freebusy.service.organization_setups import OrganizationSetups

        return OrganizationSetups(
            applications=self.applications,
            setups=self.setups,
            service_accounts=self.service_accounts,
            tokens=self.tokens,
            vault=self.vault,
            calendars=self.organization_calendars,
            records=self.domain_records,
            prove_domains=self.settings.google_domain_proof != "sign_in",
        )

    @cached_property
    def calendar_reader(self) -> CalendarReader:
        from freebusy.service.calendar_reader import CalendarReader

        return CalendarReader(
            accounts=self.accounts,
            events=self.events,
            vault=self.vault,
            providers=self.providers,
            clock=self.clock,
            organizations=lambda: self.organization_reader,
        )

    @cached_property
    def organization_reader(self) -> OrganizationReader:
        from freebusy.service.organization_reader import OrganizationReader

        return OrganizationReader(
            service_accounts=self.service_accounts,
            calendars=self.organization_calendars,
            vault=self.vault,
            clock=self.clock,
        )


def application_registry(dynamodb: DynamoDBClient, table_name: str) -> ApplicationRegistry:
    """For the command line, which finds table and endpoint by its own options instead of a function's environment."""
    from freebusy.adapters.dynamodb.applications import DynamoApplications

    return DynamoApplications(dynamodb, table_name)


def account_store(dynamodb: DynamoDBClient, table_name: str) -> AccountStore:
    """For the command line, as above."""
    from freebusy.adapters.dynamodb.accounts import DynamoAccounts

    return DynamoAccounts(dynamodb, table_name)


def access_request_store(dynamodb: DynamoDBClient, table_name: str) -> AccessRequestStore:
    """For the command line, as above."""
    from freebusy.adapters.dynamodb.access_requests import DynamoAccessRequests

    return DynamoAccessRequests(dynamodb, table_name)


def audit_log(logs: Any, group: str) -> AuditLog:
    """For the command line, as above."""
    from freebusy.adapters.audit_log import CloudWatchAuditLog

    return CloudWatchAuditLog(logs, group)


def audit_log_in(folder: Path) -> AuditLog:
    """For the command line, of a laptop stack, whose functions log to files."""
    from freebusy.adapters.audit_log import AuditLogInFiles

    return AuditLogInFiles(folder)


def service_account_store(dynamodb: DynamoDBClient, table_name: str) -> ServiceAccountStore:
    """For the command line, as above."""
    from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts

    return DynamoServiceAccounts(dynamodb, table_name)


def belongings(dynamodb: DynamoDBClient, table_name: str) -> Belongings:
    """Also for the command line, as above."""
    from freebusy.adapters.dynamodb.belongings import DynamoBelongings

    return DynamoBelongings(dynamodb, table_name)


def snapshot(dynamodb: DynamoDBClient, name: str, live_name: str) -> Snapshot:
    """For the command line, as above."""
    from freebusy.adapters.dynamodb.snapshot import DynamoSnapshot

    return DynamoSnapshot(dynamodb, name, live_name)


def erasure_queue(sqs: SQSClient, queue_url: str) -> ErasureQueue:
    """For the command line, as above."""
    from freebusy.adapters.queue import SqsErasures

    return SqsErasures(sqs, queue_url)


def secret_vault(kms: KMSClient, dynamodb: DynamoDBClient, table_name: str, *, key_id: str) -> SecretVault:
    """Also for the command line, as above, and for the laptop stack."""
    from freebusy.adapters.vault import KmsSecretVault

    return KmsSecretVault(kms, dynamodb, table_name, key_id=key_id)


def key_rotation(kms: KMSClient, dynamodb: DynamoDBClient, table_name: str, *, key_id: str) -> KeyRotation:
    """For the command line, as above."""
    from freebusy.adapters.dynamodb.accounts import DynamoAccounts
    from freebusy.adapters.dynamodb.applications import DynamoApplications
    from freebusy.adapters.dynamodb.service_accounts import DynamoServiceAccounts
    from freebusy.adapters.vault import KmsSecretVault, KmsVault
    from freebusy.service.key_rotation import KeyRotation

    return KeyRotation(
        registry=DynamoApplications(dynamodb, table_name),
        accounts=DynamoAccounts(dynamodb, table_name),
        service_accounts=DynamoServiceAccounts(dynamodb, table_name),
        credentials=KmsVault(kms, dynamodb, table_name, key_id=key_id),
        secrets=KmsSecretVault(kms, dynamodb, table_name, key_id=key_id),
        clock=lambda: int(time()),
    )


def provider_secrets(
    client: SecretsManagerClient, secret_ids: Mapping[str, str], *, origins: Mapping[str, str], tenant: str
) -> dict[str, ProviderSecret]:
    """For the command line, as above. ``secret_ids`` are those of ``google``, ``google-service-account``,
    ``microsoft`` and ``cronofy``, as far as there are any; ``tenant`` is where the registration at Microsoft is.
    """
    import httpx

    from freebusy.adapters.provider_trials import ProviderTrials
    from freebusy.adapters.secret_versions import SecretsManagerVersions
    from freebusy.adapters.secrets import registration_in, service_account_key_in
    from freebusy.service.provider_secrets import ProviderSecret

    http = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), follow_redirects=False)
    google, microsoft, cronofy = (
        ProviderTrials(http, origin=origins.get(name)) for name in ("google", "microsoft", "cronofy")
    )
    registration = partial(ProviderSecret, understood=registration_in, holding="a client_id with its client_secret")
    key_file = partial(ProviderSecret, understood=service_account_key_in, holding="the key file of a service account")
    known = {
        "google": partial(registration, try_out=google.google),
        "google-service-account": partial(key_file, try_out=google.google_service_account),
        "microsoft": partial(registration, try_out=partial(microsoft.microsoft, tenant=tenant)),
        "cronofy": partial(registration, try_out=cronofy.cronofy, signs=True),
    }
    return {name: known[name](SecretsManagerVersions(client, secret_id)) for name, secret_id in secret_ids.items()}


def redelivery(
    dynamodb: DynamoDBClient, sqs: SQSClient, *, table_name: str, queue_url: str
) -> tuple[EventStore, InvitationLog, InvitationQueue]:
    """For the command line, as above: what mailing an account's events again takes."""
    from freebusy.adapters.dynamodb.events import DynamoEvents, DynamoInvitationLog
    from freebusy.adapters.queue import SqsInvitations

    return (
        DynamoEvents(dynamodb, table_name),
        DynamoInvitationLog(dynamodb, table_name),
        SqsInvitations(sqs, queue_url),
    )


@cache
def dependencies() -> Dependencies:
    return Dependencies(settings())
