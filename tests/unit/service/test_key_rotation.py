from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from freebusy.domain.account import MOVED, Disconnected, Profile, ProviderCredential, Upstream
from freebusy.domain.application import Application, ClientSecret
from freebusy.domain.identifiers import hashed
from freebusy.service.key_rotation import MOST_LOOKS, QUIET_SECONDS, KeyRotation, Rotated
from tests.fakes.accounts import FakeAccounts
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW, FakeClock
from tests.fakes.vaults import FakeSecretVault, FakeVault
from tests.people import CLIENT_ID, connected, organization, organization_at_cronofy

SETTLING = 600
TOKEN = ProviderCredential("token of example.com", "", NOW + 3600)


class World:
    """Ana, Ben, an organization and two client secrets of one application: one cannot sign, as it was made before."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.credentials, self.secrets = FakeVault(), FakeSecretVault()
        self.accounts = FakeAccounts(connected("ana"), connected("ben"))
        token = self.credentials.seal(TOKEN, client_id=CLIENT_ID, profile_id="ser_1")
        self.accounts.service_accounts.put(replace(organization(), sealed_credential=token))
        listed = ClientSecret(hashed("new"), "new", NOW, self.secrets.seal("new", client_id=CLIENT_ID))
        before = ClientSecret(hashed("old"), "old", NOW)
        application = Application(CLIENT_ID, "Scheduler", ("https://app.example/cb",), secrets=(before, listed))
        self.registry = FakeApplications(application, accounts=self.accounts)
        self.meanwhile: list[Callable[[], object]] = []
        """What happens at each wait."""

    def pause(self, seconds: float) -> None:
        self.clock.advance(int(seconds))
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def rotate(self, *client_ids: str) -> list[Rotated]:
        rotation = KeyRotation(
            registry=self.registry,
            accounts=self.accounts,
            service_accounts=self.accounts.service_accounts,
            credentials=self.credentials,
            secrets=self.secrets,
            clock=self.clock,
        )
        return list(rotation.rotate(client_ids or (CLIENT_ID,), settling=SETTLING, pause=self.pause))

    def profile(self, sub: str) -> Profile:
        account = self.accounts.find(sub)
        assert account
        return account.free_busy_profiles[0]

    def credential(self, sub: str) -> ProviderCredential:
        return self.opened(self.profile(sub))

    def opened(self, profile: Profile) -> ProviderCredential:
        sealed = profile.sealed_credential or b""
        return self.credentials.unseal(sealed, client_id=CLIENT_ID, profile_id=profile.sealed_for)

    def key_ids(self) -> tuple[list[int], list[int]]:
        kept = (self.credentials.keys(CLIENT_ID), self.secrets.keys(CLIENT_ID))
        return tuple([key.key_id for key in keys] for keys in kept)

    def seal_again(self, sub: str, access_token: str) -> None:
        """A function that had looked up the newest key before there was the new one stores what it sealed with it."""
        account, profile = self.accounts.find(sub), self.profile(sub)
        assert account
        assert profile.identity
        sealed = FakeVault().seal(
            replace(self.credential(sub), access_token=access_token),
            client_id=CLIENT_ID,
            profile_id=profile.profile_id,
        )
        self.accounts.connect(sub, profile.profile_id, identity=profile.identity, sealed=sealed, expires_at=NOW + 3600)


@pytest.fixture
def world() -> World:
    return World()


def test_everything_is_sealed_again_and_the_old_keys_are_forgotten(world):
    before = [world.credential(sub) for sub in ("ana", "ben")]
    assert world.rotate() == [Rotated(CLIENT_ID, resealed=4, checked=4, forgotten=2, left=())]
    assert world.key_ids() == ([2], [2])
    assert [world.credential(sub) for sub in ("ana", "ben")] == before
    giver = world.accounts.service_accounts.find("ser_1")
    assert world.credentials.unseal(giver.sealed_credential, client_id=CLIENT_ID, profile_id="ser_1") == TOKEN
    unsealed, sealed = world.registry.find(CLIENT_ID).secrets
    assert unsealed.sealed is None
    assert world.secrets.unseal(sealed.sealed, client_id=CLIENT_ID, secret_hash=hashed("new")) == "new"


def test_old_keys_open_until_everybody_who_read_before_is_done(world):
    kept = []
    world.meanwhile = [lambda: kept.append(world.key_ids())]
    world.rotate()
    assert kept == [([1, 2], [1, 2])]


def test_what_was_sealed_under_an_old_key_in_the_last_moment_is_found(world):
    world.meanwhile = [lambda: world.seal_again("ana", "late")]
    assert world.rotate() == [Rotated(CLIENT_ID, resealed=5, checked=4, forgotten=2, left=())]
    assert world.credential("ana").access_token == "late"


def test_an_account_that_the_index_did_not_show_yet_is_found_later(world):
    world.meanwhile = [lambda: world.accounts.create(connected("cem"))]
    assert world.rotate() == [Rotated(CLIENT_ID, resealed=5, checked=5, forgotten=2, left=())]
    assert world.credential("cem").access_token == "token 0 of cem"


def test_whoever_refreshes_at_the_moment_keeps_what_the_provider_gave(world):
    """At Cronofy the refresh token that was used is used up."""
    profile = world.profile("ana")
    seconds = {"now": NOW, "seconds": 5}
    assert world.accounts.lease_refresh("ana", profile.profile_id, version=profile.version, **seconds)

    def arrives() -> None:
        renewed = replace(world.credential("ana"), refresh_token="replaced")
        sealed = world.credentials.seal(renewed, client_id=CLIENT_ID, profile_id=profile.profile_id)
        at = {"expires_at": NOW + 7200, "version": profile.version}
        assert world.accounts.renew("ana", profile.profile_id, sealed=sealed, **at)

    world.meanwhile = [arrives]
    assert world.rotate() == [Rotated(CLIENT_ID, resealed=3, checked=4, forgotten=2, left=())]
    assert world.credential("ana").refresh_token == "replaced"


def test_an_organization_that_refreshes_at_the_moment_keeps_what_cronofy_gave(world):
    """Its refresh token is used up by the refresh, and only an administrator could bring another one."""
    giver = organization_at_cronofy()
    store = world.accounts.service_accounts
    store.put(giver)
    assert store.lease_refresh(giver.sub, version=giver.version, now=NOW, seconds=30)

    def arrives() -> None:
        renewed = ProviderCredential("next", "replaced", NOW + 3600)
        sealed = world.credentials.seal(renewed, client_id=CLIENT_ID, profile_id=giver.sub)
        assert store.renew(giver.sub, sealed=sealed, version=giver.version)

    world.meanwhile = [arrives]
    assert world.rotate() == [Rotated(CLIENT_ID, resealed=3, checked=4, forgotten=2, left=())]
    kept = store.find(giver.sub).sealed_credential
    assert world.credentials.unseal(kept, client_id=CLIENT_ID, profile_id=giver.sub).refresh_token == "replaced"


def test_a_refresh_that_was_given_up_is_not_waited_for(world):
    profile = world.profile("ana")
    begun = {"now": NOW - QUIET_SECONDS - 5, "seconds": 5}
    assert world.accounts.lease_refresh("ana", profile.profile_id, version=profile.version, **begun)
    assert world.rotate()[0].resealed == 4


def test_a_late_write_by_somebody_who_read_before_is_refused(world):
    """A sandbox may be frozen between sealing and storing, for hours."""
    profile = world.profile("ana")
    stale = world.credentials.seal(TOKEN, client_id=CLIENT_ID, profile_id=profile.profile_id)
    world.rotate()
    late = {"sealed": stale, "expires_at": NOW, "version": profile.version}
    assert not world.accounts.renew("ana", profile.profile_id, **late)


def test_what_does_not_open_keeps_the_old_keys_and_is_named(world):
    broken = FakeVault().seal(TOKEN, client_id="somebody else", profile_id="ana")
    profile = world.profile("ana")
    assert world.accounts.renew("ana", profile.profile_id, sealed=broken, expires_at=NOW, version=profile.version)
    (rotated,) = world.rotate()
    assert rotated == Rotated(CLIENT_ID, resealed=3, checked=4, forgotten=0, left=(profile.profile_id,))
    assert world.key_ids() == ([1, 2], [1, 2])
    assert world.clock() == NOW + SETTLING, "looking again would not help"


def test_a_secret_that_is_revoked_meanwhile_stays_revoked(world):
    application = world.registry.find(CLIENT_ID)

    def find(client_id: str) -> Application:
        world.registry.find = find_really
        world.registry.change(application, application._replace(secrets=()))
        return application

    find_really, world.registry.find = world.registry.find, find
    assert world.rotate()[0].left == ()
    assert world.registry.find(CLIENT_ID).secrets == ()


def test_a_profile_that_moved_off_cronofy_keeps_both_of_its_credentials(world):
    account, profile = world.accounts.find("ana"), world.profile("ana")
    moved = replace(
        profile,
        profile_id=profile.profile_id + MOVED,
        identity=replace(profile.identity, subject="acc_at_cronofy", upstream=Upstream.CRONOFY),
    )
    world.accounts.create(account._replace(sub="moved", moved=(moved,), profiles=account.profiles[1:]))
    assert world.rotate()[0].resealed == 5
    assert world.opened(world.accounts.find("moved").moved[0]) == world.credential("ana")


def test_a_mailbox_of_an_organization_at_cronofy_has_a_credential_of_its_own(world):
    cem = connected("cem")
    of_organization = replace(
        cem.profiles[0],
        service_account="ser_1",
        identity=replace(cem.profiles[0].identity, upstream=Upstream.CRONOFY),
    )
    world.accounts.create(cem._replace(profiles=(of_organization, *cem.profiles[1:])))
    assert world.rotate() == [Rotated(CLIENT_ID, resealed=5, checked=5, forgotten=2, left=())]
    assert world.credential("cem").access_token == "token 0 of cem"


def test_a_disconnected_profile_has_nothing_to_seal(world):
    world.accounts.disconnect("ana", world.profile("ana").profile_id, because=Disconnected.REVOKED)
    assert world.rotate()[0].checked == 3


@pytest.mark.parametrize("trouble_at", [pytest.param(0, id="before the wait"), pytest.param(1, id="during the wait")])
def test_an_interrupted_rotation_goes_on_when_it_is_asked_for_again(world, trouble_at):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if trouble_at == 0:
        world.accounts.find_many, find_many = interrupt, world.accounts.find_many
    else:
        world.meanwhile = [interrupt]
    with pytest.raises(KeyboardInterrupt):
        world.rotate()
    if trouble_at == 0:
        world.accounts.find_many = find_many
    assert world.rotate()[0].forgotten == 2
    assert world.key_ids() == ([2], [2])


def test_two_rotations_at_once_do_no_harm(world):
    before, others = world.credential("ana"), []
    world.meanwhile = [lambda: others.extend(world.rotate())]
    assert world.rotate() == [Rotated(CLIENT_ID, resealed=4, checked=4, forgotten=2, left=())]
    assert others == [Rotated(CLIENT_ID, resealed=0, checked=4, forgotten=2, left=())]
    assert world.key_ids() == ([2], [2])
    assert world.credential("ana") == before


def test_many_applications_wait_together(world):
    world.registry.create(Application("other", "Other", ("https://other.example/cb",)))
    world.accounts.create(connected("dan", client_id="other"))
    rotated = world.rotate(CLIENT_ID, "other")
    assert [(each.client_id, each.resealed, each.forgotten) for each in rotated] == [(CLIENT_ID, 4, 2), ("other", 1, 2)]
    assert world.clock() == NOW + SETTLING


def test_who_writes_each_time_that_we_look_keeps_the_old_keys(world):
    world.meanwhile = [lambda: world.seal_again("ana", "again")] * MOST_LOOKS
    (rotated,) = world.rotate()
    assert (rotated.forgotten, world.key_ids()) == (0, ([1, 2], [1, 2]))
