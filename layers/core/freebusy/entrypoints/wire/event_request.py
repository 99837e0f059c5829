"""Requests that write managed events: ``/v1/calendars/{calendar_id}/events`` and ``DELETE /v1/events``.

What this service cannot do is refused rather than left undone in silence; fields it does not know are ignored.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field

from freebusy.domain.errors import InsufficientScope, InvalidRequest, RefusedBecause
from freebusy.domain.event import Conferencing, ExtendedTransparency, Location, RecurrenceRule, Transparency, When
from freebusy.domain.event_changes import MOST_ATTENDEES, MOST_LISTED, EventUpsert, Invitee, Keep, same_address
from freebusy.entrypoints.wire.event_fields import (
    WEEKDAYS,
    Color,
    Email,
    EventId,
    Frequency,
    JoinUrl,
    Latitude,
    Line,
    Longitude,
    Name,
    Repetitions,
    Summary,
    Tags,
    Text,
    Url,
    Weekday,
)
from freebusy.entrypoints.wire.moments import GivenMoment, Moment, Zone
from freebusy.entrypoints.wire.validation import AS_OBJECT, Minutes, validated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_REMINDERS = 5
LONGEST_REMINDER = 40_320
"""Four weeks, in minutes."""
MOST_DAYS = 50
MOST_EXCEPTIONS = 400

_UTC = "Etc/UTC"
_NO_CONFERENCING = {"none", "default"}
"""``default`` asks for the conferencing service that the person connected, of which there is none."""


# --- The body of an upsert -------------------------------------------------------------------------


class Place(BaseModel):
    description: Line | None = None
    lat: Latitude | None = None
    long: Longitude | None = None


class Reminder(BaseModel):
    minutes: Annotated[Minutes, Field(ge=0, le=LONGEST_REMINDER)]


class Guest(BaseModel):
    email: Email
    display_name: Name | None = None


class FormerGuest(BaseModel):
    email: Email


class Guests(BaseModel):
    """A change to the list. Who is to go is under ``remove`` in some SDKs, under ``reject`` in others."""

    invite: Annotated[list[Guest], Field(max_length=MOST_ATTENDEES)] | None = None
    remove: Annotated[list[FormerGuest], Field(max_length=MOST_LISTED)] | None = None
    reject: Annotated[list[FormerGuest], Field(max_length=MOST_LISTED)] | None = None


class Meeting(BaseModel):
    profile_id: Line
    provider_description: Line | None = None
    join_url: JoinUrl | None = None


class Rule(BaseModel):
    frequency: Frequency
    interval: Repetitions | None = None
    count: Repetitions | None = None
    until: GivenMoment | None = None
    by_day: Annotated[list[Weekday], Field(max_length=MOST_DAYS)] | None = None
    exceptions: Annotated[list[GivenMoment], Field(max_length=MOST_EXCEPTIONS)] | None = None


class Recurrence(BaseModel):
    rules: list[Rule] | None = None


class Event(BaseModel):
    event_id: EventId
    summary: Summary
    start: GivenMoment
    end: GivenMoment
    description: Text | None = None
    tzid: Zone | None = None
    location: Annotated[Place | None, AS_OBJECT] = None
    url: Url | None = None
    reminders: Annotated[list[Reminder], Field(max_length=MOST_REMINDERS)] | None = None
    reminders_create_only: bool | None = None
    transparency: Transparency | None = None
    extended_transparency: ExtendedTransparency | None = None
    event_private: bool | None = None
    color: Color | None = None
    attendees: Annotated[Guests | None, AS_OBJECT] = None
    conferencing: Annotated[Meeting | None, AS_OBJECT] = None
    recurrence: Annotated[Recurrence | None, AS_OBJECT] = None
    tags: Annotated[Tags | None, AS_OBJECT] = None
    subscriptions: list[Any] | None = None
    attachments: list[Any] | None = None


def event_upsert(body: Mapping[str, Any]) -> EventUpsert:
    """Raises InvalidRequest, or InsufficientScope for an event that is not the application's own."""
    _refuse_external(body)
    asked = validated(Event, body)
    refused = RefusedBecause()
    when = _when(asked, refused)
    guests = asked.attendees or Guests()
    upsert = EventUpsert(
        event_id=asked.event_id,
        summary=asked.summary,
        when=when,
        description=asked.description or "",
        location=_location(asked.location, refused),
        url=asked.url if "url" in asked.model_fields_set else Keep.STORED,
        conferencing=_conferencing(asked.conferencing, refused),
        reminders=tuple(dict.fromkeys(reminder.minutes for reminder in asked.reminders or ())),
        reminders_create_only=bool(asked.reminders_create_only),
        transparency=_transparency(asked, when),
        extended_transparency=asked.extended_transparency,
        private=bool(asked.event_private),
        color=asked.color,
        recurrence=_recurrence(asked.recurrence, when, refused),
        tags=(asked.tags or Tags()).names,
        invite=tuple(Invitee(guest.email, guest.display_name or None) for guest in guests.invite or ()),
        uninvite=tuple(guest.email for guest in (*(guests.remove or ()), *(guests.reject or ()))),
    )
    _refuse_contradictions(upsert, refused)
    for name in ("subscriptions", "attachments"):
        if getattr(asked, name):
            refused.add(name, "errors.not_supported", f"{name} are not supported")
    refused.raise_if_any()
    return upsert


def _when(asked: Event, refused: RefusedBecause) -> When:
    start, end = asked.start, asked.end
    if start.dated != end.dated:
        refused.add("end", "errors.invalid_time_pair", "start and end must both be dates or both be times")
    elif end.seconds <= start.seconds:
        refused.add(
            "end", "errors.invalid_time_pair", "end must be after start; of dates, it is the day after the last"
        )
    if start.dated:
        return When(start.seconds, end.seconds, all_day=True)
    start_zone = start.zone or asked.tzid or end.zone or _UTC
    return When(start.seconds, end.seconds, start_zone=start_zone, end_zone=end.zone or asked.tzid or start_zone)


def _location(place: Place | None, refused: RefusedBecause) -> Location | None:
    if place is None or not (place.description or place.lat or place.long):
        return None
    if (place.lat is None) != (place.long is None):
        refused.add("location", "errors.invalid_format", "lat and long belong together")
    return Location(place.description or "", place.lat, place.long)


def _conferencing(meeting: Meeting | None, refused: RefusedBecause) -> Conferencing | Keep | None:
    """What the person joins. Leaving the field out keeps what was stored."""
    match meeting:
        case None:
            return Keep.STORED
        case Meeting(profile_id=nothing) if nothing in _NO_CONFERENCING:
            return None
        case Meeting(profile_id="explicit", join_url=None):
            refused.add("conferencing.join_url", "errors.required", "join_url must be specified")
        case Meeting(profile_id="explicit", join_url=str(join_url), provider_description=description):
            return Conferencing(join_url, description or None)
        case Meeting(profile_id="integrated"):
            problem = "there is no write access to the calendar, so it cannot make a conference"
            refused.add("conferencing.profile_id", "errors.integrated_conferencing_not_available", problem)
        case _:
            problem = "no such conferencing profile: use explicit, with the join_url"
            refused.add("conferencing.profile_id", "errors.not_recognized", problem)
    return None


def _transparency(asked: Event, when: When) -> Transparency:
    """The finer word decides; without either, an event of whole days leaves the person free."""
    if asked.extended_transparency:
        return asked.extended_transparency.transparency
    return asked.transparency or (Transparency.TRANSPARENT if when.all_day else Transparency.OPAQUE)


def _refuse_contradictions(upsert: EventUpsert, refused: RefusedBecause) -> None:
    invited = {same_address(invitee.email) for invitee in upsert.invite}
    if any(same_address(email) in invited for email in upsert.uninvite):
        refused.add("attendees.invite", "errors.invalid_format", "nobody can be invited and removed at once")


# --- Recurrence ------------------------------------------------------------------------------------


def _recurrence(recurrence: Recurrence | None, when: When, refused: RefusedBecause) -> tuple[RecurrenceRule, ...]:
    rules = recurrence.rules if recurrence and recurrence.rules else []
    if len(rules) > 1:
        refused.add("recurrence.rules", "errors.max_recurrence_rules_exceeded", "an event has at most one rule")
        return ()
    return tuple(_rule(rule, when, refused) for rule in rules)


def _rule(rule: Rule, when: When, refused: RefusedBecause) -> RecurrenceRule:
    """Raises nothing: what is wrong is added to ``refused``."""
    path = "recurrence.rules[0]"
    if rule.count is not None and rule.until is not None:
        problem = "either count or until ends a series"
        refused.add(f"{path}.until", "errors.not_supported_count_until_combination", problem)
    until = None if rule.until is None else _until(rule.until, when)
    if until is not None and until < when.start:
        refused.add(f"{path}.until", "errors.invalid_time_pair", "until must not be before start")
    if when.all_day and rule.until and not rule.until.dated:
        refused.add(f"{path}.until", "errors.must_be_date", "until must be a date, as start is")
    exceptions = rule.exceptions or ()
    for number, exception in enumerate(exceptions):
        if exception.dated != when.all_day:
            refused.add(f"{path}.exceptions[{number}]", "errors.invalid_format", "must be a start of the series")
    by_day = tuple(dict.fromkeys(rule.by_day or ()))
    if any(len(day) > len("MO") for day in by_day) and rule.frequency in {"daily", "weekly"}:
        refused.add(f"{path}.by_day", "errors.not_recognized", "only months and years have a second or last Monday")
    elif by_day and not _begins(when, rule.frequency, by_day):
        refused.add(f"{path}.by_day", "errors.invalid_format", "the event must start on one of these days")
    return RecurrenceRule(
        frequency=rule.frequency,
        interval=rule.interval or 1,
        count=rule.count,
        until=until,
        by_day=by_day,
        exceptions=tuple(sorted({exception.seconds for exception in exceptions})),
    )


def _until(until: Moment, when: When) -> int:
    """The last moment at which an occurrence may start: a date, of a series with times, is all of that day there."""
    if not until.dated or when.all_day:
        return until.seconds
    midnight = datetime.combine(_day_of(until.seconds, None) + timedelta(days=1), time(), ZoneInfo(when.start_zone))
    return int(midnight.timestamp()) - 1


def _begins(when: When, frequency: str, by_day: Sequence[str]) -> bool:
    """Whether the start is of its own series; calendars disagree about what happens when it is not."""
    day = _day_of(when.start, None if when.all_day else when.start_zone)
    if frequency == "yearly":
        first, last = day.replace(month=1, day=1), day.replace(month=12, day=31)
    else:
        first, last = day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1])
    weekday = WEEKDAYS[day.weekday()]
    from_first, from_last = (day - first).days // 7 + 1, (last - day).days // 7 + 1
    return not {weekday, f"{from_first}{weekday}", f"-{from_last}{weekday}"}.isdisjoint(by_day)


def _day_of(moment: int, zone: str | None) -> date:
    return datetime.fromtimestamp(moment, ZoneInfo(zone) if zone else UTC).date()


# --- Deletions -------------------------------------------------------------------------------------


class Deletion(BaseModel):
    event_id: EventId


def event_deletion(body: Mapping[str, Any]) -> str:
    """The ``event_id``. Raises InvalidRequest, or InsufficientScope for an event that is not the application's own."""
    _refuse_external(body)
    return validated(Deletion, body).event_id


def bulk_deletion(body: Mapping[str, Any], query: Mapping[str, Sequence[str]]) -> frozenset[str] | None:
    """The calendars whose events go; None for all. The Python SDK says it in the query. Raises InvalidRequest."""
    given = {**{name: values[-1] for name, values in query.items()}, **body}
    delete_all = given.get("delete_all")
    calendar_ids = body.get("calendar_ids", body.get("calendar_ids[]"))
    if calendar_ids is None:
        calendar_ids = [*query.get("calendar_ids[]", ()), *query.get("calendar_ids", ())] or None
    everything = _boolean(delete_all)
    if everything == (calendar_ids is not None):
        problem = "exactly one of delete_all and calendar_ids must be specified"
        raise InvalidRequest.of("delete_all", "errors.required", problem)
    if everything:
        return None
    if not isinstance(calendar_ids, list) or not all(isinstance(each, str) and each for each in calendar_ids):
        calendar_ids = []
    if not calendar_ids:
        problem = "calendar_ids must be calendars of this account"
        raise InvalidRequest.of("calendar_ids", "errors.invalid_calendar_ids", problem)
    return frozenset(calendar_ids)


def _boolean(value: object) -> bool:
    match value:
        case bool():
            return value
        case None | "":
            return False
        case str() if value.lower() in {"true", "1"}:
            return True
        case str() if value.lower() in {"false", "0"}:
            return False
    raise InvalidRequest.of("delete_all", "errors.must_be_boolean", "delete_all must be true or false")


def _refuse_external(body: Mapping[str, Any]) -> None:
    """``event_uid`` names events that others made, which nobody but their owner may change."""
    event_uid = body.get("event_uid")
    if event_uid is None or body.get("event_id") is not None:
        return
    if isinstance(event_uid, str) and event_uid.startswith("evt_external_"):
        raise InsufficientScope("events of others cannot be changed with free/busy access")
    raise InvalidRequest.of(
        "event_uid", "errors.must_be_external_event_uid", "event_uid must be that of an external event; use event_id"
    )
