"""Commands in the guides exist as they are written: AWS's by the models that its CLI is made of, ours by its parser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import botocore.session
import jmespath
import pytest
from botocore import xform_name

from freebusy.entrypoints.cli import _parser

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

AWS = botocore.session.get_session()
OF_EVERY_COMMAND = {"query", "output", "region", "profile"}

STANDS_FOR = {"{sub}": f"acc_{0:024}", "acc_...": f"acc_{0:024}", "ser_...": f"ser_{0:024}"}
"""Whatever else stands in braces may be any word."""

NAMES = {("freebusy", "restore"), ("freebusy", "--local", "applications", "upstream")}
"""Of commands, in the middle of a sentence."""


def written(guide: Path) -> Iterator[list[str]]:
    """The words of each command in blocks and spans of code."""
    text = guide.read_text(encoding="utf-8")
    blocks = (re.sub(r"\s#.*", "", block) for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    spans = (span.replace("\\|", "|") for span in re.findall(r"`((?:aws|freebusy|echo) [^`]+)`", text))
    for code in (*blocks, *spans):
        for placeholder, meant in STANDS_FOR.items():
            code = code.replace(placeholder, meant)  # noqa: PLW2901 - one after the other
        lexer = shlex.shlex(re.sub(r"\{[^{}\"\n]*\}", "x", code), posix=True, punctuation_chars="\n|;<>")
        lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
        command: list[str] = []
        for word in (*lexer, ";"):
            if not set(word) <= set("\n|;<>"):
                command.append(word)
            elif command:
                yield command
                command = []


def commands_of(program: str) -> list[Any]:
    return [
        pytest.param(words, id=f"{guide.name}: {' '.join(words)}"[:120])
        for guide in GUIDES
        for words in written(guide)
        if words[0].rpartition("/")[2] == program and tuple(words) not in NAMES
    ]


def operation(service: str, name: str, rest: list[str]) -> Any:
    """Botocore's model of what a command of AWS's CLI calls; ``wait`` calls the same until the answer is right."""
    if name == "wait":
        waiters = AWS.get_waiter_model(service)
        (waiter,) = (each for each in waiters.waiter_names if xform_name(each, "-") == rest[0])
        return AWS.get_service_model(service).operation_model(waiters.get_waiter(waiter).operation)
    model = AWS.get_service_model(service)
    (found,) = (each for each in model.operation_names if xform_name(each, "-") == name)
    return model.operation_model(found)


@pytest.mark.parametrize("words", commands_of("aws"))
def test_what_aws_is_asked_for_exists(words):
    _, service, name, *rest = words
    called = operation(service, name, rest).input_shape
    members = called.members if called else {}
    required = called.required_members if called else []
    known = {xform_name(member, "-") for member in members}
    known |= {f"no-{xform_name(member, '-')}" for member, shape in members.items() if shape.type_name == "boolean"}
    given = {word.removeprefix("--") for word in rest if word.startswith("--")}
    assert given <= known | OF_EVERY_COMMAND
    if given - OF_EVERY_COMMAND:  # the name alone is a mention, but for what takes nothing
        assert {xform_name(member, "-") for member in required} <= given | {each.removeprefix("no-") for each in given}
    if "--query" in rest:
        jmespath.compile(rest[rest.index("--query") + 1])


@pytest.mark.parametrize("words", commands_of("freebusy"))
def test_our_own_commands_exist_with_their_arguments(words):
    asks_for_help = pytest.raises(SystemExit, match=r"^0$") if "--help" in words else nullcontext()
    with asks_for_help:
        _parser().parse_args(words[1:])


def anchors(guide: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", guide.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_link_within_the_guides_leads_somewhere(guide):
    links = re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", guide.read_text(encoding="utf-8"))
    for name, anchor in links:
        target = guide.parent / name if name else guide
        assert target.exists(), name
        assert not anchor or anchor in anchors(target), f"{name}#{anchor}"
