"""Everything that a deployment can come to store about one account, and a dump of its table to look for it."""

from __future__ import annotations

import zlib
from typing import Any

from freebusy.bootstrap import Dependencies
from freebusy.domain.access_request import AccessRequest
from freebusy.domain.account import Account, Identity, Profile, ProviderCredential, ProviderName, Upstream
from freebusy.domain.channel import Channel, NotificationType
from freebusy.domain.event import SentMark
from freebusy.domain.identifiers import hashed
from freebusy.service.due_invitations import recipient_of
from tests.api import Answer, call
from tests.browsers import APP, Deployment, refresh
from tests.fakes.clock import NOW

CANARY = "canary"
WHO = Identity(ProviderName.GOOGLE, "canary-subject", "ana.canary@example.com", "Ana Canary")
SECOND = Identity(ProviderName.MICROSOFT, "canary.second", "ana.canary@work.example", "Ana Canary")
THIRD = Identity(ProviderName.MICROSOFT, "canary.third", "third.canary@work.example", "Ana Canary")
GUEST = "guest.canary@example.net"


def leave_traces(deployment: Deployment) -> str:
    """The ``sub`` of somebody who connected two calendars and whose application has used every feature."""
    wired = deployment.wired
    tokens = deployment.tokens(WHO)
    sub, bearer = tokens["sub"], tokens["access_token"]
    refresh(tokens["refresh_token"])
    deployment.tokens(SECOND, link_token=link_token(bearer))
    deployment.code(WHO)
    deployment.code(THIRD, link_token=link_token(bearer))
    link_token(bearer)
    account = deployment.account(sub)
    lose_consent(deployment, account)
    write_events(wired, account, bearer)
    write_hours(bearer)
    open_channels(wired, account)
    return sub


def open_channels(wired: Dependencies, account: Account) -> None:
    """One here, with something to tell, and our own at Cronofy for it."""
    pending = {NotificationType.CHANGE: NOW}
    url = "https://app.example/canary?token=canary"
    channel = Channel("chn_canary", account.sub, account.client_id, url, ("cal_canary",), pending=pending)
    assert wired.channels.create(channel)
    profile_id = account.profiles[0].profile_id
    wired.upstream_handles.save("canary-handle", client_id=account.client_id, sub=account.sub, profile_id=profile_id)


def lose_consent(deployment: Deployment, account: Account) -> None:
    """A calendar has to be connected again, and its person is at the provider's consent screen."""
    departure = deployment.browser.get(f"/oauth/relink/{account.sub}/{account.profiles[0].profile_id}")
    assert departure.status == 302


def write_events(wired: Dependencies, account: Account, bearer: str) -> None:
    """Two that go on, with answers and pages, and one that was deleted."""
    path = f"/v1/calendars/{account.managed_profile.calendar_id}/events"
    for number in range(3):
        event = {
            "event_id": f"canary-{number}",
            "summary": "Canary's interview",
            "description": "Bring the canary",
            "location": {"description": "Canary Wharf"},
            "start": "2027-02-01T09:00:00Z",
            "end": "2027-02-01T10:00:00Z",
            "attendees": {"invite": [{"email": GUEST, "display_name": "Guest Canary"}]},
        }
        assert done(call("events", "POST", path, body=event, bearer=bearer)).status == 202
    for stored in wired.events.all_of(account.sub):
        for attendee in stored.attendees:
            wired.invitation_log.mark(stored, recipient_of(attendee.email), SentMark(1, cancelled=False, version=1))
    yearly = {"event_id": "canary-yearly", "summary": "Canary day", "start": "2027-02-01", "end": "2027-02-02"}
    rules = {"recurrence": {"rules": [{"frequency": "yearly", "interval": 1}]}}
    done(call("events", "POST", path, body=yearly | rules, bearer=bearer))
    done(call("events", "DELETE", path, body={"event_id": "canary-2"}, bearer=bearer))
    asked = {"tzid": "Etc/UTC", "from": "2027-02-01", "include_managed": "true"}
    done(call("events", "GET", "/v1/events", query=asked, bearer=bearer))
    entry = {"method": "DELETE", "relative_url": path, "data": {"event_id": "canary-none"}}
    once = {"idempotency-key": "canary-key"}
    done(call("events", "POST", "/v1/batch", body={"batch": [entry]}, bearer=bearer, headers=once))


def write_hours(bearer: str) -> None:
    rule = {
        "availability_rule_id": "canary hours",
        "tzid": "Europe/Paris",
        "weekly_periods": [{"day": "monday", "start_time": "09:30", "end_time": "17:00"}],
    }
    done(call("availability_rules", "POST", "/v1/availability_rules", body=rule, bearer=bearer))
    period = {
        "available_period_id": "canary afternoon",
        "start": "2027-02-01T09:00:00Z",
        "end": "2027-02-01T10:00:00Z",
    }
    done(call("available_periods", "POST", "/v1/available_periods", body=period, bearer=bearer))


def connect_at_cronofy(wired: Dependencies, sub: str = "acc_canary") -> Account:
    """Somebody who came by way of Cronofy, with a credential there."""
    whose = Identity(ProviderName.GOOGLE, "acc_canary_there", WHO.email, WHO.name, Upstream.CRONOFY)
    sealed = wired.vault.seal(
        ProviderCredential("access", "refresh", NOW + 3600), client_id=APP, profile_id="pro_canary"
    )
    profile = Profile("pro_canary", ProviderName.GOOGLE, whose.email, "cal_canary", whose, sealed, NOW + 3600)
    managed = Profile("pro_canary_m", ProviderName.MANAGED, whose.email, "cal_canary_m")
    account = Account(sub, APP, whose.email, whose.name, "Etc/UTC", (profile, managed), {}, NOW)
    assert wired.accounts.create(account)
    return account


def ask_for_mailbox(wired: Dependencies, giver: Any, email: str, request_id: str) -> None:
    wired.access_requests.save(
        [AccessRequest(request_id, giver.client_id, giver.sub, email, "https://app.example/hook", "", CANARY, NOW)]
    )


def link_token(bearer: str) -> str:
    token: str = done(call("account", "POST", "/v1/link_tokens", bearer=bearer)).json()["link_token"]
    return token


def done(answer: Answer) -> Answer:
    assert answer.status < 400, answer.body
    return answer


# --- What is left ------------------------------------------------------------------------------------


def dump(wired: Dependencies) -> list[dict[str, Any]]:
    """The whole table, as no function may read it."""
    pages = wired.dynamodb.get_paginator("scan").paginate(TableName=wired.settings.table_name)
    return [item for page in pages for item in page["Items"]]


def mentions(item: dict[str, Any], *words: str) -> bool:
    """Also within pages and kept answers, which are compressed."""
    text = str(item)
    for name in ("page", "body"):
        if name in item:
            text += zlib.decompress(item[name]["B"]).decode()
    return any(word.lower() in text.lower() for word in words)


def names_of(account: Account, wired: Dependencies) -> list[str]:
    """By what the account, and what belongs to it, could be recognised."""
    events = [*wired.events.all_of(account.sub)]
    return [
        CANARY,
        account.sub,
        *(profile.profile_id for profile in account.profiles),
        *(profile.calendar_id for profile in account.profiles),
        *account.grants,
        *(name for event in events for name in (event.uid, event.organizer, hashed(event.event_id))),
    ]
