import json

from local.http_server import Request, Response
from local.recording import recorder
from tests.exchanges import deviations

REQUEST = Request("GET", "/v1/account?x=1", "HTTP/1.1", [], b"", "127.0.0.1")


def test_every_exchange_is_a_line_that_can_be_compared_with_the_document(tmp_path):
    file = tmp_path / "exchanges"
    record = recorder(str(file))
    record(REQUEST, Response(401, [("content-type", "application/json")], b'{"error":"invalid_token"}'))
    record(REQUEST, Response(418))
    right, wrong = (deviations(**json.loads(line)) for line in file.read_text().splitlines())
    assert right == []
    assert wrong == ["GET /v1/account: a 418 is not documented"]


def test_without_a_file_nothing_is_recorded():
    assert recorder(None) is None
    assert recorder("") is None
