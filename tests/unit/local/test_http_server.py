"""The server under the gateway keeps to HTTP/1.1, whoever is calling."""

import socket
from http.client import HTTPConnection

import pytest

from local.http_server import HttpServer, Response
from tests.background import background_loop
from tests.waiting import PATIENCE

BODY_LIMIT = 1000


@pytest.fixture
def port():
    """A server that answers with what it was sent."""

    async def echo(request):
        body = b"nothing kept" if request.body is None else request.body
        return Response(200, [("x-method", request.method), ("x-target", request.target)], body)

    async def close():
        server.close()

    with background_loop() as run:
        server = HttpServer(echo, body_limit=BODY_LIMIT)
        yield run(server.listen())
        run(close())


@pytest.fixture
def client(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    yield connection
    connection.close()


def said(port, raw):
    """Everything that comes back for raw bytes, until the server hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_a_connection_serves_one_request_after_another(client):
    for number in range(3):
        client.request("POST", f"/{number}", b"hello")
        response = client.getresponse()
        assert (response.status, response.reason, response.read()) == (200, "OK", b"hello")
        assert response.headers["x-target"] == f"/{number}"
        assert not response.will_close


def test_a_chunked_body_is_put_together(client):
    client.request("POST", "/", iter([b"one ", b"two"]), encode_chunked=True)
    assert client.getresponse().read() == b"one two"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_every_method_may_have_a_body(client, method):
    client.request(method, "/", b"{}")
    response = client.getresponse()
    assert (response.headers["x-method"], response.read()) == (method, b"{}")


def test_a_head_has_the_length_of_its_answer_without_the_answer(client):
    client.request("HEAD", "/", b"hello")
    response = client.getresponse()
    assert (response.headers["content-length"], response.read()) == ("5", b"")


def test_a_body_over_the_limit_is_read_but_not_kept(client):
    client.request("POST", "/", b"x" * 100 * BODY_LIMIT)
    assert client.getresponse().read() == b"nothing kept"
    client.request("POST", "/", b"x" * BODY_LIMIT)
    assert client.getresponse().read() == b"x" * BODY_LIMIT


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(port):
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(head)
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(b"{}")
        assert b"".join(iter(lambda: connection.recv(4096), b"")).endswith(b"\r\n\r\n{}")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"what is this\r\n\r\n", b"400", id="not HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"400", id="no Host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000, b"431", id="endless headers"),
    ],
)
def test_a_malformed_request_is_refused_and_the_connection_ended(port, raw, status):
    assert said(port, raw).startswith(b"HTTP/1.1 " + status)


def test_a_client_that_says_close_is_let_go(port):
    assert said(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
