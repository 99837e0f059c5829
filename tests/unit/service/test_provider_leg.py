from freebusy.domain.pkce import challenge_of, is_well_formed
from freebusy.service.provider_leg import ProviderLeg, trip_of


def test_whoever_brings_state_and_secret_back_knows_nonce_and_verifier():
    leg = ProviderLeg()
    back = ProviderLeg(leg.state, leg.browser_secret)
    assert (back.nonce, back.code_verifier) == (leg.nonce, leg.code_verifier)
    assert challenge_of(back.code_verifier) == leg.code_challenge
    assert is_well_formed(leg.code_verifier)


def test_either_alone_is_not_enough():
    leg = ProviderLeg()
    for other in (ProviderLeg(state=leg.state), ProviderLeg(browser_secret=leg.browser_secret)):
        assert other.code_verifier != leg.code_verifier
        assert other.nonce != leg.nonce


def test_the_nonce_which_travels_openly_does_not_tell_the_verifier():
    leg = ProviderLeg()
    assert leg.nonce != leg.code_verifier


def test_a_leg_shows_no_secret():
    leg = ProviderLeg()
    assert leg.state not in repr(leg)
    assert leg.browser_secret not in repr(leg)


def test_a_trips_name_follows_from_its_state_and_fits_a_cookie():
    leg = ProviderLeg()
    assert trip_of(leg.state) == trip_of(leg.state) != trip_of(ProviderLeg().state)
    assert trip_of(leg.state).replace("-", "").replace("_", "").isalnum()
