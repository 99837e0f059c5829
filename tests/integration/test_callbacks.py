"""What goes over the wire to an application, and how little its server can do to us."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from freebusy.adapters.callbacks import HttpCallbacks
from freebusy.domain.callback import Destination
from freebusy.domain.errors import CallbackFailed
from tests.listening import OK, listening

BODY = b'{"authorization":{"code":"c"}}'
SHORT = HttpCallbacks(exchange_seconds=0.3)
"""Who waits no longer than a test can."""


def post(port: int, *, sender: HttpCallbacks | None = None, host: str = "127.0.0.1", scheme: str = "http") -> None:
    destination = Destination(scheme, host, port, "/hook?job=17&q='[x]'")
    (sender or HttpCallbacks()).post(destination, "127.0.0.1", BODY, signature="sig,nature")


def test_it_is_sent_as_the_contract_has_it():
    with listening() as application:
        post(application.port)
    (received,) = application.received
    assert received.line == "POST /hook?job=17&q='[x]' HTTP/1.1"
    assert received.body == BODY
    assert received.headers["content-type"] == "application/json; charset=utf-8"
    assert received.headers["cronofy-hmac-sha256"] == "sig,nature"
    assert "cookie" not in received.headers


def test_the_address_decides_where_it_goes_and_the_name_what_is_said():
    with listening() as application:
        post(application.port, host="app.example")
    assert application.received[0].headers["host"] == f"app.example:{application.port}"


def test_proxies_of_the_environment_are_passed_by(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with listening() as application:
        post(application.port)
    assert len(application.received) == 1


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content", "299 Whatever"])
def test_any_success_is_one(status):
    with listening(f"HTTP/1.1 {status}\r\n\r\n".encode()) as application:
        post(application.port)


@pytest.mark.parametrize("status", ["300 Choices", "304 Same", "400 Bad", "401 Who", "404 Gone", "429 Slow", "503 Off"])
def test_any_other_status_is_a_failure_that_names_it(status):
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    with listening(answer) as application, pytest.raises(CallbackFailed, match=f"status {status[:3]}"):
        post(application.port)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_followed_anywhere(status):
    with listening() as elsewhere:
        moved = f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n"
        with listening(moved.encode()) as application, pytest.raises(CallbackFailed, match=f"status {status}"):
            post(application.port)
    assert elsewhere.connections == 0


def test_a_connection_is_used_once():
    """Kept open, it could be taken for another application's at the same address, whose name was never verified."""
    with listening(OK) as application:
        sender = HttpCallbacks()
        post(application.port, sender=sender, host="one.example")
        post(application.port, sender=sender, host="two.example")
    assert application.connections == 2


def forever(piece: bytes):
    def respond(stream: socket.socket, over: Event) -> None:
        while not over.wait(0.01):
            stream.sendall(piece)

    return respond


def test_of_an_endless_answer_the_beginning_is_enough():
    def endless(stream, over):
        stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        forever(b"4000\r\n" + bytes(0x4000) + b"\r\n")(stream, over)

    with listening(endless) as application:
        post(application.port)


@pytest.mark.parametrize(
    "respond",
    [
        pytest.param(lambda _, over: over.wait(), id="says nothing"),
        pytest.param(forever(b"H"), id="is no HTTP and never ends"),
        pytest.param(forever(b"HTTP/1.1 103 Early Hints\r\n\r\n"), id="is always about to answer"),
        pytest.param(
            lambda stream, over: (stream.sendall(b"HTTP/1.1 200 OK\r\n"), forever(b"X")(stream, over)),
            id="a header that trickles in",
        ),
        pytest.param(
            lambda stream, over: (stream.sendall(b"HTTP/1.1 200 OK\r\nX: "), forever(bytes(65536))(stream, over)),
            id="a header without end",
        ),
    ],
)
def test_whoever_does_not_come_to_the_point_is_left(respond):
    with listening(respond) as application, pytest.raises(CallbackFailed):
        post(application.port, sender=SHORT)


@pytest.mark.parametrize("answer", [b"", b"hello\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"\x16\x03\x01\x00\x00"])
def test_what_is_no_answer_is_a_failure(answer):
    with listening(answer) as application, pytest.raises(CallbackFailed):
        post(application.port)


def test_where_nobody_listens_it_fails():
    with listening() as application:
        pass
    with pytest.raises(CallbackFailed, match=r"\AConnectError\Z"):
        post(application.port)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """For ``app.example``, with its key in the same file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("app.example")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = tmp_path_factory.mktemp("tls") / "application.pem"
    file.write_bytes(signed.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return file


class TestTls:
    """Against a server with a certificate for ``app.example``, by an authority of the test's own."""

    @pytest.fixture
    def application(self, certificate) -> Iterator:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        with listening(tls=tls) as application:
            yield application

    @pytest.fixture
    def trusted(self, certificate) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(certificate))

    @pytest.fixture
    def sender(self, trusted) -> HttpCallbacks:
        return HttpCallbacks(trusted=trusted)

    @pytest.fixture
    def short(self, trusted) -> HttpCallbacks:
        return HttpCallbacks(trusted=trusted, exchange_seconds=0.3)

    def test_the_name_of_the_url_is_the_one_that_is_verified(self, application, sender):
        post(application.port, sender=sender, host="app.example", scheme="https")
        assert application.received[0].body == BODY

    @pytest.mark.parametrize(
        "host",
        [
            pytest.param("other.example", id="another name at the same address"),
            pytest.param("127.0.0.1", id="the address, which the certificate does not name"),
        ],
    )
    def test_whoever_cannot_show_it_is_sent_nothing(self, application, sender, host):
        with pytest.raises(CallbackFailed, match=r"\ATLS: CERTIFICATE_VERIFY_FAILED\Z"):
            post(application.port, sender=sender, host=host, scheme="https")
        assert application.received == []

    def test_an_authority_that_browsers_do_not_trust_is_not_trusted(self, application):
        with pytest.raises(CallbackFailed, match="TLS"):
            post(application.port, host="app.example", scheme="https")
        assert application.received == []

    def test_a_server_without_tls_is_sent_nothing(self, short):
        with listening() as application, pytest.raises(CallbackFailed):
            post(application.port, sender=short, host="app.example", scheme="https")
        assert application.received == []

    def test_a_handshake_that_never_ends_is_left(self, short):
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(CallbackFailed):
            post(silent.getsockname()[1], sender=short, host="app.example", scheme="https")
