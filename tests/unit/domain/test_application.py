from __future__ import annotations

import pytest

from freebusy.domain.application import Application
from freebusy.domain.registration import (
    checked_home_page,
    checked_logo,
    checked_name,
    checked_origin,
    checked_redirect_uri,
)
from tests.pictures import PNG, chunk, png


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://app.example/callback", id="https"),
        pytest.param("https://app.example", id="no path"),
        pytest.param("https://app.example:8443/callback?tenant=7&x=%20", id="port and query"),
        pytest.param("https://App.Example/Callback", id="as it was written"),
        pytest.param("https://my_app.example./cb", id="underscore and root dot"),
        pytest.param("https://[2001:db8::1]/cb", id="an IPv6 host"),
        pytest.param("http://localhost:9999/callback", id="http on localhost"),
        pytest.param("http://127.0.0.1:9999/callback", id="http on the IPv4 loopback"),
        pytest.param("http://[::1]/callback", id="http on the IPv6 loopback"),
    ],
)
def test_a_redirect_uri_is_kept_as_it_is(uri):
    assert checked_redirect_uri(uri) == uri


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="empty"),
        pytest.param("/callback", id="relative"),
        pytest.param("//app.example/callback", id="no scheme"),
        pytest.param("https:///callback", id="no host"),
        pytest.param("https:app.example", id="no authority"),
        pytest.param("ftp://app.example/", id="another scheme"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("com.example.app:/callback", id="a scheme of an app"),
        pytest.param("http://app.example/callback", id="http in public"),
        pytest.param("http://localhost.example/callback", id="a host that only begins like localhost"),
        pytest.param("http://127.0.0.1.example/callback", id="a host that only begins like the loopback"),
        pytest.param("https://app.example/#there", id="a fragment"),
        pytest.param("https://app.example/#", id="an empty fragment"),
        pytest.param("https://user:pass@app.example/", id="a password"),
        pytest.param("https://app.example@evil.example/", id="a user name that looks like a host"),
        pytest.param("https://app.example\\@evil.example/", id="a backslash"),
        pytest.param("https://*.example/callback", id="a wildcard"),
        pytest.param("https://app.example:port/", id="a port that is none"),
        pytest.param("https://app.example:99999/", id="a port too high"),
        pytest.param("https://app.example/a b", id="a space"),
        pytest.param("https://app.example/\ncallback", id="a line break"),
        pytest.param("https://bücher.example/", id="letters beyond ASCII"),
        pytest.param("https://[::1/callback", id="an open bracket"),
        pytest.param("https://a..example/", id="an empty label"),
        pytest.param("https://app.example/" + "x" * 2000, id="too long"),
    ],
)
def test_a_redirect_uri_that_could_lead_elsewhere_is_refused(uri):
    with pytest.raises(ValueError, match=r"URI|http"):
        checked_redirect_uri(uri)


@pytest.mark.parametrize(
    ("given", "as_browsers_send_it"),
    [
        pytest.param("https://app.example", "https://app.example", id="as it is"),
        pytest.param("HTTPS://App.Example", "https://app.example", id="lower case"),
        pytest.param("https://app.example:443", "https://app.example", id="without the default port"),
        pytest.param("https://app.example:8443", "https://app.example:8443", id="with another port"),
        pytest.param("http://localhost:80", "http://localhost", id="without the default port of http"),
        pytest.param("http://127.0.0.1:3000", "http://127.0.0.1:3000", id="the loopback"),
        pytest.param("http://[::1]:3000", "http://[::1]:3000", id="the IPv6 loopback"),
    ],
)
def test_an_origin_is_kept_as_browsers_send_it(given, as_browsers_send_it):
    assert checked_origin(given) == as_browsers_send_it


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("", id="empty"),
        pytest.param("*", id="everybody"),
        pytest.param("null", id="the origin of files and sandboxed frames"),
        pytest.param("app.example", id="a host alone"),
        pytest.param("https://app.example/", id="a path"),
        pytest.param("https://app.example/app", id="a longer path"),
        pytest.param("https://app.example?", id="a query"),
        pytest.param("https://app.example#", id="a fragment"),
        pytest.param("https://*.example", id="a wildcard"),
        pytest.param("https://user@app.example", id="a user name"),
        pytest.param("http://app.example", id="http in public"),
        pytest.param("https://app.example:0x50", id="a port that is none"),
    ],
)
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(ValueError, match=r"origin|URI|http"):
        checked_origin(origin)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Scheduler", "Scheduler"),
        ("  Ana's \t Scheduler\n", "Ana's Scheduler"),
        ("Terminplaner für Ärzte 📅", "Terminplaner für Ärzte 📅"),
        ("x" * 100, "x" * 100),
    ],
)
def test_a_name_is_kept_in_one_line(given, kept):
    assert checked_name(given) == kept


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("", id="empty"),
        pytest.param(" \n", id="blank"),
        pytest.param("x" * 101, id="too long"),
        pytest.param("a\x00b", id="a control character"),
        pytest.param("evil\u202egnp", id="text that turns its direction"),
        pytest.param("a\ud800b", id="a lone surrogate"),
    ],
)
def test_a_name_that_people_could_not_read_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        checked_name(name)


REGISTERED = Application(
    "app",
    "App",
    (
        "https://app.example/cb?tenant=1",
        "http://127.0.0.1:9999/cb",
        "http://[::1]/cb",
        "http://localhost/",
        "http://127.0.0.1:7000",
    ),
)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://app.example/cb?tenant=1", id="as it is registered"),
        pytest.param("http://127.0.0.1:9999/cb", id="a loopback as it is registered"),
        pytest.param("http://127.0.0.1:1/cb", id="another loopback port"),
        pytest.param("http://127.0.0.1/cb", id="no loopback port"),
        pytest.param("http://[::1]:51004/cb", id="a port where none is registered"),
        pytest.param("http://localhost:3000/", id="localhost is a loopback too"),
        pytest.param("http://127.0.0.1:7001", id="a port that ends the URI"),
    ],
)
def test_a_redirect_goes_to_what_is_registered_on_any_loopback_port(uri):
    assert REGISTERED.allows_redirect_to(uri)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("", id="nothing"),
        pytest.param("https://app.example/cb", id="without its query"),
        pytest.param("https://app.example/cb?tenant=1&x=2", id="with more query"),
        pytest.param("https://app.example:443/cb?tenant=1", id="with the default port spelled out"),
        pytest.param("https://APP.example/cb?tenant=1", id="in another case"),
        pytest.param("http://127.0.0.1:1/other", id="another loopback path"),
        pytest.param("http://127.0.0.2:9999/cb", id="another loopback address"),
        pytest.param("http://localhost:9999/cb", id="a loopback by another name"),
        pytest.param("https://127.0.0.1:9999/cb", id="a loopback by another scheme"),
        pytest.param("http://127.0.0.1:7000@evil.example", id="a port that is a password"),
        pytest.param("http://127.0.0.1:7000.evil.example", id="a port that is part of a name"),
        pytest.param("http://127.0.0.1:123456", id="a port that cannot be"),
        pytest.param("http://127.0.0.1:7000\n", id="a line break"),
    ],
)
def test_a_redirect_goes_nowhere_else(uri):
    assert not REGISTERED.allows_redirect_to(uri)


@pytest.mark.parametrize("page", ["https://app.example", "https://app.example/about?us#team", "http://localhost:9000/"])
def test_a_home_page_is_somewhere_that_people_can_go(page):
    assert checked_home_page(page) == page


@pytest.mark.parametrize(
    "page",
    [
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("data:text/html,x", id="a document of its own"),
        pytest.param("http://app.example", id="plain http"),
        pytest.param("//app.example", id="no scheme"),
        pytest.param("https://ana@app.example", id="a user"),
        pytest.param("https://app.example/" + "a" * 300, id="too long"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_home_page_is_refused(page):
    with pytest.raises(ValueError, match=r".+"):
        checked_home_page(page)


def test_a_logo_is_kept_without_what_is_not_the_picture():
    assert checked_logo(png(chunk(b"tEXt", b"Author\0Ana"), chunk(b"eXIf", b"where and when"))) == png()


@pytest.mark.parametrize(
    ("image", "why"),
    [
        pytest.param(b"", "is a PNG", id="nothing"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is a PNG", id="SVG, which can hold scripts"),
        pytest.param(b"GIF89a", "is a PNG", id="GIF"),
        pytest.param(PNG, "damaged", id="only the signature"),
        pytest.param(png()[:-1], "damaged", id="cut off"),
        pytest.param(png().replace(b"IDAT", b"IDAX"), "damaged", id="a wrong checksum"),
        pytest.param(PNG + chunk(b"IEND", b""), "damaged", id="no picture"),
        pytest.param(PNG + b"\xff" * 30, "damaged", id="a chunk beyond the end"),
        pytest.param(png(width=0), "pixels", id="no width"),
        pytest.param(png(height=1025), "pixels", id="too high"),
        pytest.param(png(chunk(b"tEXt", b"x" * 20_000)), "20000 bytes", id="too heavy"),
    ],
)
def test_what_is_no_logo_is_refused(image, why):
    with pytest.raises(ValueError, match=why):
        checked_logo(image)


def test_what_follows_a_picture_is_cut_off():
    assert checked_logo(png() + b"<script>") == png()
