"""A botocore plugin for the laptop's functions: notes which permissions their calls to AWS need.

It is on a function's import path only while ``RECORD_PERMISSIONS`` is set, and nothing that is deployed knows of it.
A permission is an IAM action and what it is done to, named by the function's environment variable that holds it
(``dynamodb:Query``, ``TABLE_NAME/index/by_end``), so that it can be compared with the template.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

Permission = tuple[str, str]
"""The action, and what it is done to."""


def initialize_client_plugin(client: Any) -> None:
    """Called by botocore for every client that is made. The file is the function's own, one line a permission."""
    folder, function = Path(os.environ["RECORD_PERMISSIONS"]), os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    noted: set[Permission] = set()
    client.meta.events.register("before-parameter-build", partial(_note, folder / f"{function}.jsonl", noted))


def _note(file: Path, noted: set[Permission], *, params: Mapping[str, Any], model: Any, **_: Any) -> None:
    needed = permissions_for(model.service_model.signing_name, model.name, params) - noted
    if needed:
        # Several sandboxes of one function write to the same file, each line at once.
        with file.open("a", encoding="utf-8") as lines:
            lines.write("".join(f"{json.dumps(permission)}\n" for permission in sorted(needed)))
        noted |= needed


def permissions_for(service: str, operation: str, parameters: Mapping[str, Any]) -> set[Permission]:
    """What IAM asks for, which is not always called as the operation is.
    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    if operation == "TransactWriteItems":
        # It needs the permission of each of its parts, and none of its own.
        parts = [(f"{kind}Item", part) for each in parameters["TransactItems"] for kind, part in each.items()]
    else:
        parts = [(action, parameters) for action in _actions(service, operation, parameters)]
    return {
        (f"{service}:{action}", resource) for action, touched in parts for resource in [*_resources(touched)] or ["*"]
    }


def _actions(service: str, operation: str, parameters: Mapping[str, Any]) -> list[str]:
    if service == "sqs":
        return [operation.removesuffix("Batch")]  # A batch for a queue has no permission of its own.
    if service == "ses" and "Raw" in parameters.get("Content", {}):
        # SES refuses such mail for want of SendRawEmail, an operation of API v1, where AWS's reference has SendEmail.
        return ["SendEmail", "SendRawEmail"]
    return [operation]


def _resources(parameters: Mapping[str, Any]) -> Iterator[str]:
    if "TableName" in parameters:
        index = f"/index/{parameters['IndexName']}" if "IndexName" in parameters else ""
        yield _variable(parameters["TableName"]) + index
    yield from map(_variable, parameters.get("RequestItems", ()))
    for name in ("QueueUrl", "SecretId", "KeyId", "Bucket", "ConfigurationSetName"):
        if name in parameters:
            yield _variable(parameters[name])
    if "FromEmailAddress" in parameters:
        yield _variable(parameters["FromEmailAddress"].rpartition("@")[2])


def _variable(value: str) -> str:
    """The environment variable that told the function of it. What none did stays as it is, and no policy allows it."""
    return next((name for name, told in os.environ.items() if told == value), value)
