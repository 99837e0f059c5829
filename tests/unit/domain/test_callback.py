"""Which callback URLs are taken, and which addresses behind them may be reached."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from freebusy.domain.callback import (
    LONGEST_URL,
    Destination,
    destination_of,
    is_public,
    is_signed,
    may_be_called,
    signature,
)

SECRET = "s3cr3t"


class TestDestination:
    @pytest.mark.parametrize(
        ("url", "authority", "target"),
        [
            pytest.param("https://app.example/hook", "app.example", "/hook", id="usual"),
            pytest.param("https://app.example", "app.example", "/", id="no path"),
            pytest.param("https://app.example?job=17", "app.example", "/?job=17", id="no path but a query"),
            pytest.param("https://app.example/hook?", "app.example", "/hook?", id="an empty query"),
            pytest.param("https://app.example:443/hook", "app.example", "/hook", id="the port spelled out"),
            pytest.param("HTTPS://APP.Example/Hook", "app.example", "/Hook", id="upper case"),
            pytest.param("https://xn--bcher-kva.example/", "xn--bcher-kva.example", "/", id="an IDNA name in ASCII"),
            pytest.param("https://my_app.example.co.uk/", "my_app.example.co.uk", "/", id="underscore"),
            pytest.param("https://192.0.2.7.example/", "192.0.2.7.example", "/", id="a name that begins as an address"),
            pytest.param("https://8.8.8.8/hook", "8.8.8.8", "/hook", id="an IPv4 address"),
            pytest.param("https://[2606:4700::1111]/hook", "[2606:4700::1111]", "/hook", id="an IPv6 address"),
            pytest.param(
                "https://app.example/a/../b/%2e%2E/c'd[1]?q='x'&u=https://a@b:1/",
                "app.example",
                "/a/../b/%2e%2E/c'd[1]?q='x'&u=https://a@b:1/",
                id="nothing of path and query is changed",
            ),
        ],
    )
    def test_what_is_public_to_look_at_is_taken(self, url, authority, target):
        destination = destination_of(url)
        assert (destination.scheme, destination.port) == ("https", 443)
        assert (destination.authority, destination.target) == (authority, target)

    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("", id="nothing"),
            pytest.param("/hook", id="relative"),
            pytest.param("//app.example/hook", id="no scheme"),
            pytest.param("https:app.example", id="no authority"),
            pytest.param("https:///hook", id="no host"),
            pytest.param("http://app.example/hook", id="plain http"),
            pytest.param("ftp://app.example/hook", id="ftp"),
            pytest.param("file:///etc/passwd", id="file"),
            pytest.param("gopher://app.example:443/", id="gopher"),
            pytest.param("https://app.example:8443/hook", id="another port"),
            pytest.param("https://app.example:80/hook", id="the port of http"),
            pytest.param("https://app.example:0/hook", id="port 0"),
            pytest.param("https://app.example:99999/hook", id="no port"),
            pytest.param("https://app.example:x/hook", id="a port that is no number"),
            pytest.param("https://kim@app.example/hook", id="a user name"),
            pytest.param("https://kim:secret@app.example/hook", id="a password"),
            pytest.param("https://app.example@127.0.0.1/hook", id="a host as a user name"),
            pytest.param("https://@app.example/hook", id="an empty user name"),
            pytest.param("https://app.example/hook#part", id="a fragment"),
            pytest.param("https://app.example/hook#", id="an empty fragment"),
            pytest.param("https://app.example#@evil.example/", id="a fragment before the path"),
            pytest.param("https://intranet/hook", id="a name without a domain"),
            pytest.param("https://app.example./hook", id="a trailing dot"),
            pytest.param("https://127.0.0.1./hook", id="an address with a trailing dot"),
            pytest.param("https://app..example/hook", id="an empty label"),
            pytest.param("https://-app.example/hook", id="a label that begins with a hyphen"),
            pytest.param(f"https://{'a' * 64}.example/hook", id="a label that is too long"),
            pytest.param(f"https://{'a.' * 130}example/hook", id="a name that is too long"),
            pytest.param("https://2130706433/hook", id="one decimal number"),
            pytest.param("https://0x7f000001/hook", id="one hexadecimal number"),
            pytest.param("https://017700000001/hook", id="one octal number"),
            pytest.param("https://127.1/hook", id="two numbers"),
            pytest.param("https://0x7f.1/hook", id="a hexadecimal part"),
            pytest.param("https://0177.0.0.1/hook", id="an octal part"),
            pytest.param("https://127.0.0.0x1/hook", id="a hexadecimal end"),
            pytest.param("https://1.2.3.4.5/hook", id="five numbers"),
            pytest.param("https://256.256.256.256/hook", id="numbers that are too large"),
            pytest.param("https://app.example.7/hook", id="a name that ends in a number"),
            pytest.param("https://[::1/hook", id="half a bracket"),
            pytest.param("https://[fe80::1%25eth0]/hook", id="a zone"),
            pytest.param("https://[::ffff:7f00:1]:8443/hook", id="an IPv6 address at another port"),
            pytest.param("https://2606:4700::1111/hook", id="an IPv6 address without brackets"),
            pytest.param("https://bücher.example/hook", id="letters beyond ASCII"),
            pytest.param("https://①②⑦.⓪.⓪.①/hook", id="digits that IDNA would turn into an address"),
            pytest.param("https://app。example/hook", id="an ideographic full stop"),
            pytest.param("https://app.example%2eevil.example/hook", id="an encoded dot"),
            pytest.param("https://app.example\\@127.0.0.1/hook", id="a backslash"),
            pytest.param("https://app.example/ho ok", id="a space"),
            pytest.param("https://app.example/hook\r\nHost: evil.example", id="a line break"),
            pytest.param("https://app.example/\x00", id="a null character"),
            pytest.param("https://app.example/\ud800", id="a lone surrogate"),
            pytest.param(f"https://app.example/{'a' * LONGEST_URL}", id="too long"),
        ],
    )
    @pytest.mark.parametrize("local", [False, True])
    def test_everything_else_is_refused_and_not_repeated(self, url, local):
        with pytest.raises(ValueError, match="must") as refused:
            destination_of(url, local=local)
        assert "example" not in str(refused.value)

    @pytest.mark.parametrize(
        ("url", "authority"),
        [
            pytest.param("http://127.0.0.1:9999/hook", "127.0.0.1:9999", id="IPv4"),
            pytest.param("http://[::1]:9999/hook", "[::1]:9999", id="IPv6"),
            pytest.param("http://localhost/hook", "localhost", id="by name"),
            pytest.param("https://localhost/hook", "localhost", id="https"),
        ],
    )
    def test_a_developers_machine_may_call_itself(self, url, authority):
        assert destination_of(url, local=True).authority == authority
        with pytest.raises(ValueError, match="must be"):
            destination_of(url)


NOT_PUBLIC = [
    *("0.0.0.0", "0.1.2.3"),  # noqa: S104 - nobody binds to it
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "100.100.100.200", "100.127.255.255"),
    *("127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "169.254.170.2", "169.254.169.253", "169.254.0.1"),
    *("192.0.0.1", "192.0.0.170", "192.0.0.9", "192.0.2.1", "198.51.100.7", "203.0.113.7"),
    *("192.31.196.1", "192.52.193.1", "192.88.99.1", "192.175.48.1"),
    *("198.18.0.1", "198.19.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::2", "::127.0.0.1", "::8.8.8.8"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1"),
    *("100::1", "100:0:0:1::1", "200::1", "4000::1", "5f00::1"),
    *("2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1"),
    *("2001:db8::1", "3fff::1", "3fff:fff::1"),
    *("2002:7f00:1::1", "2002:a00:1::1", "2002:808:808::1", "2620:4f:8000::1"),
    *("fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "ff0e::1"),
    *("2606:4700::1%eth0", "", "app.example", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "8.8.8.8/32", " 8.8.8.8"),
]

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.1", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.1"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00:1450::1", "3ffe::1"),
]


class TestAddresses:
    @pytest.mark.parametrize("address", NOT_PUBLIC)
    def test_what_is_of_some_network_of_its_own_is_not_public(self, address):
        assert not is_public(address)

    @pytest.mark.parametrize("address", PUBLIC)
    def test_what_lies_beside_those_networks_is(self, address):
        assert is_public(address)

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254"])
    def test_a_name_does_not_make_an_address_public(self, address):
        assert not may_be_called(destination_of("https://app.example/"), address)

    def test_a_developers_machine_may_call_itself_and_nothing_else_that_is_not_public(self):
        itself, other = destination_of("http://localhost:1/", local=True), destination_of("https://app.example/")
        assert may_be_called(itself, "127.0.0.1", local=True)
        assert may_be_called(itself, "::1", local=True)
        assert not may_be_called(itself, "127.0.0.1")
        assert not may_be_called(itself, "10.0.0.1", local=True)
        assert not may_be_called(itself, "8.8.8.8", local=True)
        assert not may_be_called(other, "127.0.0.1", local=True)
        assert not may_be_called(other, "192.168.1.1", local=True)
        assert may_be_called(other, "8.8.8.8", local=True)

    @pytest.mark.parametrize(("host", "is_address"), [("8.8.8.8", True), ("2606:4700::1", True), ("a.example", False)])
    def test_an_address_needs_no_looking_up(self, host, is_address):
        assert Destination("https", host, 443, "/").is_address == is_address


class TestSignature:
    BODY = '{"authorization":{"state":"où"}}'.encode()

    def test_is_what_the_contract_says(self):
        expected = base64.b64encode(hmac.new(SECRET.encode(), self.BODY, hashlib.sha256).digest()).decode()
        assert signature(self.BODY, [SECRET]) == expected

    def test_of_several_secrets_is_joined_without_spaces(self):
        """Official SDKs but one split at commas and do not trim."""
        both = signature(self.BODY, [SECRET, "other"])
        assert both.split(",") == [signature(self.BODY, [SECRET]), signature(self.BODY, ["other"])]
        assert " " not in both

    def test_is_recognised_by_an_official_sdk(self):
        from pycronofy import Client

        client = Client(client_id="app", client_secret=SECRET)
        assert client.hmac_valid(signature(self.BODY, ["other", SECRET]), self.BODY.decode())
        assert not client.hmac_valid(signature(self.BODY, ["other"]), self.BODY.decode())


class TestIsSigned:
    BODY = b'{"notification": {"type": "change"}}'

    @pytest.mark.parametrize(
        ("signed_with", "secrets", "believed"),
        [
            pytest.param([SECRET], [SECRET], True, id="usual"),
            pytest.param(["old", SECRET], [SECRET], True, id="the sender still signs with a secret we gave up"),
            pytest.param([SECRET], ["new", SECRET], True, id="the sender does not know our newest secret yet"),
            pytest.param(["other"], [SECRET], False, id="another's secret"),
            pytest.param([SECRET], [], False, id="no secret is no way in"),
            pytest.param([], [SECRET], False, id="no signature"),
            pytest.param(["other"] * 10 + [SECRET], [SECRET], False, id="more values than any client has secrets"),
        ],
    )
    def test_one_secret_in_common_is_enough(self, signed_with, secrets, believed):
        assert is_signed(self.BODY, signature(self.BODY, signed_with), secrets) is believed

    @pytest.mark.parametrize("header", ["", ",", "ä", "A" * 100_000, ", , ,"])
    def test_what_is_no_signature_is_not_believed(self, header):
        assert not is_signed(self.BODY, header, [SECRET])

    def test_spaces_between_the_values_do_not_matter(self):
        assert is_signed(self.BODY, signature(self.BODY, ["other", SECRET]).replace(",", ", "), [SECRET])

    def test_another_body_is_not_what_was_signed(self):
        assert not is_signed(self.BODY + b" ", signature(self.BODY, [SECRET]), [SECRET])
