"""Functions run as on Lambda: in sandboxes that start, stay warm, work in parallel, and die without being missed."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import lambda_host
from local.lambda_host import PAYLOAD_LIMIT, SANDBOXES, Function, LambdaHost
from local.processes import Children
from tests.background import Run, background_loop

DATA = Path(__file__).parents[2] / "data" / "laptop"


def function(name, *, code="sample", timeout=60):
    return Function(
        name=name,
        arn=f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        code=DATA / "functions" / code,
        handler="app.lambda_handler",
        timeout=timeout,
        memory=256,
        environment={"GREETING": "hello", "PUBLIC_URL": ""},
    )


FUNCTIONS = [
    function("sample"),
    function("hasty", timeout=1),
    function("broken", code="broken"),
    function("nowhere", code="nowhere"),
]


@dataclass
class Host:
    run: Run
    hosted: LambdaHost
    logs: Path

    def invoke(self, name="sample", **event):
        """What the handler returned."""
        outcome = self.outcomes([event], name)[0]
        assert not outcome.failed, outcome.payload
        return json.loads(outcome.payload)

    def error(self, name="sample", **event):
        """What came instead of an answer."""
        outcome = self.outcomes([event], name)[0]
        assert outcome.failed
        return json.loads(outcome.payload)

    def outcomes(self, events: list[dict[str, Any]], name="sample"):
        async def invoke_all():
            return await asyncio.gather(*(self.hosted.invoke(name, json.dumps(event).encode()) for event in events))

        return self.run(invoke_all())


@pytest.fixture(params=["awslambdaric", "runtime_loop"])
def host(request, monkeypatch, tmp_path):
    if request.param == "runtime_loop":
        monkeypatch.setattr(lambda_host, "find_spec", lambda _: None)
    else:
        pytest.importorskip("awslambdaric", reason="has no build for this Python")
    with background_loop() as run:
        children = run(Children(tmp_path).__aenter__())
        hosted = LambdaHost(
            FUNCTIONS, children, layers=[DATA / "layers" / "shared"], environment={"PUBLIC_URL": "http://127.0.0.1"}
        )
        try:
            yield Host(run, hosted, tmp_path)
        finally:
            hosted.close()
            run(children.__aexit__(None, None, None))


def test_the_handler_gets_the_event_and_the_context_of_lambda(host):
    told = host.invoke(do="tell", with_="ümlaut")
    assert told["event"] == {"do": "tell", "with_": "ümlaut"}
    assert told["function"] == "sample"
    assert told["arn"] == "arn:aws:lambda:us-east-1:000000000000:function:sample"
    assert told["memory"] == "256"
    assert 0 < told["remaining_ms"] <= 60_000
    assert len(told["request_id"]) == len("6bf7a3b5-0f5a-4f4f-9a8e-0c1f5f3a7c55")


def test_every_event_has_a_request_id_of_its_own(host):
    assert host.invoke(do="tell")["request_id"] != host.invoke(do="tell")["request_id"]


def test_the_environment_is_lambdas_then_the_templates_then_the_laptops(host):
    environment = host.invoke(do="tell")["environment"]
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "sample"
    assert environment["GREETING"] == "hello"
    assert environment["PUBLIC_URL"] == "http://127.0.0.1"


def test_nothing_of_this_machines_own_aws_access_reaches_a_function(host, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    assert "AWS_PROFILE" not in host.invoke(do="tell")["environment"]


def test_layers_are_on_the_import_path(host):
    assert host.invoke(do="tell")["shared"] == "shared"


def test_a_warm_sandbox_takes_the_next_event(host):
    assert host.invoke(do="tell")["process"] == host.invoke(do="tell")["process"]


def test_events_at_the_same_time_run_in_sandboxes_of_their_own(host, tmp_path):
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    outcomes = host.outcomes([{"do": "meet", "folder": str(meeting), "others": 3}] * 3)
    assert len({outcome.payload for outcome in outcomes}) == 3


def test_more_events_than_sandboxes_wait_for_their_turn(host):
    outcomes = host.outcomes([{"do": "tell", "number": number} for number in range(3 * SANDBOXES)])
    told = [json.loads(outcome.payload) for outcome in outcomes]
    assert [each["event"]["number"] for each in told] == list(range(3 * SANDBOXES))
    assert len({each["process"] for each in told}) <= SANDBOXES


def test_an_exception_is_reported_with_its_type_message_and_trace(host):
    error = host.error(do="raise")
    assert error["errorType"] == "LookupError"
    assert error["errorMessage"] == "nothing here"
    assert "do_raise" in error["stackTrace"][-1]
    assert "LookupError: nothing here" in (host.logs / "sample.log").read_text()


def test_a_sandbox_outlives_an_exception(host):
    before = host.invoke(do="tell")["process"]
    host.error(do="raise")
    assert host.invoke(do="tell")["process"] == before


def test_an_answer_that_is_not_json_is_an_error(host):
    assert host.error(do="return_nonsense")["errorType"] in {"TypeError", "Runtime.MarshalError"}


def test_a_crash_fails_its_event_and_the_next_one_gets_a_new_sandbox(host):
    before = host.invoke(do="tell")["process"]
    assert host.error(do="exit")["errorType"] == "Runtime.ExitError"
    assert host.invoke(do="tell")["process"] != before


def test_a_crash_does_not_touch_what_other_sandboxes_work_on(host, tmp_path):
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    meet = {"do": "meet", "folder": str(meeting), "others": 2}
    crashed, *met = host.outcomes([{"do": "exit"}, meet, meet])
    assert crashed.failed
    assert not any(outcome.failed for outcome in met)


def test_a_function_that_takes_too_long_is_ended(host):
    error = host.error("hasty", do="hang")
    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert host.invoke("hasty", do="tell")["event"] == {"do": "tell"}


def test_a_function_that_cannot_be_imported_fails_each_event_with_the_reason(host):
    for _ in range(2):
        error = host.error("broken")
        assert error["errorType"] == "RuntimeError"
        assert "no way to start" in error["errorMessage"]


def test_a_function_without_its_folder_fails_each_event(host):
    assert host.error("nowhere")["errorType"] == "Runtime.StartError"


def test_what_a_function_prints_is_in_its_log(host):
    host.invoke(do="say", words="good morning")
    assert "good morning" in (host.logs / "sample.log").read_text()


def test_an_answer_over_the_limit_is_an_error(host):
    assert host.error(do="answer_much", size=PAYLOAD_LIMIT + 1)["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_caller_who_gives_up_leaves_the_function_usable(host):
    async def give_up():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(host.hosted.invoke("hasty", b'{"do": "hang"}'), 0.01)

    host.run(give_up())
    assert host.invoke("hasty", do="tell")["event"] == {"do": "tell"}


def test_no_process_is_left_when_the_block_ends(tmp_path):
    with background_loop() as run:
        children = run(Children(tmp_path).__aenter__())
        hosted = LambdaHost(FUNCTIONS, children, layers=[DATA / "layers" / "shared"], environment={})
        outcome = run(hosted.invoke("sample", b'{"do": "tell"}'))
        hosted.close()
        run(children.__aexit__(None, None, None))
    with pytest.raises(ProcessLookupError):
        os.kill(json.loads(outcome.payload)["process"], 0)
