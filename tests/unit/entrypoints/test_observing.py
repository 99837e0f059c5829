"""The log and the metrics of a function: who, when and what for; and nothing that anybody sent."""

from __future__ import annotations

import json
import logging
from io import StringIO
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from freebusy.domain.errors import (
    CredentialRevoked,
    DelegationMissing,
    InvalidRequest,
    MailUnavailable,
    NotFound,
    ProviderMisconfigured,
    ProviderUnavailable,
    StorageUnavailable,
)
from freebusy.entrypoints.http import refusal
from freebusy.entrypoints.observing import FunctionFailed, invocation, logger, observed, tell_trouble, trouble
from freebusy.measures import Measure, take, taken
from freebusy.service.calendar_reader import log_level

CONTEXT = SimpleNamespace(function_name="function", aws_request_id="invocation")
NAMESPACE = "FreeBusyConnect/test"
service_log = logging.getLogger("freebusy.service.anything")


@pytest.fixture
def lines(monkeypatch):
    """What has been logged since, line by line."""
    stream = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def metrics(monkeypatch, capsys):
    """What has been written of metrics since the last time that somebody asked."""
    monkeypatch.setenv("METRICS_NAMESPACE", NAMESPACE)
    taken()
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused_by_aws() -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "not for kim@example.test"}}, "SendEmail")


class TestTrouble:
    def test_says_of_our_own_errors_what_they_are_and_of_others_only_where_they_were(self):
        assert trouble(MailUnavailable("TooManyRequestsException")) == "MailUnavailable: TooManyRequestsException"
        with pytest.raises(ValueError, match="kim") as raised:
            int("kim@example.test")
        assert trouble(raised.value).startswith("ValueError at test_observing.py:")
        assert trouble(ValueError("kim@example.test")) == "ValueError"

    def test_knows_errors_of_aws_by_their_code(self):
        assert trouble(refused_by_aws()) == "ClientError (AccessDenied)"

    def test_of_ours_is_an_error_and_what_passes_is_a_warning(self, lines):
        tell_trouble("it has to wait", StorageUnavailable("AWS did not answer"), account="acc_1")
        tell_trouble("it has to wait", KeyError("kim@example.test"))
        passing, defect = lines()
        assert (passing["level"], defect["level"]) == ("WARNING", "ERROR")
        assert passing["account"] == "acc_1"


class TestTheLog:
    def test_names_function_invocation_and_request_in_every_line_also_of_services(self, lines):
        with invocation(CONTEXT, request_id="request"):
            logger.append_keys(application="app_1")
            service_log.warning("a calendar cannot be read", extra={"profile_id": "pro_1"})
        (line,) = lines()
        named = {name: line[name] for name in ("function", "invocation", "request_id", "application", "profile_id")}
        assert named == {
            "function": "function",
            "invocation": "invocation",
            "request_id": "request",
            "application": "app_1",
            "profile_id": "pro_1",
        }
        assert line["message"] == "a calendar cannot be read"
        assert line["timestamp"].endswith("+00:00")

    def test_forgets_the_application_of_the_request_before(self, lines):
        for application in ("app_1", None):
            with invocation(CONTEXT):
                if application:
                    logger.append_keys(application=application)
                service_log.warning("something")
        first, second = lines()
        assert first["application"] == "app_1"
        assert "application" not in second

    def test_has_the_traces_of_errors_without_the_words_of_others(self, lines):
        try:
            try:
                raise refused_by_aws()
            except ClientError as error:
                raise StorageUnavailable("AWS did not answer") from error
        except StorageUnavailable:
            service_log.exception("not stored")
        (line,) = lines()
        assert "ClientError (AccessDenied)\nand then\n" in line["exception"]
        assert line["exception"].endswith("StorageUnavailable: AWS did not answer\n")
        assert "test_observing.py" in line["exception"]
        assert "kim@example.test" not in json.dumps(line)

    @pytest.mark.parametrize("other", ["httpx", "httpcore.http11", "botocore.parsers", "urllib3.connectionpool"])
    @pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
    def test_leaves_out_what_others_tell_of_urls_headers_and_bodies(self, other, level):
        assert not logging.getLogger(other).isEnabledFor(level)


class TestADefect:
    def test_is_logged_and_reaches_lambda_without_its_words(self, lines):
        @observed
        def reacting(event, _context):
            return {"found": event["kim@example.test"]}

        with pytest.raises(FunctionFailed, match="KeyError") as raised:
            reacting({}, CONTEXT)
        assert raised.value.__suppress_context__
        (line,) = lines()
        assert (line["level"], line["invocation"]) == ("ERROR", "invocation")


class TestMetrics:
    def test_are_a_line_for_each_set_of_dimensions(self, metrics):
        with invocation(CONTEXT):
            take(Measure.PROVIDER_TIME, "google", value=20)
            take(Measure.PROVIDER_TIME, "google", value=30)
            take(Measure.PROVIDER_TROUBLE, "google", value=0)
            take(Measure.UNOPENED)
        google, plain = metrics()
        moment = google["_aws"].pop("Timestamp")
        assert google == {
            "_aws": {
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [["Provider"]],
                        "Metrics": [
                            {"Name": "ProviderTime", "Unit": "Milliseconds"},
                            {"Name": "ProviderTrouble", "Unit": "None"},
                        ],
                    }
                ]
            },
            "Provider": "google",
            "ProviderTime": [20, 30],
            "ProviderTrouble": [0],
        }
        assert isinstance(moment, int)
        assert plain["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[]]
        assert plain["Unopened"] == [1]

    def test_are_written_once_and_also_of_an_invocation_that_failed(self, metrics):
        @observed
        def reacting(_event, _context):
            take(Measure.UNOPENED)
            raise ValueError

        with pytest.raises(FunctionFailed):
            reacting({}, CONTEXT)
        assert len(metrics()) == 1
        with invocation(CONTEXT):
            pass
        assert metrics() == []

    def test_have_a_hundred_values_in_a_line_at_most(self, metrics):
        """A longer list makes CloudWatch drop the metric."""
        with invocation(CONTEXT):
            for value in range(250):
                take(Measure.PROVIDER_TIME, "google", value=value)
            take(Measure.PROVIDER_TROUBLE, "google", value=1)
        lines = metrics()
        assert [len(line["ProviderTime"]) for line in lines] == [100, 100, 50]
        assert [value for line in lines for value in line["ProviderTime"]] == list(range(250))
        assert [line.get("ProviderTrouble") for line in lines] == [[1], None, None]

    def test_are_not_written_where_the_operator_wants_none(self, metrics, monkeypatch):
        monkeypatch.setenv("METRICS_NAMESPACE", "")
        with invocation(CONTEXT):
            take(Measure.UNOPENED)
        assert metrics() == []
        assert taken() == {}


class TestARequest:
    @pytest.mark.parametrize(
        ("error", "level"),
        [
            pytest.param(InvalidRequest.of("kim@example.test", "errors.required", "…"), "DEBUG", id="bad input"),
            pytest.param(NotFound("kim@example.test"), "DEBUG", id="nothing there"),
            pytest.param(ProviderUnavailable("graph.microsoft.com: 503"), "WARNING", id="a provider's trouble"),
            pytest.param(StorageUnavailable("AWS did not answer"), "ERROR", id="requests fail for want of AWS"),
        ],
    )
    def test_that_is_refused_is_logged_by_whose_trouble_it_is(self, lines, caplog, error, level):
        caplog.set_level(logging.DEBUG, logger="freebusy")
        refusal(error)
        (line,) = lines()
        assert line["level"] == level
        assert "kim@example.test" not in json.dumps(line)


@pytest.mark.parametrize(
    ("error", "level"),
    [
        pytest.param(CredentialRevoked("pro_1"), logging.INFO, id="somebody's decision"),
        pytest.param(DelegationMissing("ser_1"), logging.INFO, id="an administrator's decision"),
        pytest.param(ProviderUnavailable("503"), logging.WARNING, id="passes"),
        pytest.param(ProviderMisconfigured("the client secret is wrong"), logging.ERROR, id="ours to mend"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_logged_by_whose_trouble_it_is(error, level):
    assert log_level(error) == level
