"""Every request for access that is wrong in some way is refused by the field that is, and nothing of it is taken."""

from __future__ import annotations

from typing import Any

import pytest

from freebusy.domain.errors import InvalidRequest
from freebusy.domain.service_account import MANAGE_ACCOUNTS
from freebusy.entrypoints.wire.access import BATCH, wanted_access
from tests.access import ROOM, World

ASKED = {
    "email": "ana@example.com",
    "callback_url": "https://app.example/hook",
    "scope": "free_busy_write",
    "state": "job-17",
}


def entry(place: int, **changes: Any) -> dict[str, Any]:
    return {**ASKED, "email": f"person-{place}@example.com", **changes}


def refused(world: World, body: Any) -> dict[str, list[str]]:
    """The keys of what is wrong, by field."""
    with pytest.raises(InvalidRequest) as caught:
        world.ask(*wanted_access(body))
    assert (world.requests._kept, world.queue.waiting) == ({}, [])
    return {name: [each.key for each in entries] for name, entries in caught.value.errors.items()}


@pytest.fixture
def world() -> World:
    world = World()
    world.hosts.at = {
        "nowhere.example": (),
        "loopback.example": ("127.0.0.1",),
        "metadata.example": ("169.254.169.254",),
        "half.example": ("8.8.8.8", "10.0.0.1"),
    }
    return world


BAD_FIELDS = [
    pytest.param({"email": None}, {"email": ["errors.required"]}, id="no mailbox"),
    pytest.param({"email": 7}, {"email": ["errors.invalid_format"]}, id="a mailbox that is no text"),
    *(
        pytest.param({"email": email}, {"email": ["errors.invalid_email"]}, id=f"address {email!r}")
        for email in (
            "",
            "ana",
            "ana@",
            "@example.com",
            "a b@example.com",
            "ana@example.com, ben@example.com",
            "ana@\ud800",
        )
    ),
    pytest.param({"email": "ana@elsewhere.example"}, {"email": ["errors.outside_organization"]}, id="outside"),
    pytest.param({"email": ROOM}, {"email": ["errors.outside_organization"]}, id="a room without its scope"),
    pytest.param({"scope": None}, {"scope": ["errors.required"]}, id="no scope"),
    pytest.param({"scope": ["free_busy"]}, {"scope": ["errors.invalid_format"]}, id="a list of scopes"),
    pytest.param({"scope": " "}, {"scope": ["errors.invalid_scope"]}, id="a blank scope"),
    pytest.param({"scope": "read_write"}, {"scope": ["errors.invalid_scope"]}, id="more than free/busy"),
    pytest.param({"scope": MANAGE_ACCOUNTS}, {"scope": ["errors.invalid_scope"]}, id="a service account's scope"),
    pytest.param({"state": 7}, {"state": ["errors.invalid_format"]}, id="a state that is no text"),
    pytest.param({"state": "\ud800"}, {"state": ["errors.invalid_format"]}, id="a state that cannot be written"),
    pytest.param({"state": "x" * 4097}, {"state": ["errors.too_long"]}, id="a long state"),
    pytest.param({"callback_url": None}, {"callback_url": ["errors.required"]}, id="no callback"),
    pytest.param({"callback_url": 7}, {"callback_url": ["errors.invalid_format"]}, id="a callback that is no text"),
    *(
        pytest.param({"callback_url": url}, {"callback_url": ["errors.invalid_format"]}, id=f"callback {url!r}")
        for url in (
            "",
            "/hook",
            "http://app.example/hook",
            "http://127.0.0.1/hook",
            "https://localhost/hook",
            "https://app.example:8443/hook",
            "https://kim:secret@app.example/hook",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.0.0.1./",
            "https://app.example/#part",
            "https://bücher.example/",
            "https://app.example/\ud800",
            f"https://app.example/{'x' * 2000}",
        )
    ),
    *(
        pytest.param(
            {"callback_url": f"https://{host}/"}, {"callback_url": ["errors.not_public"]}, id=f"callback {host}"
        )
        for host in (
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "[::1]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "loopback.example",
            "metadata.example",
            "half.example",
        )
    ),
    pytest.param(
        {"callback_url": "https://nowhere.example/"}, {"callback_url": ["errors.unknown_host"]}, id="callback nowhere"
    ),
    pytest.param(
        {"email": "ana", "scope": "x", "callback_url": "/"}, {"email": ["errors.invalid_email"]}, id="form comes first"
    ),
    pytest.param(
        {"email": "a@b.example", "scope": "x", "callback_url": "/"},
        {
            "email": ["errors.outside_organization"],
            "scope": ["errors.invalid_scope"],
            "callback_url": ["errors.invalid_format"],
        },
        id="all that is wrong at once",
    ),
]


class TestBadInput:
    @pytest.mark.parametrize(("changes", "errors"), BAD_FIELDS)
    def test_one_mailbox_is_refused_by_plain_names(self, world, changes, errors):
        assert refused(world, {**ASKED, **changes}) == errors

    @pytest.mark.parametrize(("changes", "errors"), BAD_FIELDS)
    def test_a_batch_is_refused_by_paths_and_as_a_whole(self, world, changes, errors):
        batch = [entry(0), entry(1), entry(2), {**entry(3), **changes}]
        assert refused(world, {BATCH: batch}) == {f"{BATCH}[3].{name}": keys for name, keys in errors.items()}

    @pytest.mark.parametrize(
        ("body", "errors"),
        [
            pytest.param(
                {}, {name: ["errors.required"] for name in ("email", "callback_url", "scope")}, id="nothing at all"
            ),
            pytest.param({BATCH: []}, {BATCH: ["errors.required"]}, id="an empty batch"),
            pytest.param({BATCH: [entry(n) for n in range(51)]}, {BATCH: ["errors.too_many"]}, id="one too many"),
            pytest.param({BATCH: {"0": ASKED}}, {BATCH: ["errors.invalid_format"]}, id="an object for a batch"),
            pytest.param({BATCH: "ana@example.com"}, {BATCH: ["errors.invalid_format"]}, id="text for a batch"),
            pytest.param({BATCH: [entry(0), 7]}, {f"{BATCH}[1]": ["errors.invalid_format"]}, id="a number in a batch"),
            pytest.param({BATCH: [entry(0), []]}, {f"{BATCH}[1]": ["errors.invalid_format"]}, id="a list in a batch"),
            pytest.param({BATCH: [entry(0), None]}, {f"{BATCH}[1]": ["errors.required"]}, id="null in a batch"),
            pytest.param(
                {BATCH: [entry(0)], "state": 7}, {"state": ["errors.invalid_format"]}, id="its state a number"
            ),
            pytest.param({BATCH: [entry(0)], **ASKED}, {BATCH: ["errors.not_supported"]}, id="both forms"),
            pytest.param({BATCH: [entry(0)], "scope": "x"}, {BATCH: ["errors.not_supported"]}, id="half of each form"),
            pytest.param(
                {BATCH: [], "email": "x"}, {BATCH: ["errors.not_supported"]}, id="an empty batch and an address"
            ),
            pytest.param(
                {BATCH: [entry(0), entry(1), entry(0, email="PERSON-0@Example.com")]},
                {f"{BATCH}[2].email": ["errors.duplicate"]},
                id="a mailbox twice",
            ),
        ],
    )
    def test_a_request_of_another_form_is_refused(self, world, body, errors):
        assert refused(world, body) == errors
