"""Every error this service raises on purpose, as one tree.

The class says what went wrong and carries the code that clients see; ``entrypoints.http`` alone knows
which HTTP status belongs to it. Descriptions are read by the callers' developers: they say what to do
and never contain a secret, a token or a person's address.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class FreeBusyError(Exception):
    """The root of the tree."""


class AuditUnavailable(FreeBusyError):
    """The audit log cannot be read, or written to, as it is."""


class StorageUnavailable(FreeBusyError):
    """The table, the key service or the network to them does not answer or throttles us: try again later (503)."""


# --- Requests to /v1 -------------------------------------------------------------------------------


class FieldError(NamedTuple):
    """One entry of a 422 body: ``{"key": "errors.required", "description": "…"}``."""

    key: str
    description: str


class InvalidRequest(FreeBusyError):
    """The request was understood and cannot be carried out as written (422, a map from field to errors)."""

    def __init__(self, errors: Mapping[str, Sequence[FieldError]]) -> None:
        super().__init__(", ".join(sorted(errors)))
        self.errors = errors

    @classmethod
    def of(cls, field_name: str, key: str, description: str) -> InvalidRequest:
        return cls({field_name: [FieldError(key, description)]})


@dataclass
class RefusedBecause:
    """Collects field errors while a request is checked, so that the caller hears of all at once."""

    errors: dict[str, list[FieldError]] = field(default_factory=dict)

    def add(self, field_name: str, key: str, description: str) -> None:
        self.errors.setdefault(field_name, []).append(FieldError(key, description))

    def raise_if_any(self) -> None:
        if self.errors:
            raise InvalidRequest(self.errors)


class AuthenticationFailed(FreeBusyError):
    """The bearer token is missing, unknown, expired or revoked: refresh it and try again (401)."""


class InsufficientScope(FreeBusyError):
    """The caller is known and may not do this (403)."""


class TooManyRequests(FreeBusyError):
    """The application has used up the requests that it may make in this minute: wait for the next one (429)."""


class NotFound(FreeBusyError):
    """There is no such thing for this caller; also the answer for things of other applications (404)."""


class RequestInProgress(FreeBusyError):
    """A request with the same ``Idempotency-Key`` is being carried out: send it again in a moment (409)."""


class ProfileLocked(FreeBusyError):
    """The profile was disconnected, so that nothing can be written to it (423)."""


# --- OAuth: the browser leg ------------------------------------------------------------------------


class AuthorizationError(FreeBusyError):
    """Tell the application by way of its ``redirect_uri`` (RFC 6749, 4.1.2.1).

    ``reason`` is what AuthorizationRefused says instead on a trip that leads back to no application.
    """

    def __init__(self, code: str, description: str, reason: str = "provider_trouble") -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.reason = reason


class AuthorizationRefused(FreeBusyError):
    """Tell the person on a page and never redirect: where a redirect would lead cannot be trusted.

    ``reason`` is one of ``unknown_application``, ``unregistered_redirect_uri``, ``malformed_request``,
    ``unknown_state`` (never issued, used before or expired) and ``other_browser``; where a profile was being connected
    again, which leads back to no application: ``consent_refused``, ``scope_unticked``, ``wrong_account``,
    ``administrator_decides``, ``other_person``, ``connected_elsewhere``, ``organization_decides``,
    ``provider_misconfigured``, ``provider_trouble``; and of an organization's setup ``setup_over`` (never begun,
    finished or expired), ``setup_unavailable``, and for somebody who signs in again for it ``other_administrator``,
    ``sign_in_refused`` and ``sign_in_unavailable``; and of a person's connections ``not_signed_in`` (they or their
    organization refused), ``cannot_sign_in``, ``foreign_form`` (sent by no page of ours) and
    ``organization_connected``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# --- OAuth: the token endpoint -----------------------------------------------------------------------


class TokenError(FreeBusyError):
    """A refusal of the token endpoint (RFC 6749, 5.2): ``{"error": code, "error_description": …}``."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


# --- Providers -----------------------------------------------------------------------------------------


class ProviderError(FreeBusyError):
    """Something about Google, Microsoft or Cronofy. ``reason`` is a stable word that callers may see."""

    reason = "provider_error"


class ConsentRefused(ProviderError):
    """The person, or a policy of their organization, said no at the consent screen."""

    reason = "consent_refused"


class ConsentIncomplete(ProviderError):
    """The person agreed but left the calendar permission unticked."""

    reason = "consent_incomplete"


class IdentityRejected(ProviderError):
    """The id_token is not what this sign-in should have produced; nothing in it may be believed."""

    reason = "identity_rejected"


class OtherAccessMode(ProviderError):
    """At Cronofy, the person chose to give another access than free/busy."""

    reason = "other_access_mode"


class NotAnAdministrator(ProviderError):
    """Whoever signed in may not speak for their organization."""

    reason = "not_an_administrator"


class AccessTokenRejected(ProviderError):
    """The provider no longer takes the access token: refresh it once and try once more."""

    reason = "access_token_rejected"


class CredentialRevoked(ProviderError):
    """The credential is dead for good; only the person can mend it, by connecting again."""

    reason = "credential_revoked"


class CalendarUnreadable(ProviderError):
    """The provider answered, but not for this calendar (unknown mailbox, no access, an error inside a 200)."""

    reason = "calendar_unreadable"


class MailboxUnknown(CalendarUnreadable):
    """The organization has no such mailbox, or whoever it belonged to is suspended."""

    reason = "mailbox_unknown"


class MailboxWithoutCalendar(CalendarUnreadable):
    """The organization knows the address, but keeps no calendar for it."""

    reason = "mailbox_without_calendar"


class DelegationMissing(ProviderError):
    """The organization's administrator does not let us in: not yet, not any more, or not with this scope."""

    reason = "delegation_missing"


class ProviderMisconfigured(ProviderError):
    """Our own registration at the provider is wrong (client secret, redirect URI): the operator's business."""

    reason = "provider_misconfigured"


class ProviderUnavailable(ProviderError):
    """The provider did not answer in time, is down or throttles us beyond the time box."""

    reason = "provider_unavailable"


class EventRefused(ProviderError):
    """Cronofy will never take this event as it is."""

    reason = "event_refused"


class UnreadableMember(NamedTuple):
    """One calendar of a member that could not be read; ``reason`` is that of the ``ProviderError``."""

    sub: str
    profile_id: str
    reason: str


class MembersUnreadable(ProviderError):
    """The caller wants no answer while a calendar that counts cannot be read (503, with the list)."""

    reason = "members_unreadable"

    def __init__(self, members: Sequence[UnreadableMember]) -> None:
        super().__init__(self.reason)
        self.members = members


# --- Callbacks ------------------------------------------------------------------------------------------


class MailboxRefused(FreeBusyError):
    """A mailbox cannot be connected; ``key`` is what the application is told (``service.access_answers.REFUSALS``)."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class CallbackFailed(FreeBusyError):
    """The application was not reached, or did not take what it was sent: try again later.

    Says what happened in words of ours, and nothing of the URL.
    """


class CallbackGone(CallbackFailed):
    """The application says that nothing is to be sent there any more (410)."""


class CallbackUnsigned(FreeBusyError):
    """None of the application's secrets can sign what it would be sent; a new one could."""


# --- Mail ------------------------------------------------------------------------------------------------


class MailRefused(FreeBusyError):
    """The mail service will never take this message: a bad address, or one that is suppressed."""


class MailUnavailable(FreeBusyError):
    """The mail service throttles us, is paused or does not answer: try again later.

    ``perhaps_sent``: no answer came, so that the message may have been taken all the same.
    """

    def __init__(self, reason: str, *, perhaps_sent: bool = False) -> None:
        super().__init__(reason)
        self.perhaps_sent = perhaps_sent


class MailIgnored(FreeBusyError):
    """Mail that came in and changes nothing; ``reason`` is the word that is logged about it (``domain.reply``)."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
