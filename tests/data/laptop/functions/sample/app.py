"""Does what the event asks for, so that tests see how the host deals with it."""

# ruff: noqa: T201 - every action is called with the same two arguments, and one prints

import json
import os
import time
from pathlib import Path

import shared


def lambda_handler(event, context):
    return globals()[f"do_{event['do']}"](event, context)


def do_tell(event, context):
    return {
        "event": event,
        "request_id": context.aws_request_id,
        "function": context.function_name,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
        "shared": shared.WORD,
        "process": os.getpid(),
    }


def do_raise(event, context):
    raise LookupError("nothing here")


def do_return_nonsense(event, context):
    return {1, 2}


def do_exit(event, context):
    os._exit(3)


def do_hang(event, context):
    time.sleep(60)


def do_say(event, context):
    print(event["words"])


def do_answer_much(event, context):
    return "x" * event["size"]


def do_meet(event, context):
    """Waits until as many as asked for are here at the same time."""
    folder = Path(event["folder"])
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < event["others"]:
        time.sleep(0.01)
    return json.dumps(os.getpid())
