from urllib.parse import parse_qs, urlsplit

import pytest

from freebusy.domain.authorization import ReturnAddress
from freebusy.domain.errors import AuthorizationError

ISSUER = "https://calendar.example.com"


def query(location):
    return parse_qs(urlsplit(location).query, keep_blank_values=True)


@pytest.mark.parametrize(
    ("redirect_uri", "start"),
    [
        ("https://app.example/cb", "https://app.example/cb?code=c&"),
        ("https://app.example", "https://app.example?code=c&"),
        ("https://app.example/cb?tenant=1", "https://app.example/cb?tenant=1&code=c&"),
        ("http://127.0.0.1:9/cb?a=%26&b=%20", "http://127.0.0.1:9/cb?a=%26&b=%20&code=c&"),
    ],
)
def test_a_redirect_uri_stays_as_it_is_and_our_parameters_follow(redirect_uri, start):
    location = ReturnAddress(redirect_uri, "s", ISSUER).with_code("c")
    assert location.startswith(start)
    assert query(location)["iss"] == [ISSUER]


@pytest.mark.parametrize("state", ["", " ", "a+b&c=d#e", "é漢\U0001f600", "\0\r\n", "%0d%0aSet-Cookie: x=y"])
def test_a_state_survives_the_trip_and_breaks_out_of_nothing(state):
    location = ReturnAddress("https://app.example/cb", state, ISSUER).with_code("c")
    assert query(location)["state"] == [state]
    assert location.isascii()
    assert location.isprintable()


def test_an_error_carries_its_code_and_description():
    location = ReturnAddress("https://app.example/cb", None, ISSUER).with_error(AuthorizationError("code", "why not"))
    assert query(location) == {"error": ["code"], "error_description": ["why not"], "iss": [ISSUER]}
