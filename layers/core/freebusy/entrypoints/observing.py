"""What every function tells about itself: one log, and what was measured in CloudWatch's embedded metric format.

Lambda's own filter lets everything pass, since it would take a line of metrics for one of the level INFO
(https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html). So levels are set here: of our
own log the operator's, and WARNING for everybody else's. httpx tells each URL at INFO, and there are addresses in them;
at DEBUG, botocore and httpcore tell bodies and headers.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from time import time
from traceback import extract_tb, format_tb
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from freebusy.domain.errors import FreeBusyError
from freebusy.measures import Dimensions, Measure, taken

if TYPE_CHECKING:
    from types import TracebackType

    from aws_lambda_powertools.utilities.typing import LambdaContext

Handler = Callable[[dict[str, Any], "LambdaContext"], dict[str, Any]]

MOST_VALUES = 100
"""Of one metric in one line.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""


class FunctionFailed(Exception):
    """The function has a defect, which is in the log. Lambda would log the words of the error itself."""


# --- The log --------------------------------------------------------------------------------------


def trouble(error: BaseException) -> str:
    """An error for the log: our own in their words; of others only kind and place, as their words may repeat data."""
    if isinstance(error, FreeBusyError):
        return _named(error)
    frames = extract_tb(error.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""  # noqa: PTH119 - no more
    return f"{_named(error)}{place}"


def tell_trouble(message: str, error: BaseException, **known: object) -> None:
    """What we raise on purpose is trouble that passes, or that somebody else mends; the rest is a defect of ours."""
    tell = logger.warning if isinstance(error, FreeBusyError) else logger.error
    tell(message, extra={"trouble": trouble(error), **known})


def _named(error: BaseException) -> str:
    """A ClientError of botocore is known by its code, which is a word of AWS's."""
    kind = type(error).__name__
    if isinstance(error, FreeBusyError):
        return f"{kind}: {error}"
    answer = getattr(error, "response", None)
    code = answer.get("Error", {}).get("Code") if isinstance(answer, dict) else None
    return f"{kind} ({code})" if code else kind


def _traced(error: BaseException) -> Iterator[str]:
    """Where it happened, after where its cause did."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _traced(cause)
        yield "and then\n"
    yield from format_tb(error.__traceback__)
    yield f"{_named(error)}\n"


class _Formatter(LambdaPowertoolsFormatter):
    """Traces without the words of other people's errors."""

    def formatException(  # noqa: N802 - so the standard library calls it
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        return "".join(_traced(ei[1])) if ei[1] else ""


def _logger() -> Logger:
    """That of the package: what services log by the standard library goes the same way, with the same keys."""
    formatter = _Formatter(use_rfc3339=True, utc=True, serialize_stacktrace=False)
    made = Logger(service="freebusy", logger_formatter=formatter)
    logging.getLogger("freebusy").setLevel(os.environ.get("LOG_LEVEL") or logging.INFO)
    logging.getLogger().setLevel(logging.WARNING)
    return made


logger = _logger()


# --- An invocation --------------------------------------------------------------------------------


@contextmanager
def invocation(context: LambdaContext, **known: str) -> Iterator[None]:
    """Lines of the log that are written meanwhile name the function, the invocation and what else is ``known``.

    At the end what was measured is written down. Raises FunctionFailed.
    """
    logger.structure_logs()  # without what the invocation before had added
    logger.append_keys(function=context.function_name, invocation=context.aws_request_id, **known)
    try:
        yield
    except Exception as error:
        logger.exception("the function failed")
        raise FunctionFailed(type(error).__name__) from None
    finally:
        _write_metrics()


def observed(handler: Handler) -> Handler:
    """For functions that react: each of their invocations is one ``invocation``. The others have ``http.serve``."""

    @wraps(handler)
    def reacting(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        with invocation(context):
            return handler(event, context)

    return reacting


def _write_metrics() -> None:
    """To the log, where CloudWatch finds them. Nothing is written without a namespace, and all the same forgotten."""
    namespace, measured = os.environ.get("METRICS_NAMESPACE"), taken()
    if namespace:
        sys.stdout.writelines(
            f"{json.dumps(line, separators=(',', ':'))}\n"
            for dimensions, values in measured.items()
            for line in _lines(namespace, dimensions, values)
        )


def _lines(
    namespace: str, dimensions: Dimensions, measured: Mapping[Measure, Sequence[int]]
) -> Iterator[dict[str, Any]]:
    """As many as the longest list of values takes."""
    for first in range(0, max(map(len, measured.values())), MOST_VALUES):
        part = {
            measure: piece for measure, values in measured.items() if (piece := values[first : first + MOST_VALUES])
        }
        directive = {
            "Namespace": namespace,
            "Dimensions": [[name for name, _ in dimensions]],
            "Metrics": [{"Name": measure, "Unit": measure.unit} for measure in part],
        }
        described = {"Timestamp": int(time() * 1000), "CloudWatchMetrics": [directive]}
        yield {"_aws": described, **dict(dimensions), **{str(measure): values for measure, values in part.items()}}
