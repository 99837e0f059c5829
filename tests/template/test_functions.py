"""Template, folders, handlers and sample events hold together."""

import importlib
import json
import re
from pathlib import Path

import pytest

from freebusy.entrypoints.observing import observed
from tests.template.deployment import ANSWERING, LOGICAL_ID, REACTING, RESOURCES, ROOT, Route, of_type, routes, sources

ROUTES = sorted(routes())
SAMPLES = sorted((ROOT / "events").glob("*.json"))
REQUESTS = [path for path in SAMPLES if not path.stem.startswith("on_")]
REACTIONS = [path for path in SAMPLES if path not in REQUESTS]


def test_every_folder_is_deployed_under_its_own_name_and_nothing_else_is():
    deployed = {
        name: resource["Properties"]["CodeUri"] for name, resource in of_type("AWS::Serverless::Function").items()
    }
    assert deployed == {logical_id: f"functions/{folder}/" for folder, logical_id in LOGICAL_ID.items()}


@pytest.mark.parametrize("folder", LOGICAL_ID)
def test_a_function_is_one_module_with_a_handler(folder):
    assert [path.name for path in (ROOT / "functions" / folder).iterdir() if path.name != "__pycache__"] == ["app.py"]
    assert callable(importlib.import_module(f"functions.{folder}.app").lambda_handler)


@pytest.mark.parametrize("folder", ANSWERING)
def test_a_function_answers_exactly_the_routes_that_the_gateway_sends_it(folder):
    app = importlib.import_module(f"functions.{folder}.app").app
    answered = {
        (method, re.sub(r"<(\w+)>", r"{\1}", route.path))
        for route in app._static_routes + app._dynamic_routes
        for method in ([route.method] if isinstance(route.method, str) else route.method)
    }
    if folder == "preflight":  # It answers whatever path a browser asks about.
        assert {method for method, _ in answered} == {"OPTIONS"}
        return
    assert answered == {(route.method, route.path) for route in ROUTES if route.function == folder}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_the_description_repeats_the_route(route):
    assert re.search(
        rf"{re.escape(route.key)}(,| - |$)", RESOURCES[LOGICAL_ID[route.function]]["Properties"]["Description"]
    )


@pytest.mark.parametrize("folder", LOGICAL_ID)
def test_a_description_is_short_enough_for_lambda(folder):
    assert len(RESOURCES[LOGICAL_ID[folder]]["Properties"]["Description"]) <= 256


def test_no_route_is_taken_twice():
    keys = [re.sub(r"\{\w+\}", "{}", route.key) for route in ROUTES]
    assert len(keys) == len(set(keys))


def sample(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def matches(route: Route, event: dict) -> bool:
    segments = [
        ".+" if segment.endswith("+}") else "[^/]+" if segment.startswith("{") else re.escape(segment)
        for segment in route.path.split("/")
    ]
    return event["routeKey"] == route.key and bool(re.fullmatch("/".join(segments), event["rawPath"]))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.key)
def test_every_route_has_a_sample_event(route):
    assert any(matches(route, sample(path)) for path in REQUESTS if path.stem.startswith(route.function))


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
class TestSampleEvent:
    def test_is_named_for_its_function_and_matches_one_of_its_routes(self, path):
        event = sample(path)
        (route,) = [route for route in ROUTES if matches(route, event)]
        assert re.fullmatch(rf"{route.function}(_[a-z0-9_]+)?", path.stem)

    def test_is_what_the_gateway_sends(self, path):
        event = sample(path)
        context = event["requestContext"]
        assert event["version"] == "2.0"
        assert context["http"]["path"] == event["rawPath"]
        assert f"{context['http']['method']} " == event["routeKey"][: event["routeKey"].index(" ") + 1]
        assert context["routeKey"] == event["routeKey"]
        assert context["stage"] == "$default"
        assert event["headers"]["host"] == context["domainName"]
        assert all(name == name.lower() for name in event["headers"])
        assert "?" not in event["rawPath"]
        names = re.findall(r"\{(\w+)\+?\}", event["routeKey"])
        assert list(event.get("pathParameters", {})) == names


@pytest.mark.parametrize("folder", REACTING)
class TestReaction:
    """A function that reacts to what happened, one record at a time."""

    def test_has_no_routes_and_says_which_records_failed(self, folder):
        assert "Events" not in RESOURCES[LOGICAL_ID[folder]]["Properties"]
        assert [source["FunctionResponseTypes"] for source in sources(folder)] == [["ReportBatchItemFailures"]]

    def test_has_a_sample_event_of_its_source(self, folder):
        records = [record for path in REACTIONS if path.stem.startswith(folder) for record in sample(path)["Records"]]
        assert {record["eventSource"] for record in records} == {
            "aws:dynamodb" if source["EventSourceArn"] == {"Fn::GetAtt": ["Table", "StreamArn"]} else "aws:sqs"
            for source in sources(folder)
        }


@pytest.mark.parametrize("path", REACTIONS, ids=lambda path: path.stem)
def test_a_sample_of_records_is_named_for_its_function(path):
    assert any(re.fullmatch(rf"{folder}(_[a-z0-9_]+)?", path.stem) for folder in REACTING)


@pytest.mark.parametrize("folder", REACTING)
def test_a_function_that_reacts_says_for_which_invocation_it_logs_and_writes_what_it_measures(folder):
    """What answers requests does so in ``entrypoints.http``."""
    handler = importlib.import_module(f"functions.{folder}.app").lambda_handler
    assert handler.__code__ is observed(handler).__code__
