"""Every route, in the order in which people read about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from freebusy.domain.access_request import MOST_AT_ONCE
from freebusy.domain.channel import LONGEST_CALLBACK_URL, MOST_CHANNELS
from freebusy.entrypoints.openapi import examples
from freebusy.entrypoints.openapi.components import PROVIDERS, empty_or
from freebusy.entrypoints.openapi.shapes import Schema, answered, either, exactly, items, named, sent, text, truth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
HTML = "text/html"
CALENDAR = "text/calendar"


KEY = "Idempotency-Key"
ABOUT_KEY = "A header: the client's own name for this request, which is then carried out once however often it is sent."


class Section(StrEnum):
    """Its value is its address under ``/docs`` as well."""

    CONNECT = "connect"
    TOKENS = "tokens"
    ACCOUNTS = "accounts"
    FREE_BUSY = "free-busy"
    AVAILABILITY = "availability"
    HOURS = "hours"
    EVENTS = "events"
    CHANNELS = "channels"
    ORGANIZATIONS = "organizations"
    DOCUMENTATION = "documentation"


ABOUT = {
    Section.CONNECT: ("Connecting a calendar", "Addresses that a person's browser is sent to."),
    Section.TOKENS: ("Tokens", "What an application exchanges codes for, and how it ends that."),
    Section.ACCOUNTS: ("Accounts", "Who is connected, and with which calendars."),
    Section.FREE_BUSY: ("Free/busy", "When one person is busy."),
    Section.AVAILABILITY: ("Availability", "When enough people are free together."),
    Section.HOURS: ("Bookable hours", "When an application lets somebody be booked."),
    Section.EVENTS: ("Events", "Managed events: stored here, and mailed to the person as invitations."),
    Section.CHANNELS: ("Push notifications", "Where an application is told that something changed."),
    Section.ORGANIZATIONS: ("Organizations", "Whole organizations that their administrator connected."),
    Section.DOCUMENTATION: ("This documentation", "For people, and for programs."),
}


class Caller(StrEnum):
    """Who may call, and so the name of the security scheme."""

    ANYBODY = "anybody"
    PERSON = "access_token"
    APPLICATION = "client_secret"
    ORGANIZATION = "service_account_token"


class Answer(NamedTuple):
    """Of one status. Without ``kind`` it has no body."""

    about: str
    schema: Schema | None = None
    example: Any = None
    kind: str | None = JSON


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    section: Section
    summary: str
    callers: tuple[Caller, ...] = (Caller.PERSON,)
    about: str = ""
    query: tuple[tuple[str, Schema, bool], ...] = ()
    body: Schema | None = None
    forms: bool = False
    body_example: Any = None
    answers: Mapping[int, Answer] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()
    once: bool = False

    @property
    def limited(self) -> bool:
        """Whether requests count as ones of an application."""
        return self.callers != (Caller.ANYBODY,) or (self.section, self.method) == (Section.TOKENS, "POST")

    @property
    def operation_id(self) -> str:
        """As get_v1_free_busy_pages_token."""
        words = "".join(letter if letter.isalnum() else "_" for letter in f"{self.method} {self.path}")
        return "_".join(filter(None, words.lower().split("_")))


NOTHING = Answer("Done.", kind=None)
TAKEN = Answer("It is stored, and will be carried out.", kind=None)
PAGE = Answer("A page for the person.", kind=HTML)
ON_THEIR_WAY = Answer(
    "To the provider, or back to the application: with a code, or an error (RFC 6749, 4.1.2).", kind=None
)

REFUSALS: dict[int, Answer] = {
    400: Answer("What was sent is not right (RFC 6749, 5.2).", named("OAuthError")),
    401: Answer("The token is missing, unknown or expired: refresh it.", named("Error"), {"error": "invalid_token"}),
    403: Answer("The caller may not do this.", named("Error"), {"error": "forbidden"}),
    404: Answer("There is no such thing for this caller.", named("Error"), {"error": "not_found"}),
    409: Answer(
        "A request with this Idempotency-Key is being carried out: send it again in a moment.",
        named("Error"),
        {"error": "conflict"},
    ),
    413: Answer(
        "The body is too large: send less at once.",
        named("Invalid"),
        {"errors": {"body": [{"key": "errors.too_long", "description": "the body has more than 64000 bytes"}]}},
    ),
    415: Answer("The body is compressed: send it as it is.", named("Invalid")),
    422: Answer("What was sent is not right, field by field.", named("Invalid"), examples.INVALID),
    423: Answer("The calendar was disconnected, and takes no events.", named("Error"), {"error": "locked"}),
    429: Answer(
        "The application has used up this minute: wait as long as Retry-After says.",
        named("Error"),
        {"error": "too_many_requests"},
    ),
    500: Answer("Our fault.", named("Error"), {"error": "server_error"}),
    503: Answer("Storage or provider do not answer: try again.", named("Error"), {"error": "service_unavailable"}),
}

_UNREADABLE = Answer("As always; and with on_unreadable: fail, who could not be read.", named("MembersUnreadable"))

ALWAYS = (500, 503)
_KNOWN = (401, 403)


def _paged(path: str, key: str, row: Schema, example: Any, section: Section, **first: Any) -> Sequence[Operation]:
    """A read, and its later pages."""
    extra = first.pop("extra", {})
    page = answered({"pages": named("Pages"), key: items(row)}, extra)
    summary = first.pop("summary")
    return (
        Operation(
            "GET",
            path,
            section,
            summary,
            answers={200: Answer("The first page.", page, example)},
            refusals=(*_KNOWN, 404, 422),
            **first,
        ),
        Operation(
            "GET",
            f"{path}/pages/{{token}}",
            section,
            f"{summary}: a later page",
            about="pages.next_page of the page before says the whole address. Pages are kept for an hour.",
            answers={200: Answer("That page.", page, example)},
            refusals=(*_KNOWN, 404),
        ),
    )


def _flag(name: str, about: str) -> tuple[str, Schema, bool]:
    return name, truth(about), False


_AUTHORIZING = (
    ("response_type", text("code"), True),
    ("client_id", text(), True),
    ("redirect_uri", text("One that is registered, to the letter."), True),
    ("scope", text("free_busy_write, or free_busy only to read."), True),
    ("state", text("Comes back as it was."), False),
    ("provider_name", text(f"{' or '.join(PROVIDERS)}: skips the page to choose."), False),
    ("locale", text("The language of pages."), False),
)
_CALLBACK = (
    ("state", text("Ours, for one use."), True),
    ("code", text("The provider's."), False),
    ("error", text("The provider's."), False),
)
_TO_CONNECTIONS = Answer("To the person's connections.", kind=None)
_OWN_FORM: dict[str, Any] = {
    "body": sent({}, {"form_token": text("Of the page that the form is on; of no use where nobody is signed in.")}),
    "forms": True,
    "body_example": {"form_token": "of-the-page"},
}
_WINDOW = (
    ("tzid", text("Of the IANA database."), True),
    ("from", text("A date or a time."), False),
    ("to", text("A date or a time; not included."), False),
    ("calendar_ids[]", text("Only this calendar; may be repeated."), False),
)
_FREE_BUSY_QUERY = (
    *_WINDOW,
    ("last_modified", text("Managed events that were changed since."), False),
    _flag("include_managed", "Also what applications booked."),
    _flag("include_ids", "With the names of managed events."),
    _flag("include_free", "Also what leaves the person free."),
    _flag("include_deleted", "Also managed events that were deleted."),
    _flag("localized_times", "Times as they are in tzid."),
)
_CREDENTIALS = {"client_id": text()}
_SECRET = {"client_secret": text("Of confidential applications.")}
_REVOCATION = {
    **_SECRET,
    "request_pii_erasure": either(
        truth(),
        exactly("true", "false", "1", "0", ""),
        about="Whether everything that is stored about the account is to be erased as well.",
    ),
}
_TOKEN_BODY = either(
    sent(
        {**_CREDENTIALS, "grant_type": text("authorization_code"), "code": text(), "redirect_uri": text()},
        {**_SECRET, "code_verifier": text("Of public applications (RFC 7636).")},
    ),
    sent({**_CREDENTIALS, "grant_type": text("refresh_token"), "refresh_token": text()}, _SECRET),
)

OPERATIONS: tuple[Operation, ...] = (
    # --- Connecting
    Operation(
        "GET",
        "/oauth/authorize",
        Section.CONNECT,
        "Ask a person to connect their calendar",
        (Caller.ANYBODY,),
        query=(
            *_AUTHORIZING,
            ("code_challenge", text("Of public applications (RFC 7636)."), False),
            ("code_challenge_method", text("S256"), False),
            ("link_token", text("Adds the calendar to the account that it was made for."), False),
        ),
        answers={200: PAGE, 302: ON_THEIR_WAY, 400: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/oauth/relink/{sub}/{profile_id}",
        Section.CONNECT,
        "Connect a calendar again",
        (Caller.ANYBODY,),
        about="The profile_relink_url of a profile that is not connected any more.",
        answers={302: ON_THEIR_WAY, 400: PAGE, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/oauth/callback/{provider}",
        Section.CONNECT,
        "Come back from the provider",
        (Caller.ANYBODY,),
        about="The redirect URI that is registered at Google and Microsoft.",
        query=_CALLBACK,
        answers={200: PAGE, 302: ON_THEIR_WAY, 400: PAGE, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/connections",
        Section.CONNECT,
        "What a person's calendar is connected to",
        (Caller.ANYBODY,),
        about="For people, who sign in there: an application may link to it.",
        query=(("locale", text("The language of pages."), False),),
        answers={200: PAGE, 400: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/connections/sign_in/{provider}",
        Section.CONNECT,
        "Sign in to it",
        (Caller.ANYBODY,),
        about="At google or microsoft, which are asked who the person is, and nothing about their calendar.",
        answers={302: ON_THEIR_WAY, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/connections/{profile_id}/disconnect",
        Section.CONNECT,
        "Ask whether to disconnect",
        (Caller.ANYBODY,),
        answers={200: PAGE, 303: _TO_CONNECTIONS, 403: PAGE, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "POST",
        "/connections/{profile_id}/disconnect",
        Section.CONNECT,
        "Disconnect",
        (Caller.ANYBODY,),
        about="The form of the page before, by the person who is signed in; as /v1/profiles/{profile_id}/revoke.",
        **_OWN_FORM,
        answers={303: _TO_CONNECTIONS, 400: PAGE, 403: PAGE, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "POST",
        "/connections/sign_out",
        Section.CONNECT,
        "Sign out of it",
        (Caller.ANYBODY,),
        **_OWN_FORM,
        answers={303: _TO_CONNECTIONS, 403: PAGE, 500: PAGE, 503: PAGE},
    ),
    # --- Tokens
    Operation(
        "POST",
        "/oauth/token",
        Section.TOKENS,
        "Exchange a code, or refresh",
        (Caller.ANYBODY,),
        body=_TOKEN_BODY,
        forms=True,
        body_example=examples.TOKEN_REQUEST,
        answers={200: Answer("Tokens.", named("Tokens"), examples.TOKENS), 401: REFUSALS[400]},
        refusals=(400,),
    ),
    Operation(
        "POST",
        "/oauth/token/revoke",
        Section.TOKENS,
        "End an authorization",
        (Caller.ANYBODY,),
        about="Everything that the application was granted by this account or organization ends at once. Where an"
        " application with a secret asks for it, everything stored is erased in the minutes after that.",
        body=either(
            sent({**_CREDENTIALS, "token": text("Of either kind.")}, _REVOCATION),
            sent({**_CREDENTIALS, "refresh_token": text()}, _REVOCATION),
            sent({**_CREDENTIALS, "sub": text("An account, or an organization.")}, _REVOCATION),
        ),
        forms=True,
        body_example=examples.REVOCATION,
        answers={200: NOTHING, 401: REFUSALS[400]},
        refusals=(400,),
    ),
    Operation(
        "GET",
        "/.well-known/oauth-authorization-server",
        Section.TOKENS,
        "What this authorization server can do",
        (Caller.ANYBODY,),
        answers={200: Answer("RFC 8414.", {"type": "object", "required": ["issuer", "token_endpoint"]})},
    ),
    # --- Accounts
    Operation(
        "GET",
        "/v1/account",
        Section.ACCOUNTS,
        "The account",
        answers={200: Answer("The account.", named("Account"), examples.ACCOUNT)},
        refusals=_KNOWN,
    ),
    Operation(
        "GET",
        "/v1/userinfo",
        Section.ACCOUNTS,
        "The account or organization, with all about it",
        (Caller.PERSON, Caller.ORGANIZATION),
        answers={200: Answer("OpenID Connect's userinfo, and more.", named("Userinfo"))},
        refusals=_KNOWN,
    ),
    Operation(
        "GET",
        "/v1/profiles",
        Section.ACCOUNTS,
        "The profiles of the account",
        answers={
            200: Answer(
                "One for each calendar, and one for managed events.",
                answered({"profiles": items(named("Profile"))}),
                examples.PROFILES,
            )
        },
        refusals=_KNOWN,
    ),
    Operation(
        "POST",
        "/v1/profiles/{profile_id}/revoke",
        Section.ACCOUNTS,
        "Disconnect a profile",
        answers={202: TAKEN},
        refusals=(*_KNOWN, 404, 422),
    ),
    Operation(
        "GET",
        "/v1/calendars",
        Section.ACCOUNTS,
        "The calendars of the account",
        answers={200: Answer("One for each profile.", answered({"calendars": items(named("Calendar"))}))},
        refusals=_KNOWN,
    ),
    Operation("POST", "/v1/calendars", Section.ACCOUNTS, "Create a calendar: never permitted", refusals=_KNOWN),
    Operation("POST", "/v1/permissions", Section.ACCOUNTS, "Ask for more: never permitted", refusals=_KNOWN),
    Operation(
        "POST",
        "/v1/link_tokens",
        Section.ACCOUNTS,
        "Prepare to connect a further calendar to the account",
        answers={200: Answer("For five minutes.", answered({"link_token": text()}), {"link_token": "lnk_8Bd1vO"})},
        refusals=_KNOWN,
    ),
    # --- Free/busy
    *_paged(
        "/v1/free_busy",
        "free_busy",
        named("BusyRow"),
        examples.FREE_BUSY,
        Section.FREE_BUSY,
        summary="When the person is busy",
        about="From 42 days back to 201 days ahead.",
        query=_FREE_BUSY_QUERY,
        extra={"unreadable_calendars": items(answered({"calendar_id": text(), "reason": text()}))},
    ),
    Operation(
        "GET",
        "/v1/free_busy.ics",
        Section.FREE_BUSY,
        "The same as a calendar object",
        about="A VFREEBUSY with everything that is known, for programs that read iCalendar (RFC 5545, RFC 7953).",
        query=_FREE_BUSY_QUERY,
        answers={200: Answer("iCalendar.", kind=CALENDAR)},
        refusals=(*_KNOWN, 404, 422),
    ),
    # --- Availability
    Operation(
        "POST",
        "/v1/availability",
        Section.AVAILABILITY,
        "When enough people are free together",
        (Caller.APPLICATION, Caller.PERSON),
        about="Up to 200 members, in 35 days. Whoever cannot be read is never free, and is listed.",
        body=named("AvailabilityQuery"),
        body_example=examples.AVAILABILITY_QUERY,
        answers={
            200: Answer("In order of time.", named("AvailabilityAnswer"), examples.AVAILABILITY),
            503: _UNREADABLE,
        },
        refusals=(*_KNOWN, 422),
    ),
    Operation(
        "POST",
        "/v1/availability/explain",
        Section.AVAILABILITY,
        "Why a start is offered, or is not",
        (Caller.APPLICATION, Caller.PERSON),
        about="The same query, and the start that is asked about.",
        body=named("ExplanationQuery"),
        body_example={**examples.AVAILABILITY_QUERY, "start": "2030-01-07T09:00:00Z"},
        answers={
            200: Answer("Who is free, and what keeps the others.", named("ExplanationAnswer"), examples.EXPLANATION),
            503: _UNREADABLE,
        },
        refusals=(*_KNOWN, 422),
    ),
    Operation(
        "POST",
        "/v1/sequenced_availability",
        Section.AVAILABILITY,
        "When several meetings can follow each other",
        (Caller.APPLICATION, Caller.PERSON),
        body=named("SequenceQuery"),
        body_example=examples.SEQUENCE_QUERY,
        answers={200: Answer("In order of time.", named("SequencesAnswer"), examples.SEQUENCES), 503: _UNREADABLE},
        refusals=(*_KNOWN, 422),
    ),
    # --- Bookable hours
    Operation(
        "POST",
        "/v1/availability_rules",
        Section.HOURS,
        "Write the hours of a week",
        body=sent(
            {
                "availability_rule_id": text("The application's own name for it."),
                "tzid": text(),
                "weekly_periods": items(sent({"day": text(), "start_time": text(), "end_time": text()})),
            },
            {"calendar_ids": items(text())},
        ),
        body_example=examples.RULE,
        answers={
            200: Answer(
                "As it is stored.",
                answered({"availability_rule": named("AvailabilityRule")}),
                {"availability_rule": examples.RULE},
            )
        },
        refusals=(*_KNOWN, 404, 422),
    ),
    Operation(
        "GET",
        "/v1/availability_rules",
        Section.HOURS,
        "All of them",
        answers={
            200: Answer(
                "All rules.",
                answered({"availability_rules": items(named("AvailabilityRule"))}),
                {"availability_rules": [examples.RULE]},
            )
        },
        refusals=_KNOWN,
    ),
    Operation(
        "GET",
        "/v1/availability_rules/{availability_rule_id}",
        Section.HOURS,
        "One of them",
        answers={
            200: Answer(
                "The rule.",
                answered({"availability_rule": named("AvailabilityRule")}),
                {"availability_rule": examples.RULE},
            )
        },
        refusals=(*_KNOWN, 404),
    ),
    Operation(
        "DELETE",
        "/v1/availability_rules/{availability_rule_id}",
        Section.HOURS,
        "Delete one",
        answers={202: TAKEN},
        refusals=_KNOWN,
    ),
    Operation(
        "POST",
        "/v1/available_periods",
        Section.HOURS,
        "Write a single period",
        body=sent(
            {"available_period_id": text(), "start": named("GivenMoment"), "end": named("GivenMoment")},
            {"tzid": text()},
        ),
        body_example=examples.AVAILABLE_PERIOD,
        answers={202: TAKEN},
        refusals=(*_KNOWN, 422),
    ),
    *_paged(
        "/v1/available_periods",
        "available_periods",
        answered({"available_period_id": text(), "start": named("Moment"), "end": named("Moment")}),
        None,
        Section.HOURS,
        summary="All single periods",
        query=(
            ("from", text("A date or a time."), False),
            ("to", text("A date or a time; not included."), False),
            ("tzid", text("Required with from or to."), False),
            _flag("localized_times", "Times as they are in tzid."),
        ),
    ),
    Operation(
        "DELETE",
        "/v1/available_periods",
        Section.HOURS,
        "Delete one of them, or all",
        body=sent({}, {"available_period_id": text(), "delete_all": either(truth(), text())}),
        body_example={"available_period_id": "monday"},
        answers={202: TAKEN},
        refusals=(*_KNOWN, 422),
    ),
    # --- Events
    Operation(
        "POST",
        "/v1/calendars/{calendar_id}/events",
        Section.EVENTS,
        "Create or change an event",
        about="Known by its event_id; what is left out goes back to its default.",
        body=named("EventUpsert"),
        body_example=examples.EVENT_UPSERT,
        answers={202: TAKEN},
        refusals=(*_KNOWN, 404, 422, 423),
    ),
    Operation(
        "DELETE",
        "/v1/calendars/{calendar_id}/events",
        Section.EVENTS,
        "Delete an event",
        body=sent({"event_id": text()}),
        body_example={"event_id": "meeting-7"},
        answers={202: TAKEN},
        refusals=(*_KNOWN, 404, 422, 423),
    ),
    Operation(
        "DELETE",
        "/v1/events",
        Section.EVENTS,
        "Delete the events of calendars, or all",
        about="Body and query say the same.",
        query=(_flag("delete_all", "All of the account."), ("calendar_ids[]", text("May be repeated."), False)),
        body=sent({}, {"delete_all": either(truth(), text()), "calendar_ids": items(text())}),
        body_example={"delete_all": True},
        answers={202: TAKEN},
        refusals=(*_KNOWN, 404, 422, 423),
    ),
    Operation(
        "POST",
        "/v1/batch",
        Section.EVENTS,
        "Up to 50 upserts and deletions",
        about="Of events and of available periods, carried out in their order; none stops those after it.",
        body=sent({"batch": items({}, "Objects with method, relative_url and data.")}),
        body_example=examples.BATCH,
        answers={207: Answer("An answer to each.", named("BatchAnswer"), {"batch": [{"status": 202}]})},
        refusals=(*_KNOWN, 409, 422),
        once=True,
    ),
    *_paged(
        "/v1/events",
        "events",
        named("Event"),
        examples.EVENTS,
        Section.EVENTS,
        summary="Read managed events",
        about="Only with include_managed or only_managed; what else is in the person's calendar is never shown.",
        query=(
            *_WINDOW,
            ("last_modified", text("Only what was changed since."), False),
            _flag("include_managed", "Shows them."),
            _flag("only_managed", "The same here."),
            _flag("include_deleted", "Also those that were deleted."),
            _flag("include_moved", "Also those that were moved out of the window."),
            _flag("localized_times", "Times as they are in tzid."),
        ),
    ),
    Operation(
        "POST",
        "/v1/calendars/{calendar_id}/events/{event_uid}/participation_status",
        Section.EVENTS,
        "Answer for the person: never permitted",
        refusals=_KNOWN,
    ),
    # --- Push notifications
    Operation(
        "POST",
        "/v1/channels",
        Section.CHANNELS,
        "Open a channel",
        about=f"At most {MOST_CHANNELS} for one account. A notification of type verification follows.",
        body=sent(
            {"callback_url": text(f"https, of a public host, {LONGEST_CALLBACK_URL} characters at most.")},
            {"filters": empty_or(sent({}, {"calendar_ids": items(text(), minItems=1), "only_managed": truth()}))},
        ),
        body_example=examples.CHANNEL_REQUEST,
        answers={200: Answer("The channel.", answered({"channel": named("Channel")}), {"channel": examples.CHANNEL})},
        refusals=(*_KNOWN, 404, 409, 422),
        once=True,
    ),
    Operation(
        "GET",
        "/v1/channels",
        Section.CHANNELS,
        "All of them",
        answers={
            200: Answer(
                "All channels of this account.",
                answered({"channels": items(named("Channel"))}),
                {"channels": [examples.CHANNEL]},
            )
        },
        refusals=_KNOWN,
    ),
    Operation(
        "DELETE",
        "/v1/channels/{channel_id}",
        Section.CHANNELS,
        "Close one",
        answers={202: NOTHING},
        refusals=(*_KNOWN, 404),
    ),
    Operation(
        "POST",
        "/upstream/cronofy/channels/{handle}",
        Section.CHANNELS,
        "What Cronofy tells this service about somebody who is connected through it",
        (Caller.ANYBODY,),
        about="For Cronofy alone, which signs it with this deployment's own client secret there.",
        body={"type": "object"},
        body_example=examples.NOTIFICATION,
        answers={
            202: TAKEN,
            410: Answer("Nobody needs that channel any more.", named("Error"), {"error": "gone"}),
        },
        refusals=(401,),
    ),
    # --- Organizations
    Operation(
        "GET",
        "/enterprise_connect/oauth/authorize",
        Section.ORGANIZATIONS,
        "Ask an administrator to connect their organization",
        (Caller.ANYBODY,),
        about="With the scope service_account/accounts/manage, and service_account/resources/manage to list rooms.",
        query=(*_AUTHORIZING, ("delegated_scope", text("The most that is asked for a person later."), False)),
        answers={200: PAGE, 302: ON_THEIR_WAY, 400: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/enterprise_connect/callback/{provider}",
        Section.ORGANIZATIONS,
        "Come back from the provider",
        (Caller.ANYBODY,),
        query=_CALLBACK,
        answers={302: ON_THEIR_WAY, 400: PAGE, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/enterprise_connect/setup/{handle}",
        Section.ORGANIZATIONS,
        "What the administrator still has to do",
        (Caller.ANYBODY,),
        query=(("mailbox", text("Another one to try, at Microsoft."), False),),
        answers={200: PAGE, 302: ON_THEIR_WAY, 400: PAGE, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "GET",
        "/enterprise_connect/setup/{handle}/sign_in",
        Section.ORGANIZATIONS,
        "Sign in to it again",
        (Caller.ANYBODY,),
        answers={302: ON_THEIR_WAY, 400: PAGE, 404: PAGE, 500: PAGE, 503: PAGE},
    ),
    Operation(
        "POST",
        "/enterprise_connect/answers/{handle}",
        Section.ORGANIZATIONS,
        "Take in what Cronofy says of a mailbox",
        (Caller.ANYBODY,),
        about="Signed by Cronofy with the secret of this deployment's client there; nobody else is heard.",
        body=sent(
            {"authorization": sent({"state": text()}, {"code": text(), "error": text(), "error_key": text()})},
        ),
        body_example=examples.UPSTREAM_ANSWER,
        answers={
            202: TAKEN,
            403: Answer("Cronofy did not sign it.", kind=None),
            404: Answer("Nobody waits for it, any more or at all.", kind=None),
            500: PAGE,
            503: PAGE,
        },
    ),
    Operation(
        "POST",
        "/v1/service_account_authorizations",
        Section.ORGANIZATIONS,
        "Ask for access to mailboxes",
        (Caller.ORGANIZATION,),
        about=f"One, or up to {MOST_AT_ONCE}. What comes of each is told to its callback_url.",
        body=either(
            named("AccessRequest"),
            sent({"service_account_authorizations": items(named("AccessRequest"), minItems=1)}, {"state": text()}),
        ),
        body_example=examples.ACCESS_REQUEST,
        answers={202: TAKEN},
        refusals=(*_KNOWN, 409, 422),
        once=True,
    ),
    Operation(
        "GET",
        "/v1/resources",
        Section.ORGANIZATIONS,
        "The rooms of the organization",
        (Caller.ORGANIZATION,),
        answers={
            200: Answer(
                "Rooms and other resources.",
                answered({"resources": items(answered({"email": text(), "name": text()}))}),
                examples.RESOURCES,
            )
        },
        refusals=_KNOWN,
    ),
    # --- Documentation
    Operation(
        "GET",
        "/openapi.json",
        Section.DOCUMENTATION,
        "This API as an OpenAPI document",
        (Caller.ANYBODY,),
        answers={200: Answer("OpenAPI 3.1.", {"type": "object", "required": ["openapi", "info", "paths"]}), 500: PAGE},
    ),
    Operation(
        "GET",
        "/docs",
        Section.DOCUMENTATION,
        "The same for people",
        (Caller.ANYBODY,),
        answers={200: PAGE, 500: PAGE},
    ),
    Operation(
        "GET",
        "/docs/{section}",
        Section.DOCUMENTATION,
        "A part of it",
        (Caller.ANYBODY,),
        answers={200: PAGE, 404: PAGE, 500: PAGE},
    ),
)
