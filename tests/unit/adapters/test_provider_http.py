"""What is measured of providers: every question that a port asks one, and which kind of failure came of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from freebusy import adapters
from freebusy.adapters.provider_http import measured
from freebusy.domain.errors import (
    CalendarUnreadable,
    CredentialRevoked,
    EventRefused,
    ProviderMisconfigured,
    ProviderUnavailable,
)
from freebusy.measures import Measure, taken

FOLDER = Path(adapters.__file__).parent
ASKING = {
    path.stem: path
    for path in FOLDER.glob("*.py")
    if "ProviderHttp(" in path.read_text(encoding="utf-8") and path.stem != "provider_trials"
}
"""The adapters that talk to a provider; trials are the command line's, which measures nothing."""

GOOGLE = (("Provider", "google"),)


@pytest.fixture(autouse=True)
def _nothing_yet():
    taken()


@measured("google")
def ask(error: Exception | None = None) -> str:
    if error:
        raise error
    return "answer"


def test_an_answer_is_a_call_without_trouble():
    assert ask() == "answer"
    assert list(taken()) == [GOOGLE]
    ask()
    ask()
    measures = taken()[GOOGLE]
    assert measures[Measure.PROVIDER_TROUBLE] == [0, 0]
    assert [type(value) for value in measures[Measure.PROVIDER_TIME]] == [int, int]


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        pytest.param(ProviderUnavailable("503 after 5 attempts"), 1, id="the provider is away"),
        pytest.param(ProviderMisconfigured("the client secret is wrong"), 1, id="our registration is wrong"),
        pytest.param(CredentialRevoked("withdrawn"), 0, id="one person's decision"),
        pytest.param(CalendarUnreadable("no such calendar"), 0, id="one calendar"),
        pytest.param(EventRefused("never"), 0, id="one event"),
    ],
)
def test_a_failure_is_counted_by_its_reason_and_is_trouble_where_others_would_meet_it_too(error, trouble):
    with pytest.raises(type(error)):
        ask(error)
    measures = taken()
    assert measures[GOOGLE][Measure.PROVIDER_TROUBLE] == [trouble]
    assert measures[*GOOGLE, ("Reason", error.reason)] == {Measure.PROVIDER_FAILURES: [1]}


def test_a_defect_of_ours_is_no_failure_of_the_provider():
    with pytest.raises(KeyError):
        ask(KeyError("ours"))
    assert list(taken()) == [GOOGLE]


@pytest.mark.parametrize("adapter", ASKING)
def test_every_question_of_a_port_is_measured(adapter):
    """Questions end by a deadline, or bring a code from the consent screen."""
    asking = [
        method
        for node in ast.parse(ASKING[adapter].read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
        for method in node.body
        if isinstance(method, ast.FunctionDef)
        and not method.name.startswith("_")
        and {"deadline", "code"} & {each.arg for each in (*method.args.args, *method.args.kwonlyargs)}
    ]
    assert asking
    assert [method.name for method in asking if "measured" not in ast.unparse(method).split("def ")[0]] == []
