"""Erasing a person through the real handlers: nothing of them is left in the table, and nobody else loses anything."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import boto3
import pytest

from freebusy.adapters.queue import pause
from freebusy.bootstrap import Dependencies, application_registry
from freebusy.domain.access_request import Granted
from freebusy.domain.account import Disconnected, Identity, ProviderCredential, ProviderName, Upstream
from freebusy.domain.authorization import AuthorizationCode
from freebusy.domain.errors import NotFound, StorageUnavailable
from freebusy.domain.idempotency import KeyedRequest
from freebusy.domain.identifiers import channel_handle, hashed
from freebusy.domain.organization_setup import OrganizationRequest, Setup
from freebusy.domain.service_account import MANAGE_ACCOUNTS, Administrator, ServiceAccount
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.service.connecting import Consent, connect_mailbox, connect_upstream_mailbox
from freebusy.service.erasure import LONGEST_REQUEST, MAIL_FIRST
from tests.api import Context, handler
from tests.browsers import APP, BEN, FRONT_END, OTHER_APP, OTHER_SECRET, lives, post, token_body
from tests.fakes.clock import NOW
from tests.footprint import WHO, ask_for_mailbox, connect_at_cronofy, dump, leave_traces, mentions, names_of
from tests.people import connected, organization, organization_at_cronofy
from tests.records import standard_record
from tests.template.deployment import TEMPLATE, of_type


class Erasing:
    """Asks as an application does, and hands the queue's messages to the function."""

    def __init__(self, wired: Dependencies) -> None:
        self.wired = wired
        self.postponed: list[int] = []
        self.now = NOW

    def postpone(self, receipt: str, *, received: int) -> None:
        self.postponed.append(received)

    def ask(self, **changed: Any) -> int:
        body = token_body(**{"redirect_uri": None, "request_pii_erasure": True, **changed})
        return post("/oauth/token/revoke", body).status

    def queued(self) -> str:
        url, sqs = self.wired.settings.erasure_queue_url, boto3.client("sqs")
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "0"  # what was asked for waits a little
        return attributes["ApproximateNumberOfMessagesDelayed"]

    def handle(self, body: Any) -> bool:
        """Whether the message is done with. Each comes a minute after the one before."""
        self.now += 60
        record = standard_record(body if isinstance(body, str) else json.dumps(body), message_id="m")
        answer = handler("on_erasure_requested")({"Records": [record]}, Context())
        assert answer in ({"batchItemFailures": []}, {"batchItemFailures": [{"itemIdentifier": "m"}]})
        return not answer["batchItemFailures"]

    def erase(self, sub: str) -> int:
        """As often as the message comes; returns how often that was."""
        for times in range(1, 10):
            if self.handle({"sub": sub}):
                return times
        raise AssertionError("it never ends")


@pytest.fixture
def erasing(deployment, wired, monkeypatch) -> Erasing:
    erasing = Erasing(wired)
    monkeypatch.setattr(wired.erasure_queue, "postpone", erasing.postpone)
    monkeypatch.setattr(Dependencies, "clock", lambda _: erasing.now)
    monkeypatch.setattr("freebusy.entrypoints.wire.reading.PAGE_SIZE", 1)
    return erasing


@pytest.fixture
def sub(erasing, deployment) -> str:
    return leave_traces(deployment)


def kinds(wired: Dependencies, *words: str) -> set[str]:
    return {item["pk"]["S"].partition("#")[0] for item in dump(wired) if mentions(item, *words)}


def consent_through(wired: Dependencies, giver: ServiceAccount, name: str) -> str:
    """Cronofy gave us a credential for the mailbox, as ``service.upstream_access`` takes it in."""
    identity = Identity(ProviderName.GOOGLE, f"{name}-there", f"{name}@example.com", None, Upstream.CRONOFY)
    consent = Consent(APP, identity, ProviderCredential("access", "refresh", NOW + 3600))
    return connect_upstream_mailbox(giver, consent, accounts=wired.accounts, vault=wired.vault, now=NOW).sub


class TestWhatIsErased:
    def test_everything_that_can_be_stored_is_in_the_sample(self, wired, sub):
        account = wired.accounts.find(sub)
        found = kinds(wired, *names_of(account, wired))
        assert found == {
            *("ACCOUNT", "IDENTITY", "PERSON", "TOKEN", "CODE", "SPENT", "LINK", "REQUEST", "PAGE", "ONCE"),
            *("EVENTS", "ORGANIZER", "AVAILABILITY", "CHANNELS", "UPSTREAM_CHANNEL"),
        }

    def test_nothing_of_it_is_left(self, wired, erasing, sub):
        names = names_of(wired.accounts.find(sub), wired)
        assert erasing.erase(sub) == 2
        assert [item for item in dump(wired) if mentions(item, *names)] == []

    def test_nobody_else_loses_anything(self, wired, erasing, sub, deployment):
        ben = deployment.tokens(BEN)
        theirs = [item for item in dump(wired) if not mentions(item, sub, "canary")]
        erasing.erase(sub)
        assert [item for item in dump(wired) if item in theirs] == theirs
        assert lives(ben["access_token"])

    def test_whoever_came_by_way_of_cronofy_is_revoked_there(self, wired, erasing, monkeypatch):
        ended = []
        monkeypatch.setattr(Dependencies, "end_upstream", lambda _, account, profile: ended.append(profile.sealed_for))
        account = connect_at_cronofy(wired)
        assert "UPSTREAM" in kinds(wired, account.sub)
        erasing.erase(account.sub)
        assert ended == ["pro_canary"]
        assert kinds(wired, account.sub, "canary") == set()

    def test_what_was_asked_about_a_mailbox_is_forgotten_with_its_account(self, wired, erasing):
        giver = organization(client_id=APP)
        wired.service_accounts.connect(giver)
        at = connect_mailbox(giver, WHO.email, accounts=wired.accounts, now=NOW)
        ask_for_mailbox(wired, giver, WHO.email.upper(), "req_1")
        ask_for_mailbox(wired, giver, "somebody.else@example.com", "req_2")
        erasing.erase(at.sub)
        assert wired.access_requests.find("req_1", NOW) is None
        assert wired.access_requests.find("req_2", NOW)
        assert kinds(wired, at.sub, WHO.email) == set()

    def test_what_was_asked_for_by_another_address_of_the_mailbox_is_forgotten_too(self, wired, erasing, monkeypatch):
        """Cronofy names the mailbox by its main address; told later, it would be a code for nobody."""
        monkeypatch.setattr(Dependencies, "end_upstream", lambda *_: None)
        giver = organization_at_cronofy("ser_canary", client_id=APP)
        wired.service_accounts.connect(giver)
        sub = consent_through(wired, giver, "canary.eve")
        ask_for_mailbox(wired, giver, "eve@alias.example", "req_1")
        wired.access_requests.settle("req_1", granted=Granted(sub, "pro_1", reconnecting=False))
        erasing.erase(sub)
        assert wired.access_requests.find("req_1", NOW) is None

    def test_an_application_takes_everything_along(self, wired, sub):
        names = names_of(wired.accounts.find(sub), wired)
        wired.permits.take(APP, 1, wanted=1, limit=2, expires_at=NOW + 60)
        assert application_registry(wired.dynamodb, wired.settings.table_name).erase(APP)
        assert [item for item in dump(wired) if mentions(item, *names) or f"#{APP}" in item["pk"]["S"]] == []

    def test_whoever_connects_again_is_somebody_new(self, wired, erasing, sub, deployment):
        erasing.erase(sub)
        assert deployment.tokens(WHO)["sub"] != sub


class TestOrganizations:
    @pytest.fixture
    def giver(self, wired, erasing) -> ServiceAccount:
        """A connected organization with tokens, a code, a setup and requests that wait."""
        giver = organization("ser_canary", client_id=APP)
        wired.service_accounts.connect(giver)
        wired.tokens.save("canary-token", TokenRecord(TokenKind.REFRESH, APP, None, giver.sub, "g1", MANAGE_ACCOUNTS))
        wired.tokens.save_code("canary-code", AuthorizationCode(APP, giver.sub, "", "", "", None, NOW + 300))
        administrator = Administrator(giver.administrator, giver.organization)
        request = OrganizationRequest(APP, "", None, MANAGE_ACCOUNTS, "", giver.organization.provider)
        wired.setups.save("canary-setup", Setup(request, administrator, "browser", NOW))
        ask_for_mailbox(wired, giver, "canary.nobody@example.com", "req_canary")
        return giver

    def hire(self, wired, giver, *names: str) -> list[str]:
        mailboxes = [f"canary.{name}@example.com" for name in names]
        return [connect_mailbox(giver, each, accounts=wired.accounts, now=NOW).sub for each in mailboxes]

    def erase(self, erasing, wired, giver) -> None:
        """Message by message, those of its people among them, until all are done with."""
        waiting = [giver.sub]
        put = wired.erasure_queue.put
        wired.erasure_queue.put = lambda subs, **_: waiting.extend(subs)
        for _ in range(30):
            if waiting and not erasing.handle({"sub": (now := waiting.pop(0))}):
                waiting.append(now)
        wired.erasure_queue.put = put
        assert waiting == []

    def test_nothing_is_left_of_it_nor_of_its_people(self, wired, erasing, giver):
        subs = self.hire(wired, giver, "eve", "fay")
        assert kinds(wired, giver.sub, "canary", *subs) == {
            *("ACCOUNT", "IDENTITY", "PERSON", "ORGANIZATION", "TOKEN", "CODE", "SETUP", "ACCESS"),
        }
        self.erase(erasing, wired, giver)
        assert kinds(wired, giver.sub, "canary", giver.administrator.email, *subs) == set()

    def test_through_cronofy_its_people_are_found_by_it_and_nothing_else_is(self, wired, erasing, monkeypatch):
        ended = []
        monkeypatch.setattr(Dependencies, "end_upstream", lambda _, holder, *__: ended.append(holder.sub))
        giver = organization_at_cronofy("ser_canary", client_id=APP, key="canary_there")
        wired.service_accounts.connect(giver)
        ask_for_mailbox(wired, giver, "canary.nobody@example.com", "req_canary")
        asked = wired.access_requests.find("req_canary", NOW)
        wired.access_requests.expect_answer("canary-handle", asked, until=NOW + 1800)
        eve, own = (consent_through(wired, giver, f"canary.{name}") for name in ("eve", "own"))
        gus = consent_through(wired, replace(giver, sub="ser_other"), "gus")
        assert wired.accounts.add_profile(own, connected("mine", client_id=APP).profiles[0])
        profile_id = wired.accounts.find(own).free_busy_profiles[0].profile_id
        channel = hashed(channel_handle(own, profile_id))
        wired.upstream_handles.save(channel, client_id=APP, sub=own, profile_id=profile_id)
        assert kinds(wired, giver.sub, "canary") == {
            *("ACCOUNT", "IDENTITY", "UPSTREAM", "ORGANIZATION", "UPSTREAM_ORGANIZATION", "ACCESS", "ACCESS_ANSWER"),
        }
        self.erase(erasing, wired, giver)
        assert sorted(ended) == sorted([giver.sub, eve, own])
        assert wired.accounts.find(eve) is None
        assert [profile.name for profile in wired.accounts.find(own).free_busy_profiles] == ["mine@example.com"]
        assert {item["pk"]["S"] for item in dump(wired) if mentions(item, giver.sub, "canary")} == {f"ACCOUNT#{own}"}
        assert wired.upstream_handles.find(channel) is None
        assert wired.accounts.find(gus)

    def test_others_keep_everything(self, wired, erasing, giver, deployment):
        other = replace(organization("ser_other", client_id=APP, key="example.com.evil"), created_at=NOW)
        wired.service_accounts.connect(other)
        ask_for_mailbox(wired, other, "gus@example.com", "req_other")
        connect_mailbox(other, "gus@example.com", accounts=wired.accounts, now=NOW)
        deployment.tokens(BEN)
        theirs = dump(wired)
        theirs = [item for item in theirs if not mentions(item, giver.sub, "canary")]
        self.hire(wired, giver, "eve")
        self.erase(erasing, wired, giver)
        assert [item for item in dump(wired) if item in theirs] == theirs

    def test_somebody_with_a_calendar_of_their_own_keeps_that_alone(self, wired, erasing, giver, sign_in):
        (sub,) = self.hire(wired, giver, "eve")
        own = connected("own", client_id=APP).profiles[0]
        assert wired.accounts.add_profile(sub, own)
        self.erase(erasing, wired, giver)
        account = wired.accounts.find(sub)
        assert [profile.profile_id for profile in account.free_busy_profiles] == [own.profile_id]
        assert kinds(wired, giver.sub) == set()

    def test_that_they_were_being_taken_off_when_it_was_interrupted_holds_nothing_up(
        self, wired, erasing, giver, monkeypatch
    ):
        (sub,) = self.hire(wired, giver, "eve")
        assert wired.accounts.add_profile(sub, connected("own", client_id=APP).profiles[0])
        writes = [wired.accounts._table.write, wired.accounts._table.transact]

        def interrupted(written, actions):
            if "IDENTITY#" in str(actions) and interruptions:
                raise interruptions.pop()
            return written(actions)

        interruptions: list[Exception] = [StorageUnavailable("down")]
        for written in writes:
            monkeypatch.setattr(wired.accounts._table, written.__name__, partial(interrupted, written))
        self.erase(erasing, wired, giver)
        assert interruptions == []
        assert kinds(wired, giver.sub) == set()
        assert len(wired.accounts.find(sub).free_busy_profiles) == 1

    def test_a_profile_that_was_written_since_it_was_read_is_looked_at_again(self, wired, giver):
        (sub,) = self.hire(wired, giver, "eve")
        account = wired.accounts.find(sub)
        (profile,) = account.free_busy_profiles
        wired.accounts.disconnect(sub, profile.profile_id, because=Disconnected.REVOKED)
        assert not wired.accounts.remove_profile(account, profile)
        assert wired.accounts.sub_of(APP, profile.identity) == sub

    def test_whoever_answers_a_request_while_it_ends_leaves_nothing(self, wired, erasing, giver):
        """The account is made after the first pass, by a function that had seen the organization connected."""
        assert not erasing.handle({"sub": giver.sub})
        (sub,) = self.hire(wired, giver, "late")
        self.erase(erasing, wired, giver)
        assert kinds(wired, giver.sub, sub, "canary") == set()

    def test_one_that_was_revoked_in_this_moment_is_waited_for(self, wired, erasing, giver):
        wired.service_accounts.disconnect(giver.sub, because=Disconnected.REVOKED, now=NOW + 59)
        assert not erasing.handle({"sub": giver.sub})
        (sub,) = self.hire(wired, giver, "late")
        self.erase(erasing, wired, giver)
        assert kinds(wired, giver.sub, sub, "canary") == set()

    def test_an_application_can_ask_for_it(self, wired, erasing, giver):
        assert erasing.ask(sub=giver.sub) == 200
        assert wired.service_accounts.find(giver.sub).disconnected is Disconnected.REVOKED
        assert erasing.queued() == "1"


class TestComingAgain:
    def test_a_pass_that_found_something_is_followed_by_one_when_every_request_is_over(self, erasing, sub):
        assert not erasing.handle({"sub": sub})
        (received,) = erasing.postponed
        usual = TEMPLATE["Globals"]["Function"]["Timeout"]
        timeouts = [each["Properties"].get("Timeout", usual) for each in of_type("AWS::Serverless::Function").values()]
        assert min(pause(received) for _ in range(100)) > LONGEST_REQUEST > max(timeouts)

    def test_a_pass_without_any_time_left_is_not_taken_for_one_that_found_nothing(
        self, wired, erasing, sub, monkeypatch
    ):
        with monkeypatch.context() as patch:
            patch.setattr("freebusy.service.erasure.PASS_SECONDS", -1)
            assert not erasing.handle({"sub": sub})
        assert erasing.erase(sub) == 2
        assert wired.accounts.find(sub) is None

    def test_what_somebody_wrote_meanwhile_does_not_stay(self, wired, erasing, sub):
        """A refresh, an event and a page of requests that had read the account before it was gone."""
        account = wired.accounts.find(sub)
        event = next(wired.events.all_of(sub))
        assert not erasing.handle({"sub": sub})
        wired.tokens.save("late", TokenRecord(TokenKind.ACCESS, APP, NOW + 60, sub, "g1", ""))
        wired.events.save(event, over=None)
        wired.pages.save({"late": b"canary"}, sub=sub, client_id=APP, expires_at=NOW + 60)
        wired.upstream_handles.save("late", client_id=APP, sub=sub, profile_id="pro_canary")
        wired.kept_answers.begin(KeyedRequest(APP, sub, "key", "POST", "/v1/batch", ""), now=NOW, expires_at=NOW + 60)
        assert erasing.erase(sub) == 2
        assert kinds(wired, *names_of(account, wired)) == set()

    def test_what_a_channel_is_late_with_finds_none(self, wired, erasing, sub):
        """It was read before the account was gone, and is noted in, told, and failing after that."""
        (channel,) = wired.channels.of(sub)
        erasing.erase(sub)
        assert not wired.channels.note(replace(channel, version=2), over=1)
        wired.channels.told(channel)
        wired.channels.failing(channel, now=NOW)
        with pytest.raises(NotFound):
            wired.channels.create(channel)
        assert kinds(wired, sub, "canary") == set()

    def test_it_goes_on_where_it_was_interrupted(self, wired, erasing, sub, monkeypatch):
        names = names_of(wired.accounts.find(sub), wired)
        erase = wired.erasure.belongings._erase

        def interrupted(sub, key):
            if key[0].startswith("EVENTS#"):
                raise StorageUnavailable("down")
            return erase(sub, key)

        monkeypatch.setattr(wired.erasure.belongings, "_erase", interrupted)
        assert not erasing.handle({"sub": sub})
        assert wired.accounts.find(sub) is None
        monkeypatch.undo()
        monkeypatch.setattr(wired.erasure_queue, "postpone", erasing.postpone)
        erasing.erase(sub)
        assert kinds(wired, *names) == set()

    def test_an_identity_that_is_taken_again_meanwhile_stays_the_new_accounts(self, wired, erasing, sub, deployment):
        """The index is late, and still says whose it was."""
        keys = [*wired.erasure.belongings._table.keys_about(sub)]
        erasing.erase(sub)
        again = deployment.tokens(WHO)
        for key in keys:
            wired.erasure.belongings._erase(sub, key)
        assert wired.accounts.sub_of(APP, WHO) == again["sub"]

    @pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"sub": 7}', '{"request_id": "req_1"}'])
    def test_what_cannot_be_read_comes_again_soon(self, erasing, body):
        assert not erasing.handle(body)
        assert erasing.postponed == [1]

    @pytest.mark.parametrize("sub", ["acc_000000000000000000000000", "", "ünknown", "x" * 5000])
    def test_somebody_of_whom_there_is_nothing_is_erased(self, erasing, sub):
        assert erasing.handle({"sub": sub})


class TestAsking:
    @pytest.mark.parametrize("name", ["sub", "refresh_token", "access_token"])
    def test_disconnects_at_once_and_queues_the_rest(self, erasing, deployment, name):
        tokens = deployment.tokens()
        assert erasing.ask(**{"sub" if name == "sub" else "token": tokens[name]}) == 200
        assert not lives(tokens["access_token"])
        assert erasing.queued() == "1"

    def test_leaves_mail_that_is_due_a_moment(self):
        assert MAIL_FIRST <= 900  # as long as SQS can keep a message back

    @pytest.mark.parametrize("wish", [False, None, "", "false", "0"])
    def test_is_only_done_when_it_is_wished(self, erasing, deployment, wish):
        assert erasing.ask(sub=deployment.tokens()["sub"], request_pii_erasure=wish) == 200
        assert erasing.queued() == "0"

    @pytest.mark.parametrize("wish", ["true", "1", True])
    def test_is_understood_in_forms_too(self, erasing, deployment, wish):
        assert erasing.ask(sub=deployment.tokens()["sub"], request_pii_erasure=wish) == 200
        assert erasing.queued() == "1"

    @pytest.mark.parametrize("wish", ["perhaps", 7, [True], {"a": 1}])
    def test_of_something_that_is_no_wish_is_refused_and_disconnects_nobody(self, erasing, deployment, wish):
        tokens = deployment.tokens()
        assert erasing.ask(sub=tokens["sub"], request_pii_erasure=wish) == 400
        assert lives(tokens["access_token"])

    def test_works_with_a_token_whose_authorization_ended_before(self, erasing, deployment):
        tokens = deployment.tokens()
        assert erasing.ask(token=tokens["refresh_token"], request_pii_erasure=None) == 200
        assert erasing.ask(token=tokens["refresh_token"]) == 200
        assert erasing.queued() == "1"

    @pytest.mark.parametrize("name", ["sub", "refresh_token"])
    def test_another_application_erases_nobody(self, erasing, deployment, name):
        tokens = deployment.tokens()
        other = {"client_id": OTHER_APP, "client_secret": OTHER_SECRET}
        assert erasing.ask(**{"sub" if name == "sub" else "token": tokens[name]}, **other) == 200
        assert erasing.queued() == "0"

    def test_a_stolen_token_of_a_front_end_is_not_enough(self, erasing, deployment):
        tokens = deployment.front_end_tokens()
        assert erasing.ask(token=tokens["access_token"], client_id=FRONT_END, client_secret=None) == 400
        assert lives(tokens["access_token"])
        assert erasing.queued() == "0"

    def test_can_be_repeated_when_the_queue_did_not_answer(self, erasing, deployment, wired, monkeypatch):
        tokens = deployment.tokens()

        def down(subs, *, after):
            raise StorageUnavailable("down")

        with monkeypatch.context() as patch:
            patch.setattr(wired.erasure_queue, "put", down)
            assert erasing.ask(token=tokens["refresh_token"]) == 503
        assert erasing.ask(token=tokens["refresh_token"]) == 200
        assert erasing.queued() == "1"

    def test_a_client_secret_belongs_to_nobody_who_could_be_erased(self, erasing, wired):
        wired.tokens.save(hashed("another secret"), TokenRecord(TokenKind.CLIENT_SECRET, APP))
        assert erasing.ask(token="another secret") == 200
        assert erasing.queued() == "0"
