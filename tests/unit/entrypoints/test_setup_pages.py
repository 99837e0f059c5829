import pytest

from freebusy.domain import errors
from freebusy.domain.application import Introduction
from freebusy.domain.errors import ProviderError
from freebusy.domain.organization_setup import ProofRecord
from freebusy.domain.service_account import Delegation
from freebusy.entrypoints import setup_pages
from freebusy.service.organization_setups import Progress
from tests.administrators import ADA, GOOGLE, MAX, MICROSOFT, a_request, a_setup
from tests.fakes.clock import NOW

DELEGATION = Delegation("the client id", "the scope", "the scope of rooms")
PRECISE = {
    "delegation_missing",
    "mailbox_unknown",
    "mailbox_without_calendar",
    "calendar_unreadable",
    "provider_misconfigured",
    "provider_unavailable",
}
"""Reasons with words of their own; whatever else a provider may say passes for an outage."""

REASONS = {kind.reason for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProviderError)}


def page(provider=GOOGLE, *, access=None, proof=None, **request):
    administrator = ADA if provider is GOOGLE else MAX
    progress = Progress(
        application=Introduction("Scheduler"),
        setup=a_setup(request=a_request(provider=provider, **request), administrator=administrator),
        delegation=DELEGATION,
        record=ProofRecord.of("app", ADA) if proof else None,
        mailbox=None,
        access=access,
        proof=proof,
        checked_at=NOW + 3723,
    )
    return setup_pages.setup({}, progress, "handle").body


def trouble(body):
    """What the page says is wrong, without the step that is done."""
    return [part.partition("</div>")[0] for part in body.split('<div class="trouble">')[1:]]


def test_what_providers_can_say_was_found():
    assert PRECISE < REASONS


@pytest.mark.parametrize("provider", [GOOGLE, MICROSOFT])
def test_every_reason_has_words_of_its_own_or_passes_for_an_outage(provider):
    said = {reason: trouble(page(provider, access=reason)) for reason in REASONS}
    assert all(len(words) == 1 for words in said.values())
    assert len({words[0] for words in said.values()}) == len(PRECISE)
    assert all(said[reason] == said["provider_unavailable"] for reason in REASONS - PRECISE)


def test_every_doubt_about_a_domain_has_words_of_its_own():
    doubts = ("record_missing", "record_differs", "records_unavailable")
    said = [trouble(page(proof=doubt)) for doubt in doubts]
    assert len({words for (words,) in said}) == len(doubts)


@pytest.mark.parametrize(
    ("access", "proof", "said"),
    [
        ("delegation_missing", "record_missing", "Two steps are left"),
        ("delegation_missing", None, "One step is left"),
        (None, "record_missing", "One step is left"),
    ],
)
def test_the_page_counts_what_is_left(access, proof, said):
    assert said in page(access=access, proof=proof)


def test_the_page_says_when_it_looked():
    assert "Checked at 09:02:03 UTC" in page(access="delegation_missing")
    assert "Checked at 09:02:03 UTC" in page(MICROSOFT, access="delegation_missing")


def test_rooms_take_a_second_scope():
    assert "the scope,the scope of rooms" not in page(access="delegation_missing")
    scope = "service_account/accounts/manage service_account/resources/manage"
    assert "the scope,the scope of rooms" in page(access="delegation_missing", scope=scope)
