from __future__ import annotations

import httpx
import pytest

from freebusy.adapters.domain_records import GoogleDns
from freebusy.domain.errors import ProviderUnavailable
from tests.provider_harness import FakeTime

NAME = "_freebusy-connect.example.com"


class Resolver:
    def __init__(self, answer: httpx.Response, origin: str | None = None) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer
        self._time = FakeTime()
        http = httpx.Client(transport=httpx.MockTransport(self._reply))
        self._records = GoogleDns(http, origin=origin, timing=self._time.timing)

    def texts(self, name: str = NAME, *, deadline: float = 10.0) -> tuple[str, ...]:
        return self._records.texts(name, deadline=deadline)

    def _reply(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer


def resolved(*records: object, status: object = 0) -> httpx.Response:
    return httpx.Response(200, json={"Status": status, "Answer": list(records)})


def txt(data: object, kind: int = 16) -> dict[str, object]:
    return {"name": f"{NAME}.", "type": kind, "TTL": 300, "data": data}


def test_a_name_is_looked_up_by_https_at_a_fixed_host():
    resolver = Resolver(resolved(txt("a proof")))
    assert resolver.texts() == ("a proof",)
    (request,) = resolver.requests
    assert str(request.url) == f"https://dns.google/resolve?name={NAME}&type=TXT"


def test_a_name_cannot_add_a_parameter():
    resolver = Resolver(resolved())
    resolver.texts("example.com&type=A#x")
    assert dict(resolver.requests[0].url.params) == {"name": "example.com&type=A#x", "type": "TXT"}


def test_on_the_laptop_an_origin_stands_in():
    resolver = Resolver(resolved(), origin="http://127.0.0.1:8081")
    resolver.texts()
    assert str(resolver.requests[0].url).startswith("http://127.0.0.1:8081/resolve?")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param("plain text", "plain text", id="without quotes"),
        pytest.param('"quoted text"', "quoted text", id="in quotes"),
        pytest.param('"one " "text"', "one text", id="several strings make one"),
        pytest.param('"one ""text"', "one text", id="without a space between"),
        pytest.param('"say \\"yes\\" \\\\o"', 'say "yes" \\o', id="escaped"),
        pytest.param('"an open end', '"an open end', id="quotes that quote nothing"),
        pytest.param('a "word" within', 'a "word" within', id="quotes within"),
        pytest.param('""', "", id="empty"),
    ],
)
def test_a_record_is_one_text_however_it_is_written(data, text):
    assert Resolver(resolved(txt(data))).texts() == (text,)


def test_what_is_no_text_record_is_passed_over():
    alias = txt("elsewhere.example.", kind=5)
    assert Resolver(resolved(alias, txt("a proof"), txt(7), "a word", {"type": 16})).texts() == ("a proof",)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, json={"Status": 3}), id="no such name"),
        pytest.param(httpx.Response(200, json={"Status": 0}), id="a name without such records"),
        pytest.param(httpx.Response(200, json={"Status": 0, "Answer": "a word"}), id="no list"),
    ],
)
def test_where_nothing_is_said_there_are_no_texts(answer):
    assert Resolver(answer).texts() == ()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(resolved(txt("a proof"), status=2), id="SERVFAIL, also where DNSSEC does not hold"),
        pytest.param(resolved(txt("a proof"), status=5), id="REFUSED"),
        pytest.param(resolved(txt("a proof"), status="0"), id="no number"),
        pytest.param(httpx.Response(200, json={"Answer": [txt("a proof")]}), id="no status"),
        pytest.param(httpx.Response(400, json={"error": "Invalid name"}), id="a name that cannot be"),
        pytest.param(httpx.Response(503), id="away"),
        pytest.param(httpx.Response(200, text="<html>"), id="a page"),
        pytest.param(httpx.Response(302, headers={"location": "https://elsewhere.example/"}), id="moved"),
    ],
)
def test_an_answer_that_says_nothing_about_the_name_proves_nothing(answer):
    with pytest.raises(ProviderUnavailable) as caught:
        Resolver(answer).texts()
    assert "proof" not in str(caught.value)


def test_nobody_is_asked_once_the_deadline_is_over():
    resolver = Resolver(resolved())
    with pytest.raises(ProviderUnavailable):
        resolver.texts(deadline=0)
    assert resolver.requests == []
