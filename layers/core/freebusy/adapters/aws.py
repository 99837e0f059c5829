"""Which trouble of AWS is ours to wait out. Everything else is a fault of ours and propagates as it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from freebusy.domain.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSING = frozenset(
    {
        # Of every service
        "InternalFailure",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        # DynamoDB
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        # KMS
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        # SQS
        "KmsThrottled",
        "OverLimit",
        "RequestThrottled",
        # Secrets Manager
        "InternalServiceError",
        "InternalServiceErrorException",
    }
)


def code_of(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


@contextmanager
def aws_errors() -> Iterator[None]:
    """Turns throttling, outages and a broken network into StorageUnavailable."""
    try:
        yield
    except (NoConnection, HTTPClientError) as error:
        raise StorageUnavailable("AWS did not answer") from error
    except ClientError as error:
        if code_of(error) in _PASSING:
            raise StorageUnavailable(code_of(error)) from error
        raise
