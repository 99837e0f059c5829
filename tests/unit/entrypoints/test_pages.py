import ast
import inspect
from http import HTTPStatus
from pathlib import Path

import pytest

from freebusy.domain.application import Introduction
from freebusy.domain.errors import AuthorizationError
from freebusy.entrypoints import pages
from freebusy.service import consent_trouble

CORE = Path(pages.__file__).parents[1]


PLACES = {"AuthorizationRefused": 0, "AuthorizationError": 2, "message": 1}
"""Which argument is the reason."""


def reasons():
    """Every reason that the code gives to ``AuthorizationRefused``, ``AuthorizationError`` and ``message``."""
    yield from (reason for *_, reason in consent_trouble._TOLD.values())
    yield inspect.signature(AuthorizationError).parameters["reason"].default
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=called), args=args) if len(args) > PLACES.get(called, len(args)):
                    yield from (
                        each.value
                        for each in ast.walk(args[PLACES[called]])
                        if isinstance(each, ast.Constant) and each.value != "access_denied"
                    )


@pytest.mark.parametrize("reason", sorted(set(reasons())))
def test_there_is_a_text_for_every_reason(reason):
    page = pages.message({}, reason, HTTPStatus.BAD_REQUEST)
    assert page.body
    assert "<h1>" in page.body
    assert page.body.count("<p") == 2


def test_the_reasons_were_found():
    assert {"unknown_application", "other_browser", "consent_refused", "provider_trouble", "failure"} <= set(reasons())


@pytest.mark.parametrize(("name", "shown"), [("Scheduler", "Scheduler can see"), (None, "The application can see")])
def test_whoever_connects_again_reads_for_whom(name, shown):
    assert shown in pages.reconnected({}, name and Introduction(name)).body
