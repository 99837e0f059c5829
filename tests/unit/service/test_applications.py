from __future__ import annotations

from itertools import count

import pytest

from freebusy.domain.application import Appearance, Application
from freebusy.domain.errors import InvalidRequest, NotFound, StorageUnavailable, TokenError
from freebusy.domain.identifiers import hashed
from freebusy.domain.registration import MOST_ORIGINS, MOST_REDIRECT_URIS
from freebusy.domain.token import TokenKind, TokenRecord
from freebusy.service.applications import (
    add_origins,
    add_redirect_uris,
    find_application,
    register_application,
    remove_origins,
    remove_redirect_uris,
    rename_application,
    revoke_secret,
    rotate_secret,
    show_home_page,
    show_logo,
)
from freebusy.service.callers import authenticate_client
from tests.fakes.applications import FakeApplications
from tests.fakes.clock import NOW
from tests.fakes.tokens import FakeTokens
from tests.fakes.vaults import FakeSecretVault
from tests.pictures import png

CALLBACK = "https://app.example/callback"
VAULT = FakeSecretVault()


@pytest.fixture
def tokens() -> FakeTokens:
    return FakeTokens()


@pytest.fixture
def registry(tokens) -> FakeApplications:
    return FakeApplications(tokens=tokens)


@pytest.fixture
def registered(registry) -> tuple[Application, str]:
    application, secret = register_application("Scheduler", [CALLBACK], registry=registry, vault=VAULT, now=NOW)
    assert secret
    return application, secret


def authenticated(client_id, secret, registry, tokens) -> bool:
    try:
        authenticate_client(client_id, secret, applications=registry, tokens=tokens, now=NOW)
    except TokenError as error:
        return error.code != "invalid_client"
    return True


class TestRegistration:
    def test_a_confidential_application_gets_a_secret_that_is_stored_as_a_hash_alone(self, registered, registry):
        application, secret = registered
        assert registry.find(application.client_id) == application
        assert [each.secret_hash for each in application.secrets] == [hashed(secret)]
        assert secret.startswith(application.secrets[0].hint)
        assert len(application.secrets[0].hint) < 16
        assert secret not in repr(application)

    def test_the_secret_is_kept_sealed_for_signing_what_the_application_is_sent(self, registered):
        application, secret = registered
        (listed,) = application.secrets
        opened = VAULT.unseal(listed.sealed, client_id=application.client_id, secret_hash=listed.secret_hash)
        assert opened == secret

    def test_a_public_application_gets_none(self, registry):
        application, secret = register_application(
            "Front end",
            [CALLBACK],
            public=True,
            origins=["https://APP.example"],
            registry=registry,
            vault=VAULT,
            now=NOW,
        )
        assert secret is None
        assert application.secrets == ()
        assert application.origins == ("https://app.example",)

    def test_no_two_applications_share_id_or_secret(self, registry):
        made = [
            register_application("Scheduler", [CALLBACK], registry=registry, vault=VAULT, now=NOW) for _ in range(10)
        ]
        assert len({application.client_id for application, _ in made}) == 10
        assert len({secret for _, secret in made}) == 10

    def test_what_is_given_twice_is_listed_once(self, registry):
        application, _ = register_application(
            "S", [CALLBACK, CALLBACK + "2", CALLBACK], registry=registry, vault=VAULT, now=NOW
        )
        assert application.redirect_uris == (CALLBACK, CALLBACK + "2")

    @pytest.mark.parametrize(
        ("field", "given"),
        [
            pytest.param("name", {"name": ""}, id="no name"),
            pytest.param("redirect_uris", {"redirect_uris": []}, id="nowhere to go"),
            pytest.param("redirect_uris", {"redirect_uris": [CALLBACK, "http://app.example"]}, id="plain http"),
            pytest.param(
                "redirect_uris",
                {"redirect_uris": [f"{CALLBACK}/{n}" for n in range(MOST_REDIRECT_URIS + 1)]},
                id="too many redirect URIs",
            ),
            pytest.param("origins", {"origins": ["*"]}, id="every origin"),
            pytest.param(
                "origins",
                {"origins": [f"https://{n}.example" for n in range(MOST_ORIGINS + 1)]},
                id="too many origins",
            ),
        ],
    )
    def test_a_registration_that_makes_no_sense_is_refused(self, registry, field, given):
        with pytest.raises(InvalidRequest) as caught:
            register_application(
                **{"name": "S", "redirect_uris": [CALLBACK], **given}, registry=registry, vault=VAULT, now=NOW
            )
        assert list(caught.value.errors) == [field]
        assert registry.names() == {}


class TestAuthentication:
    def test_an_application_is_recognised_by_its_secret(self, registered, registry, tokens):
        application, secret = registered
        found = authenticate_client(application.client_id, secret, applications=registry, tokens=tokens, now=NOW)
        assert found == application

    @pytest.mark.parametrize("secret", [None, "", "wrong", "fbc_cs_" + "x" * 43, "\ud800"])
    def test_a_wrong_or_missing_secret_is_refused(self, registered, registry, tokens, secret):
        assert not authenticated(registered[0].client_id, secret, registry, tokens)

    @pytest.mark.parametrize("client_id", ["", "unknown", "\ud800"])
    def test_an_unknown_client_id_is_refused(self, registered, registry, tokens, client_id):
        assert not authenticated(client_id, registered[1], registry, tokens)

    def test_the_secret_of_another_application_is_refused(self, registered, registry, tokens):
        other, _ = register_application("Other", [CALLBACK], registry=registry, vault=VAULT, now=NOW)
        assert not authenticated(other.client_id, registered[1], registry, tokens)

    def test_another_kind_of_token_is_no_client_secret(self, registered, registry, tokens):
        client_id = registered[0].client_id
        tokens.save(hashed("token"), TokenRecord(TokenKind.ACCESS, client_id, sub="acc", grant_id="grant"))
        assert not authenticated(client_id, "token", registry, tokens)

    def test_a_public_application_is_known_by_its_id_and_sends_no_secret(self, registry, tokens):
        public, _ = register_application("Front end", [CALLBACK], public=True, registry=registry, vault=VAULT, now=NOW)
        assert authenticated(public.client_id, None, registry, tokens)
        assert authenticated(public.client_id, "", registry, tokens)
        assert not authenticated(public.client_id, "anything", registry, tokens)


class TestSecrets:
    def test_two_secrets_live_at_once(self, registered, registry, tokens):
        application, first = registered
        changed, second = rotate_secret(application.client_id, registry=registry, vault=VAULT, now=NOW + 5)
        assert [secret.created_at for secret in changed.secrets] == [NOW, NOW + 5]
        assert authenticated(application.client_id, first, registry, tokens)
        assert authenticated(application.client_id, second, registry, tokens)
        sealed_for = [(each.sealed, each.secret_hash) for each in changed.secrets]
        opened = [
            VAULT.unseal(sealed, client_id=application.client_id, secret_hash=name) for sealed, name in sealed_for
        ]
        assert opened == [first, second]

    def test_a_third_is_refused(self, registered, registry):
        client_id = registered[0].client_id
        rotate_secret(client_id, registry=registry, vault=VAULT, now=NOW)
        before = registry.find(client_id)
        with pytest.raises(InvalidRequest):
            rotate_secret(client_id, registry=registry, vault=VAULT, now=NOW)
        assert registry.find(client_id) == before

    def test_a_revoked_secret_is_dead_at_once_and_the_other_lives(self, registered, registry, tokens):
        application, first = registered
        _, second = rotate_secret(application.client_id, registry=registry, vault=VAULT, now=NOW)
        revoke_secret(application.client_id, application.secrets[0].hint, registry=registry)
        assert not authenticated(application.client_id, first, registry, tokens)
        assert authenticated(application.client_id, second, registry, tokens)

    def test_even_the_last_secret_can_be_revoked_and_replaced(self, registered, registry, tokens):
        application, _ = registered
        assert revoke_secret(application.client_id, application.secrets[0].hint, registry=registry).secrets == ()
        _, second = rotate_secret(application.client_id, registry=registry, vault=VAULT, now=NOW)
        assert authenticated(application.client_id, second, registry, tokens)

    @pytest.mark.parametrize("hint", ["", "fbc_cs_", "unknown"])
    def test_only_a_whole_hint_names_a_secret(self, registered, registry, hint):
        with pytest.raises(InvalidRequest):
            revoke_secret(registered[0].client_id, hint, registry=registry)
        assert registry.find(registered[0].client_id) == registered[0]

    def test_a_public_application_cannot_have_one(self, registry):
        public, _ = register_application("Front end", [CALLBACK], public=True, registry=registry, vault=VAULT, now=NOW)
        with pytest.raises(InvalidRequest):
            rotate_secret(public.client_id, registry=registry, vault=VAULT, now=NOW)


class TestChanges:
    @pytest.fixture
    def client_id(self, registered) -> str:
        return registered[0].client_id

    def test_an_application_is_renamed(self, client_id, registry):
        assert rename_application(client_id, " Planner ", registry=registry).name == "Planner"
        assert registry.names() == {client_id: "Planner"}

    def test_redirect_uris_are_added_once_and_removed(self, client_id, registry):
        more = [f"{CALLBACK}2", CALLBACK]
        assert add_redirect_uris(client_id, more, registry=registry).redirect_uris == (CALLBACK, f"{CALLBACK}2")
        assert remove_redirect_uris(client_id, [CALLBACK], registry=registry).redirect_uris == (f"{CALLBACK}2",)

    def test_the_last_redirect_uri_stays(self, client_id, registry):
        with pytest.raises(InvalidRequest):
            remove_redirect_uris(client_id, [CALLBACK], registry=registry)
        assert find_application(client_id, registry=registry).redirect_uris == (CALLBACK,)

    def test_what_is_not_listed_cannot_be_removed(self, client_id, registry):
        with pytest.raises(InvalidRequest):
            remove_redirect_uris(client_id, [f"{CALLBACK}2"], registry=registry)
        with pytest.raises(InvalidRequest):
            remove_origins(client_id, ["https://app.example"], registry=registry)

    def test_origins_are_added_and_removed_however_they_are_spelled(self, client_id, registry):
        added = add_origins(client_id, ["https://App.example:443", "https://b.example"], registry=registry)
        assert added.origins == ("https://app.example", "https://b.example")
        removed = remove_origins(client_id, ["https://APP.example"], registry=registry)
        assert removed.origins == ("https://b.example",)
        assert registry.with_origin("https://app.example") == frozenset()

    def test_a_change_builds_on_what_others_changed_meanwhile(self, client_id, registry, monkeypatch):
        change, attempts = registry.change, count()

        def overtaken(before, after):
            if next(attempts) == 0:
                assert change(before, before._replace(name="Planner"))
            return change(before, after)

        monkeypatch.setattr(registry, "change", overtaken)
        add_origins(client_id, ["https://app.example"], registry=registry)
        application = registry.find(client_id)
        assert (application.name, application.origins) == ("Planner", ("https://app.example",))

    def test_a_change_that_is_always_overtaken_gives_up(self, client_id, registry, monkeypatch):
        monkeypatch.setattr(registry, "change", lambda *_: False)
        with pytest.raises(StorageUnavailable):
            rename_application(client_id, "Planner", registry=registry)

    def test_home_page_and_logo_come_and_go_each_for_itself(self, client_id, registry):
        show_home_page(client_id, "https://app.example/about", registry=registry)
        show_logo(client_id, png(), registry=registry)
        assert registry.appearance(client_id) == Appearance("https://app.example/about", png())
        show_home_page(client_id, "", registry=registry)
        assert registry.appearance(client_id) == Appearance("", png())
        show_logo(client_id, b"", registry=registry)
        assert registry.appearance(client_id) == Appearance()

    def test_what_people_could_not_see_or_visit_is_refused(self, client_id, registry):
        with pytest.raises(InvalidRequest):
            show_home_page(client_id, "javascript:alert(1)", registry=registry)
        with pytest.raises(InvalidRequest):
            show_logo(client_id, b"<svg/>", registry=registry)
        assert registry.appearance(client_id) == Appearance()

    def test_an_unknown_application_cannot_be_changed(self, registry):
        with pytest.raises(NotFound):
            show_home_page("unknown", "https://app.example", registry=registry)
        with pytest.raises(NotFound):
            rename_application("unknown", "Planner", registry=registry)
        with pytest.raises(NotFound):
            rotate_secret("unknown", registry=registry, vault=VAULT, now=NOW)
