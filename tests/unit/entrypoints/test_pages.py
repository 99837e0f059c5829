import ast
from http import HTTPStatus
from pathlib import Path

import pytest

from freebusy.entrypoints import pages

CORE = Path(pages.__file__).parents[1]


def reasons():
    """Every reason that the code gives to ``AuthorizationRefused`` and ``message``."""
    for path in sorted(CORE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="AuthorizationRefused" | "message"), args=[argument, *_]):
                    yield from (
                        each.value
                        for each in ast.walk(argument)
                        if isinstance(each, ast.Constant) and each.value != "access_denied"
                    )


@pytest.mark.parametrize("reason", sorted(set(reasons())))
def test_there_is_a_text_for_every_reason(reason):
    page = pages.message(reason, HTTPStatus.BAD_REQUEST)
    assert page.body
    assert "<h1>" in page.body
    assert page.body.count("<p") == 2


def test_the_reasons_were_found():
    assert {"unknown_application", "other_browser", "consent_refused", "provider_trouble", "failure"} <= set(reasons())


@pytest.mark.parametrize(("name", "shown"), [("Scheduler", "Scheduler can see"), ("", "The application can see")])
def test_whoever_connects_again_reads_for_whom(name, shown):
    assert shown in pages.reconnected(name).body
