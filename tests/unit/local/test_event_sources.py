"""Filters, batches and what counts as a failure, as Lambda's documentation has them."""

import json

import pytest

from local import event_sources
from local.event_sources import EventSource, batches, matches
from local.lambda_host import Outcome

RECORD = {
    "eventName": "MODIFY",
    "dynamodb": {"Keys": {"pk": {"S": "EVENTS#1"}, "sk": {"S": "EVENT#2"}}, "SizeBytes": 12},
}
SOURCE = {
    "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:queue",
    "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:reactor",
    "BatchSize": 10,
}


def keys(sk):
    return {"dynamodb": {"Keys": {"sk": {"S": sk}}}}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        pytest.param({}, True, id="nothing is asked"),
        pytest.param(keys(["EVENT#2"]), True, id="the value"),
        pytest.param(keys(["EVENT#3", "EVENT#2"]), True, id="one of the values"),
        pytest.param(keys(["EVENT#3"]), False, id="another value"),
        pytest.param(keys([{"prefix": "EVENT#"}]), True, id="a prefix"),
        pytest.param(keys([{"prefix": "SENT#"}]), False, id="another prefix"),
        pytest.param(keys([{"suffix": "#2"}]), True, id="a suffix"),
        pytest.param(keys([{"equals-ignore-case": "event#2"}]), True, id="the value in another case"),
        pytest.param(keys([{"anything-but": ["EVENT#2"]}]), False, id="anything but the value"),
        pytest.param(keys([{"anything-but": "EVENT#3"}]), True, id="anything but another value"),
        pytest.param(keys([{"anything-but": {"prefix": "EVENT#"}}]), False, id="anything but a prefix"),
        pytest.param(keys([{"exists": True}]), True, id="there is one"),
        pytest.param(keys([{"exists": False}]), False, id="there should be none"),
        pytest.param({"userIdentity": [{"exists": False}]}, True, id="there is none"),
        pytest.param({"userIdentity": {"type": [{"exists": False}]}}, True, id="there is none further in"),
        pytest.param({"userIdentity": {"type": ["Service"]}}, False, id="something further in is missing"),
        pytest.param({"eventName": ["INSERT", "MODIFY"], **keys(["EVENT#2"])}, True, id="both"),
        pytest.param({"eventName": ["REMOVE"], **keys(["EVENT#2"])}, False, id="one of both"),
        pytest.param({"$or": [{"eventName": ["REMOVE"]}, keys(["EVENT#2"])]}, True, id="either"),
        pytest.param({"dynamodb": {"SizeBytes": [{"numeric": [">", 10, "<=", 12]}]}}, True, id="a range"),
        pytest.param({"dynamodb": {"SizeBytes": [{"numeric": ["<", 12]}]}}, False, id="outside of the range"),
        pytest.param({"eventName": [{"numeric": [">", 0]}]}, False, id="text has no range"),
    ],
)
def test_a_filter_lets_through_what_fits_all_of_it(pattern, fits):
    assert matches(pattern, RECORD) is fits


@pytest.mark.parametrize(
    ("body", "fits"), [('{"kind": "due"}', True), ('{"kind": "done"}', False), ("due", False), ("[]", False)]
)
def test_a_filter_looks_into_a_body_that_is_json(body, fits):
    assert matches({"body": {"kind": ["due"]}}, {"body": body}) is fits


def test_a_comparison_that_is_not_known_is_an_error_and_no_guess():
    with pytest.raises(ValueError, match="wildcard"):
        matches(keys([{"wildcard": "EVENT*"}]), RECORD)


def test_one_filter_of_several_is_enough():
    patterns = [{"Pattern": json.dumps({"eventName": [name]})} for name in ("INSERT", "MODIFY")]
    source = EventSource.of({**SOURCE, "FilterCriteria": {"Filters": patterns}})

    assert source.wants(RECORD)
    assert not source.wants({**RECORD, "eventName": "REMOVE"})


def test_without_a_filter_everything_is_wanted():
    assert EventSource.of(SOURCE).wants({})


@pytest.mark.parametrize(
    ("attempts", "retries"), [pytest.param(-1, None, id="for ever"), pytest.param(0, 0, id="never"), (4, 4)]
)
def test_retries_are_the_mappings(attempts, retries):
    assert EventSource.of({**SOURCE, "MaximumRetryAttempts": attempts}).retries == retries


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        pytest.param({"batchItemFailures": []}, set(), id="an empty list"),
        pytest.param({"batchItemFailures": None}, set(), id="null for a list"),
        pytest.param({}, set(), id="no list"),
        pytest.param(None, set(), id="null"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": "1"}]}, {"1"}, id="one"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": ""}]}, None, id="an empty identifier fails all"),
        pytest.param({"batchItemFailures": [{"itemIdentifier": None}]}, None, id="a null identifier fails all"),
        pytest.param({"batchItemFailures": [{"id": "1"}]}, None, id="a wrong key fails all"),
        pytest.param({"batchItemFailures": ["1"]}, None, id="text for an object fails all"),
        pytest.param("fine", None, id="text for an answer fails all"),
    ],
)
def test_failures_are_read_as_lambda_reads_them(answer, failed):
    source = EventSource.of({**SOURCE, "FunctionResponseTypes": ["ReportBatchItemFailures"]})

    assert source.failures(Outcome(json.dumps(answer).encode())) == failed


def test_a_mapping_that_asks_for_no_report_reads_none():
    answer = json.dumps({"batchItemFailures": [{"itemIdentifier": "1"}]}).encode()

    assert EventSource.of(SOURCE).failures(Outcome(answer)) == set()


def test_an_error_fails_everything():
    assert EventSource.of(SOURCE).failures(Outcome(b"{}", failed=True)) is None


def test_batches_have_no_more_records_than_asked_for():
    assert list(batches([{"n": n} for n in range(5)], 2)) == [[{"n": 0}, {"n": 1}], [{"n": 2}, {"n": 3}], [{"n": 4}]]


def test_batches_fit_into_an_event(monkeypatch):
    monkeypatch.setattr(event_sources, "PAYLOAD_LIMIT", 64)
    record = {"n": "x" * 20}

    assert [len(batch) for batch in batches([record] * 3, 10)] == [1, 1, 1]
    assert all(len(event_sources.event_of(batch)) <= 64 for batch in batches([record] * 3, 10))
