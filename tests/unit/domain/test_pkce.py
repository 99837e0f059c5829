import pytest

from freebusy.domain.pkce import challenge_of, is_well_formed, proves

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_example_of_the_rfc_holds():
    """RFC 7636, appendix B."""
    assert challenge_of(VERIFIER) == CHALLENGE
    assert proves(VERIFIER, CHALLENGE)


@pytest.mark.parametrize(
    ("value", "formed"),
    [
        pytest.param("a" * 42, False, id="one too short"),
        pytest.param("a" * 43, True, id="just long enough"),
        pytest.param("a" * 128, True, id="just short enough"),
        pytest.param("a" * 129, False, id="one too long"),
        pytest.param("Az09-._~" * 6, True, id="all that is unreserved"),
        pytest.param("a" * 43 + "\n", False, id="a line break at the end"),
        pytest.param("+/" * 22, False, id="plain base64"),
        pytest.param("é" * 43, False, id="beyond ASCII"),
    ],
)
def test_length_and_alphabet_are_the_rfcs(value, formed):
    assert is_well_formed(value) is formed


@pytest.mark.parametrize("verifier", ["", CHALLENGE, VERIFIER[::-1], VERIFIER + "=", "é" * 43])
def test_nothing_else_proves_it(verifier):
    assert not proves(verifier, CHALLENGE)
