"""Which mailboxes may be asked for, and that all of a request is taken or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from freebusy.domain.errors import InsufficientScope, InvalidRequest, StorageUnavailable
from freebusy.domain.service_account import MANAGE_ACCOUNTS, MANAGE_RESOURCES
from tests.access import ANA, BEN, HOOK, MICROSOFT, ROOM, World, wanted

BOTH_SCOPES = f"{MANAGE_ACCOUNTS} {MANAGE_RESOURCES}"


@pytest.fixture
def world() -> World:
    return World()


def refused(world: World, *asked, scope: str = MANAGE_ACCOUNTS) -> dict[str, list[str]]:
    """The keys of what is wrong, by field; nothing was taken."""
    with pytest.raises(InvalidRequest) as caught:
        world.ask(*asked, scope=scope)
    assert world.queue.waiting == []
    assert world.requests._kept == {}
    return {name: [entry.key for entry in entries] for name, entries in caught.value.errors.items()}


def test_a_request_is_kept_and_queued_under_its_id(world):
    (request_id,) = world.ask(wanted(scope="free_busy  free_busy"))
    kept = world.requests.find(request_id, world.clock())
    assert (kept.client_id, kept.service_account) == ("client-1", "ser_1")
    assert (kept.email, kept.callback_url, kept.scope, kept.state) == (ANA, HOOK, "free_busy", "job-17")


def test_ids_say_nothing_about_what_is_asked_for(world):
    ids = world.ask(wanted(ANA), wanted(BEN))
    assert len(set(ids)) == 2
    assert not [each for each in ids if "ana" in each or "example" in each]


def test_one_bad_mailbox_spoils_all_and_everything_that_is_wrong_is_told(world):
    asked = [
        wanted(ANA, path="a[0]."),
        wanted("kim@elsewhere.example", path="a[1].", scope="read_write"),
        wanted(BEN, path="a[2].", callback_url="http://app.example/hook"),
    ]
    assert refused(world, *asked) == {
        "a[1].email": ["errors.outside_organization"],
        "a[1].scope": ["errors.invalid_scope"],
        "a[2].callback_url": ["errors.invalid_format"],
    }


class TestMailboxes:
    def test_one_is_asked_for_once_however_it_is_spelled(self, world):
        asked = [wanted("ana@example.com", path="a[0]."), wanted("ANA@Example.com", path="a[1].")]
        assert refused(world, *asked) == {"a[1].email": ["errors.duplicate"]}

    @pytest.mark.parametrize(
        "email",
        [
            pytest.param("ana@elsewhere.example", id="another domain"),
            pytest.param("ana@sub.example.com", id="a subdomain"),
            pytest.param("ana@notexample.com", id="a domain that ends alike"),
            pytest.param(ROOM, id="a room, without the scope for resources"),
        ],
    )
    def test_what_is_outside_the_organization_is_refused(self, world, email):
        assert refused(world, wanted(email)) == {"email": ["errors.outside_organization"]}

    def test_a_room_may_be_asked_for_with_the_scope_for_resources(self, world):
        assert world.ask(wanted(ROOM), scope=BOTH_SCOPES)

    def test_the_scope_for_resources_opens_no_other_domain(self, world):
        asked = wanted("ana@elsewhere.example")
        assert refused(world, asked, scope=BOTH_SCOPES) == {"email": ["errors.outside_organization"]}

    def test_microsoft_itself_looks_no_further_than_the_organization(self):
        assert World(MICROSOFT).ask(wanted("ana@whatever.example"))


class TestScopes:
    @pytest.mark.parametrize(
        ("scope", "delegated", "key"),
        [
            pytest.param("", "free_busy_write", "errors.invalid_scope", id="none"),
            pytest.param("free_busy_write everything", "free_busy_write", "errors.invalid_scope", id="unknown"),
            pytest.param("read_account", "free_busy_write", "errors.invalid_scope", id="without free/busy"),
            pytest.param("free_busy_write read_only", "free_busy_write", "errors.invalid_scope", id="beyond free/busy"),
            pytest.param("free_busy_write", "free_busy", "errors.not_delegated", id="more than was delegated"),
            pytest.param(
                "free_busy create_event", "free_busy", "errors.not_delegated", id="one permission more than delegated"
            ),
        ],
    )
    def test_what_cannot_be_granted_is_refused(self, scope, delegated, key):
        world = World(replace(World().service_account, delegated_scope=delegated))
        assert refused(world, wanted(scope=scope)) == {"scope": [key]}

    @pytest.mark.parametrize(
        "scope", ["free_busy_write", "free_busy", "read_free_busy read_account", "free_busy_write free_busy"]
    )
    def test_permissions_count_and_not_words(self, world, scope):
        assert world.ask(wanted(scope=scope))


class TestCallbackUrls:
    @pytest.mark.parametrize(
        ("addresses", "key"),
        [
            pytest.param((), "errors.unknown_host", id="nowhere"),
            pytest.param(("127.0.0.1",), "errors.not_public", id="loopback"),
            pytest.param(("::1",), "errors.not_public", id="loopback, IPv6"),
            pytest.param(("10.1.2.3",), "errors.not_public", id="private"),
            pytest.param(("169.254.169.254",), "errors.not_public", id="metadata"),
            pytest.param(("::ffff:10.1.2.3",), "errors.not_public", id="mapped"),
            pytest.param(("fe80::1%eth0",), "errors.not_public", id="link-local"),
            pytest.param(("8.8.8.8", "10.1.2.3"), "errors.not_public", id="one of several"),
        ],
    )
    def test_a_name_must_lead_to_the_public_internet(self, world, addresses, key):
        world.hosts.at["app.example"] = addresses
        assert refused(world, wanted()) == {"callback_url": [key]}

    @pytest.mark.parametrize(
        "host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:8.8.8.8]", "[fd00:ec2::254]"]
    )
    def test_so_must_an_address(self, world, host):
        assert refused(world, wanted(callback_url=f"https://{host}/hook")) == {"callback_url": ["errors.not_public"]}
        assert world.hosts.asked == []

    def test_a_public_address_needs_no_looking_up(self, world):
        assert world.ask(wanted(callback_url="https://8.8.8.8/hook"))
        assert world.hosts.asked == []

    def test_each_host_of_a_batch_is_looked_up_once(self, world):
        urls = ["https://app.example/1", "https://APP.example/2", "https://app.example/1", "https://other.example/"]
        world.ask(*(wanted(f"p{place}@example.com", callback_url=url) for place, url in enumerate(urls)))
        assert world.hosts.asked == [["app.example", "other.example"]]

    def test_what_is_wrong_with_one_is_told_for_each_that_has_it(self, world):
        world.hosts.at["app.example"] = ("10.0.0.1",)
        asked = [wanted(f"p{place}@example.com", path=f"a[{place}].") for place in range(3)]
        assert refused(world, *asked) == {f"a[{place}].callback_url": ["errors.not_public"] for place in range(3)}

    def test_the_reason_repeats_nothing_of_where_a_name_leads(self, world):
        world.hosts.at["app.example"] = ("10.1.2.3",)
        with pytest.raises(InvalidRequest) as caught:
            world.ask()
        assert "10.1.2.3" not in caught.value.errors["callback_url"][0].description


def test_a_public_application_has_nothing_to_sign_with():
    world = World()
    world.applications._applications["client-1"] = world.application._replace(public=True, secrets=())
    with pytest.raises(InsufficientScope):
        world.ask()


def test_nothing_is_queued_before_it_can_be_found(world, monkeypatch):
    def away(_):
        raise StorageUnavailable("the table does not answer")

    monkeypatch.setattr(world.requests, "save", away)
    with pytest.raises(StorageUnavailable):
        world.ask()
    assert world.queue.waiting == []
