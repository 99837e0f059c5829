"""HTTP itself, which every caller of the simulators relies on."""

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from local.simulators.server import LARGEST_BODY


def conversation(provider, sent):
    """All that comes back over one connection."""
    with socket.create_connection(("127.0.0.1", urlsplit(str(provider.base_url)).port), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def provider(google):
    """What is the same at both needs testing at one of them only."""
    return google


def test_a_connection_serves_many_requests(provider):
    with socket.create_connection(("127.0.0.1", urlsplit(str(provider.base_url)).port), timeout=10) as connection:
        for _ in range(3):
            connection.sendall(b"GET /sim/users HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(65536).endswith(b"\r\n\r\n[]")  # head and body come in one piece


def test_requests_may_be_sent_ahead(provider):
    answer = conversation(
        provider,
        b"GET /sim/users HTTP/1.1\r\nHost: a\r\n\r\nGET /sim/faults HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    )

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.endswith(b"{}")


def test_a_caller_may_wait_for_leave_to_send_its_body(provider):
    with socket.create_connection(("127.0.0.1", urlsplit(str(provider.base_url)).port), timeout=10) as connection:
        connection.sendall(
            b"PUT /sim/users/ana@example.com HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_body_may_come_in_chunks(provider):
    answer = provider.put("/sim/users/ana@example.com", content=iter([b'{"zone": ', b'"Asia/Tokyo"}']))

    assert answer.json()["zone"] == "Asia/Tokyo"


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET /sim/users HTTP/1.1\r\n\r\n"], ids=["nonsense", "no host"])
def test_what_is_no_http_is_refused(provider, sent):
    assert conversation(provider, sent).startswith(b"HTTP/1.1 400 ")


def test_a_body_has_its_limits(provider):
    with suppress(httpx.TransportError):  # the refusal may be lost on a caller that is still sending
        assert provider.put("/sim/users/ana@example.com", content=b" " * (LARGEST_BODY + 1)).status_code == 413

    assert provider.get("/sim/users").json() == []


def test_a_failure_of_the_simulator_is_a_500_and_not_the_end(provider, monkeypatch, caplog):
    def break_down(_):
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("local.simulators.faults.Faults.as_json", break_down)
        assert provider.get("/sim/faults").status_code == 500

    assert "ZeroDivisionError" in caplog.text
    assert provider.get("/sim/faults").status_code == 200
