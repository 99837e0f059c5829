"""What several operations send or answer with."""

from __future__ import annotations

from freebusy.domain.availability import MAX_RESULTS
from freebusy.domain.event_changes import MOST_ATTENDEES, MOST_LISTED
from freebusy.domain.explanation import Cause
from freebusy.entrypoints.openapi.shapes import (
    Schema,
    answered,
    either,
    exactly,
    items,
    named,
    sent,
    text,
    truth,
    whole,
)

PROVIDERS = ("google_free_busy", "ms_graph_free_busy")
EVENT_STATUSES = ("needs_action", "accepted", "declined", "tentative", "unknown")

_TIME = text("A moment, in whole seconds of UTC.", format="date-time")
_DATE = text("A day.", format="date")
_ZONED = answered({"time": text(), "tzid": text()}, about="A time or a date as it is in that zone.")
_URL = text(format="uri")


def empty_or(schema: Schema) -> Schema:
    """PHP spells an empty object []."""
    return either(schema, {"type": "array", "maxItems": 0})


_TAGS = empty_or(sent({}, {"private": items(sent({"value": text()}))}))


def _number() -> Schema:
    """Some SDKs spell numbers as strings."""
    return either(whole(), text(pattern="^[0-9]+$"))


def _degrees() -> Schema:
    return either(text(), {"type": "number"})


ERRORS: dict[str, Schema] = {
    "Invalid": answered(
        {
            "errors": {
                "type": "object",
                "description": "By the path of the field, such as participants[0].members[1].sub.",
                "additionalProperties": items(answered({"key": text(), "description": text()})),
            }
        }
    ),
    "Error": answered({"error": text("A word that stays the same.")}),
    "OAuthError": answered({"error": text(), "error_description": text()}, about="RFC 6749, 5.2."),
}

IDENTITY: dict[str, Schema] = {
    "Tokens": answered(
        {
            "token_type": exactly("bearer"),
            "access_token": text(),
            "expires_in": whole("Seconds."),
            "refresh_token": text(),
            "scope": text("What was granted, which may be less than was asked for."),
        },
        {
            "account_id": text(),
            "sub": text("The account."),
            "service_account_id": text("The organization, where an administrator connected one."),
            "linking_profile": answered(
                {
                    "provider_name": text(),
                    "provider_service": text(),
                    "profile_id": text(),
                    "profile_name": text(),
                },
                about="The calendar that was connected.",
            ),
        },
    ),
    "Profile": answered(
        {
            "provider_name": exactly(*PROVIDERS, "cronofy"),
            "provider_service": text(),
            "profile_id": text(),
            "profile_name": text(),
            "profile_connected": truth(),
        },
        {"profile_relink_url": text("Where the person connects it again.", format="uri")},
    ),
    "Calendar": answered(
        {
            "provider_name": exactly(*PROVIDERS, "cronofy"),
            "provider_service": text(),
            "profile_id": text(),
            "profile_name": text(),
            "calendar_id": text(),
            "calendar_name": text(),
            "calendar_readonly": truth("False for the one that events are written to."),
            "calendar_deleted": truth(),
            "calendar_primary": truth(),
            "calendar_integrated_conferencing_available": truth(),
            "calendar_attachments_available": truth(),
            "permission_level": text(),
        }
    ),
    "Account": answered(
        {
            "account": answered(
                {"account_id": text(), "email": text(), "scope": text(), "default_tzid": text()}, {"name": text()}
            )
        }
    ),
    "Userinfo": answered(
        {
            "sub": text(),
            "email": text(),
            "cronofy.type": exactly("account", "service_account"),
            "cronofy.data": {"type": "object"},
        },
        {"name": text(), "zoneinfo": text()},
    ),
}

CHANNELS: dict[str, Schema] = {
    "Channel": answered(
        {
            "channel_id": text(),
            "callback_url": _URL,
            "filters": answered(
                {},
                {
                    "calendar_ids": items(text(), "Only what changes in these calendars is told."),
                    "only_managed": truth("Only what changes about managed events is told."),
                },
            ),
        }
    ),
}

TIMES: dict[str, Schema] = {
    "Time": _TIME,
    "Moment": either(_TIME, _DATE, _ZONED, about="A time; a date, of an event of whole days; either with a zone."),
    "GivenMoment": either(
        text("A time with an offset or Z, or a date."),
        sent({"time": text()}, {"tzid": text("Of the IANA database.")}),
        whole("Seconds since 1970."),
    ),
    "Pages": answered(
        {"current": whole(), "total": whole()}, {"next_page": text("Its address; for an hour.", format="uri")}
    ),
    "Period": sent({"start": text(), "end": text()}),
    "Duration": sent({}, {"minutes": whole(), "hours": whole()}, about="As {minutes: 30}."),
    "BufferSide": sent(
        {},
        {
            "minutes": whole(),
            "hours": whole(),
            "minimum": empty_or(named("Duration")),
            "maximum": empty_or(named("Duration")),
        },
    ),
    "Buffer": empty_or(sent({}, {"before": empty_or(named("BufferSide")), "after": empty_or(named("BufferSide"))})),
    "BusyRow": answered(
        {
            "calendar_id": text(),
            "start": named("Moment"),
            "end": named("Moment"),
            "free_busy_status": exactly("busy", "tentative", "free", "unknown"),
        },
        {"event_id": text(), "event_uid": text(), "deleted": truth()},
    ),
}

EVENTS: dict[str, Schema] = {
    "Attendee": answered(
        {"email": text(), "status": exactly(*EVENT_STATUSES)},
        {
            "display_name": text(),
            "comment": text("What they wrote with their answer."),
            "proposal": answered({"start": _TIME, "end": _TIME}, about="Another time that they proposed."),
            "delivery_status": exactly("refused", "bounced", "complained", about="Mail does not reach them."),
        },
    ),
    "Event": answered(
        {
            "calendar_id": text(),
            "event_uid": text(),
            "event_id": text(),
            "start": named("Moment"),
            "end": named("Moment"),
            "deleted": truth(),
            "created": _TIME,
            "updated": _TIME,
            "summary": text(),
            "description": text(),
            "transparency": exactly("opaque", "transparent"),
            "extended_transparency": text(),
            "categories": items(text()),
            "event_private": truth(),
            "participation_status": exactly(*EVENT_STATUSES, about="The person's own answer."),
            "attendees": items(named("Attendee")),
            "status": exactly("confirmed", "cancelled"),
            "recurring": truth(),
            "options": answered({"delete": truth(), "update": truth(), "change_participation_status": truth()}),
        },
        {
            "series_identifier": text(),
            "organizer": answered({"email": text()}, about="Where answers go; none where nobody is mailed."),
            "location": answered({"description": text()}, {"lat": text(), "long": text()}),
            "url": _URL,
            "color": text(),
            "meeting_url": _URL,
            "conferencing": answered({"join_url": _URL}, {"provider_name": text()}),
        },
    ),
    "Rule": sent(
        {"frequency": exactly("daily", "weekly", "monthly", "yearly")},
        {
            "interval": whole(minimum=1),
            "count": whole(minimum=1),
            "until": named("GivenMoment"),
            "by_day": items(text("MO, 2MO or -1FR.")),
            "exceptions": items(named("GivenMoment")),
        },
    ),
    "EventUpsert": sent(
        {
            "event_id": text("The application's own name for it."),
            "summary": text(),
            "start": named("GivenMoment"),
            "end": named("GivenMoment"),
        },
        {
            "description": text(),
            "tzid": text("The zone that the event is shown in."),
            "location": empty_or(sent({}, {"description": text(), "lat": _degrees(), "long": _degrees()})),
            "url": text(),
            "reminders": items(sent({"minutes": _number()})),
            "reminders_create_only": truth(),
            "transparency": exactly("opaque", "transparent"),
            "extended_transparency": text(),
            "event_private": truth(),
            "color": text(),
            "attendees": empty_or(
                sent(
                    {},
                    {
                        "invite": items(sent({"email": text()}, {"display_name": text()}), maxItems=MOST_ATTENDEES),
                        "remove": items(sent({"email": text()}), maxItems=MOST_LISTED),
                        "reject": items(sent({"email": text()}), maxItems=MOST_LISTED),
                    },
                )
            ),
            "conferencing": empty_or(
                sent(
                    {"profile_id": exactly("explicit", "none", "default")},
                    {"join_url": text(), "provider_description": text()},
                )
            ),
            "recurrence": empty_or(sent({}, {"rules": items(named("Rule"), maxItems=1)})),
            "tags": _TAGS,
        },
    ),
    "BatchAnswer": answered(
        {
            "batch": items(
                answered(
                    {"status": whole("As the answer to the entry alone would have it.")}, {"data": {"type": "object"}}
                )
            )
        }
    ),
}

_OF_ANY_QUERY: dict[str, Schema] = {
    "excluded_events": items(sent({}, {"event_id": text(), "event_uid": text()}), about="These do not count."),
    "on_unreadable": exactly("unavailable", "fail", about="fail: a 503 while a calendar that counts is unreadable."),
    "include_sources": truth("Says from when and where what is known about everybody comes."),
}
_QUERY_PERIODS: dict[str, Schema] = {
    "query_periods": items(named("Period")),
    "available_periods": items(named("Period"), about="The older name of query_periods."),
}
_QUERY: dict[str, Schema] = {
    **_QUERY_PERIODS,
    "query_slots": items(sent({"start": text()}), about="Only these starts are tried."),
    "start_interval": named("Duration"),
    "buffer": named("Buffer"),
    "response_format": exactly("periods", "slots", "overlapping_slots"),
    "max_results": whole(minimum=1, maximum=MAX_RESULTS),
    "explain": truth("Says why times are missing."),
    **_OF_ANY_QUERY,
}
_ASKED: dict[str, Schema] = {"participants": items(named("Group"), minItems=1), "required_duration": named("Duration")}
_TOLD: dict[str, Schema] = {"unreadable_members": named("UnreadableMembers"), "sources": items(named("Sources"))}
_TURNS: dict[str, Schema] = {
    "group": whole("Its place in the request."),
    "members": items(answered({"sub": text(), "events": whole()})),
}

AVAILABILITY: dict[str, Schema] = {
    "AvailabilityQuery": sent(_ASKED, _QUERY),
    "ExplanationQuery": sent({**_ASKED, "start": text("The start that is asked about.")}, _QUERY),
    "SequenceQuery": sent(
        {
            "sequence": items(
                sent(
                    {"sequence_id": either(text(), whole()), **_ASKED},
                    {
                        "ordinal": _number(),
                        "start_interval": named("Duration"),
                        "buffer": named("Buffer"),
                        **_QUERY_PERIODS,
                    },
                ),
                minItems=1,
            )
        },
        {**_QUERY_PERIODS, "max_results": whole(minimum=1, maximum=MAX_RESULTS), **_OF_ANY_QUERY},
    ),
    "Group": sent(
        {"members": items(named("Member"), minItems=1)},
        {
            "required": either(exactly("all"), _number()),
            "round_robin": either(truth(), sent({}, {"days": _number(), "tags": _TAGS})),
        },
    ),
    "Member": sent(
        {"sub": text()},
        {
            "calendar_ids": items(text(), about="Only these calendars count; of an empty list none."),
            "available_periods": items(named("Period")),
            "managed_availability": truth("Also the person's rules and available periods count."),
            "availability_rule_ids": items(text(), about="Only these rules count."),
            "only_managed_events": truth("Only what was booked here counts."),
            "ignore_tentative": truth(),
            "availability_constraints": items(
                sent({"limit": _number(), "period": text()}, {"tzid": text(), "tags": _TAGS}),
                about="So many events at most.",
            ),
            "buffer": named("Buffer"),
        },
    ),
    "AvailabilityAnswer": answered(
        {},
        {
            "available_periods": items(named("Found")),
            "available_slots": items(named("Found")),
            "round_robin": items(answered(_TURNS)),
            "explanation": answered({"missing": items(named("Missing"))}, {"explained_until": _TIME}),
            **_TOLD,
        },
    ),
    "ExplanationAnswer": answered(
        {
            "explanation": answered(
                {
                    "start": _TIME,
                    "end": _TIME,
                    "available": truth(),
                    "causes": items(text(), "What is wrong with the start itself."),
                    "participants": items(answered({"sub": text()}), "Everybody who is free."),
                    "groups": items(named("Lacking")),
                }
            )
        },
        _TOLD,
    ),
    "SequencesAnswer": answered(
        {
            "sequences": items(
                answered(
                    {
                        "sequence": items(
                            answered(
                                {
                                    "sequence_id": text(),
                                    "start": _TIME,
                                    "end": _TIME,
                                    "participants": items(answered({"sub": text()})),
                                }
                            )
                        )
                    }
                )
            )
        },
        {"round_robin": items(answered({"sequence_id": text(), **_TURNS})), **_TOLD},
    ),
    "Missing": answered({"first_start": _TIME, "last_start": _TIME, "groups": items(named("Lacking"))}),
    "Lacking": answered(
        {
            "group": whole("Its place in the request."),
            "required": whole(),
            "free": whole(),
            "members": items(
                answered(
                    {"sub": text(), "causes": items(exactly(*(cause.value for cause in Cause)), "What keeps them.")}
                )
            ),
        },
        about="A group of which not enough are free, and who is not.",
    ),
    "UnreadableMembers": items(
        answered({"sub": text(), "profile_id": text(), "reason": text()}),
        "Whoever cannot be read is never free; present only when there is somebody.",
    ),
    "Sources": answered(
        {
            "sub": text(),
            "as_of": _TIME,
            "complete": truth(),
            "calendars": items(
                answered({"calendar_id": text(), "provider_name": text()}, {"as_of": _TIME, "reason": text()})
            ),
        }
    ),
    "MembersUnreadable": answered({"error": text()}, {"unreadable_members": named("UnreadableMembers")}),
    "Found": answered(
        {"start": _TIME, "end": _TIME, "participants": items(answered({"sub": text()}), "Everybody who is free.")}
    ),
    "AvailabilityRule": answered(
        {
            "availability_rule_id": text(),
            "tzid": text(),
            "weekly_periods": items(answered({"day": text(), "start_time": text(), "end_time": text()})),
        },
        {"calendar_ids": items(text())},
    ),
}
