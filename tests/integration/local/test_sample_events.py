"""Every sample event through the real handler in the real runtime: what `sam local invoke` does, without Docker.

A sandbox sees its function's folder and the layers alone, the event arrives and the answer leaves as JSON. The state
is at the emulator; for the time and the providers, the sandbox starts with tests/template/stage.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator

import pytest

from local import emulator as aws
from local.lambda_host import Function, LambdaHost, Outcome
from local.processes import Children
from tests.background import background_loop
from tests.template.deployment import ROOT
from tests.template.sample_deployment import store
from tests.template.sample_events import event_of, function_of
from tests.template.test_sample_events import FAILURES, REACTIONS, STATUS

pytestmark = pytest.mark.emulator

LAYERS = [ROOT / "tests" / "template" / "stage", ROOT / "layers" / "core", ROOT]
AT_ONCE = os.cpu_count() or 1


@pytest.fixture(scope="module")
def outcomes(emulator, tmp_path_factory) -> Iterator[dict[str, Outcome]]:
    """What came of each sample."""
    with pytest.MonkeyPatch.context() as patch:
        environment = {**aws.CREDENTIALS, "AWS_ENDPOINT_URL": emulator}
        for name, value in environment.items():
            patch.setenv(name, value)
        functions = [deployed(sample, patch) for sample in (*STATUS, *REACTIONS)]
    with background_loop() as run:
        children = run(Children(tmp_path_factory.mktemp("samples")).__aenter__())
        host = LambdaHost(functions, children, layers=LAYERS, environment=environment)
        try:
            yield run(invoked(host))
        finally:
            host.close()
            run(children.__aexit__(None, None, None))


def deployed(sample: str, patch: pytest.MonkeyPatch) -> Function:
    """The sample's function, in a deployment of its own."""
    function = function_of(sample)
    return Function(
        name=sample,
        arn=f"arn:aws:lambda:us-east-1:000000000000:function:{function}",
        code=ROOT / "functions" / function,
        handler="app.lambda_handler",
        timeout=60,
        memory=512,
        environment={**store(sample, patch), "SAMPLE": sample},
    )


async def invoked(host: LambdaHost) -> dict[str, Outcome]:
    turn = asyncio.Semaphore(AT_ONCE)

    async def invoke(sample: str) -> Outcome:
        async with turn:
            return await host.invoke(sample, json.dumps(event_of(sample)).encode())

    samples = (*STATUS, *REACTIONS)
    return dict(zip(samples, await asyncio.gather(*map(invoke, samples)), strict=True))


@pytest.mark.parametrize("sample", STATUS)
def test_a_request_is_answered_as_the_gateway_wants_it(sample, outcomes):
    assert not outcomes[sample].failed, outcomes[sample].payload
    answer = json.loads(outcomes[sample].payload)
    assert answer["statusCode"] == STATUS[sample], answer
    assert set(answer) <= {"statusCode", "headers", "body", "cookies", "isBase64Encoded"}


@pytest.mark.parametrize("sample", REACTIONS)
def test_records_are_done_with(sample, outcomes):
    assert not outcomes[sample].failed, outcomes[sample].payload
    failures = [{"itemIdentifier": identifier} for identifier in FAILURES.get(sample, [])]
    assert json.loads(outcomes[sample].payload) == {"batchItemFailures": failures}
