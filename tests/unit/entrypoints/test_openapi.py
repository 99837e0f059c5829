import pytest
from openapi_spec_validator import validate

from freebusy.entrypoints.openapi.document import answers_of, openapi
from freebusy.entrypoints.openapi.operations import ABOUT, OPERATIONS, Section
from freebusy.settings import settings
from tests.api import call
from tests.exchanges import deviations, validator
from tests.template.deployment import routes


def test_the_document_is_one():
    validate(openapi("https://calendar.example.com"))


def test_it_describes_every_route_and_no_other():
    """Only what browsers ask before they call is left out."""
    assert {f"{each.method} {each.path}" for each in OPERATIONS} == {
        route.key for route in routes() if route.method != "OPTIONS"
    }


def test_no_operation_is_described_twice():
    ids = [operation.operation_id for operation in OPERATIONS]
    assert len(ids) == len(set(ids))


EXAMPLES = [
    *((each.operation_id, each.body, each.body_example) for each in OPERATIONS if each.body),
    *(
        (f"{each.operation_id} {status}", answer.schema, answer.example)
        for each in OPERATIONS
        for status, answer in answers_of(each).items()
        if answer.schema and answer.example is not None
    ),
]


@pytest.mark.parametrize(("name", "schema", "example"), EXAMPLES, ids=[name for name, *_ in EXAMPLES])
def test_examples_are_as_the_schema_says(name, schema, example):
    assert [error.message for error in validator(schema).iter_errors(example)] == []


@pytest.mark.parametrize(
    ("exchange", "deviation"),
    [
        pytest.param(("GET", "/v1/resources", None, 418, "{}"), "a 418 is not documented", id="a status"),
        pytest.param(("GET", "/v1/resources", None, 200, "{}"), "is a required property", id="a key is missing"),
        pytest.param(("GET", "/v1/resources", None, 200, '{"resources": [], "x": 1}'), "unexpected", id="one too many"),
        pytest.param(("GET", "/v1/resources", None, 200, "<html>"), "is not of type 'object'", id="no JSON"),
        pytest.param(
            ("POST", "/v1/batch", '{"batch": 1}', 207, '{"batch": []}'), "not of type 'array'", id="a request"
        ),
        pytest.param(("POST", "/v1/available_periods", None, 202, "{}"), "without a body has one", id="a body"),
    ],
)
def test_what_the_document_does_not_say_is_noticed(exchange, deviation):
    method, path, sent, status, body = exchange
    (found,) = deviations(method, path, sent, status, {"content-type": "application/json"}, body)
    assert deviation in found


def test_an_address_that_the_gateway_does_not_know_has_no_rules():
    assert deviations("GET", "/v1/unknown", None, 418, {}, "") == []


class TestPages:
    @pytest.fixture(autouse=True)
    def _deployed(self, monkeypatch):
        monkeypatch.setenv("TABLE_NAME", "table")
        monkeypatch.setenv("PUBLIC_URL", "https://calendar.example.com")
        settings.cache_clear()
        yield
        settings.cache_clear()

    def test_the_document_names_the_deployment(self):
        answer = call("docs", "GET", "/openapi.json")
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.json()["servers"] == [{"url": "https://calendar.example.com"}]

    def test_the_overview_leads_to_every_operation(self):
        body = call("docs", "GET", "/docs").body
        for operation in OPERATIONS:
            assert f'href="/docs/{operation.section}#{operation.operation_id}"' in body

    @pytest.mark.parametrize("section", Section)
    def test_a_section_shows_its_operations_and_runs_nothing(self, section):
        answer = call("docs", "GET", f"/docs/{section}")
        assert answer.status == 200
        assert "<script" not in answer.body
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert len(answer.body.encode()) < 50_000
        for operation in OPERATIONS:
            assert (f'id="{operation.operation_id}"' in answer.body) == (operation.section is section)

    def test_every_section_is_about_something(self):
        assert set(ABOUT) == set(Section) == {operation.section for operation in OPERATIONS}

    def test_other_sections_are_not_found(self):
        assert call("docs", "GET", "/docs/unknown").status == 404
