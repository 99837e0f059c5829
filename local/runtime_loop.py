"""The Python runtime of Lambda, as small as it can be: for machines that awslambdaric has no build for.

``python runtime_loop.py app.lambda_handler`` asks the Runtime API at AWS_LAMBDA_RUNTIME_API for events, one at
a time, hands each to the handler and reports what came of it, in the shapes that awslambdaric has.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from http.client import HTTPConnection
from importlib import import_module
from types import SimpleNamespace
from typing import Any

_API = "/2018-06-01/runtime"


class LambdaContext:
    """The attributes of the managed runtime's context object."""

    def __init__(self, request_id: str, function_arn: str, deadline_ms: int) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = SimpleNamespace(cognito_identity_id=None, cognito_identity_pool_id=None)
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - int(time.time() * 1000))


Handler = Callable[[Any, LambdaContext], Any]


def main() -> None:
    _set_up_logging()
    api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = _handler(sys.argv[1])
    except Exception as error:  # noqa: BLE001 - whatever the function's import raises is the function's answer
        _report(api, "/init/error", _described(error, ""))
        sys.exit(1)
    while True:
        _serve_one(api, handler)


def _set_up_logging() -> None:
    """The managed runtime takes what anybody logs, from the level that the function's LoggingConfig has."""
    logging.basicConfig(
        stream=sys.stdout,
        level=os.environ.get("AWS_LAMBDA_LOG_LEVEL", "WARNING"),
        format="%(levelname)s %(name)s %(message)s",
    )


def _handler(name: str) -> Handler:
    module, _, attribute = name.rpartition(".")
    handler: Handler = getattr(import_module(module.replace("/", ".")), attribute)
    return handler


def _serve_one(api: HTTPConnection, handler: Handler) -> None:
    api.request("GET", f"{_API}/invocation/next")
    answer = api.getresponse()
    body = answer.read()
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ["_X_AMZN_TRACE_ID"] = answer.headers["Lambda-Runtime-Trace-Id"]
    context = LambdaContext(
        request_id,
        answer.headers["Lambda-Runtime-Invoked-Function-Arn"],
        int(answer.headers["Lambda-Runtime-Deadline-Ms"]),
    )
    try:
        result = json.dumps(handler(json.loads(body), context), ensure_ascii=False).encode()
    except Exception as error:  # noqa: BLE001 - whatever the handler raises is the function's answer
        _report(api, f"/invocation/{request_id}/error", _described(error, request_id))
    else:
        _post(api, f"/invocation/{request_id}/response", result)


def _described(error: Exception, request_id: str) -> dict[str, Any]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        "stackTrace": traceback.format_list(frames),
    }


def _report(api: HTTPConnection, path: str, error: dict[str, Any]) -> None:
    print(f"[ERROR] {error['errorType']}: {error['errorMessage']}\n{''.join(error['stackTrace'])}", file=sys.stderr)
    _post(api, path, json.dumps(error).encode())


def _post(api: HTTPConnection, path: str, body: bytes) -> None:
    api.request("POST", _API + path, body, {"Content-Type": "application/json"})
    api.getresponse().read()


if __name__ == "__main__":
    main()
