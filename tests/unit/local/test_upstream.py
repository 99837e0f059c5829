"""Which upstream a laptop stack has, as its environment says."""

from __future__ import annotations

import json

import pytest

from local.upstream import NoUpstream, chosen

REAL = {"CRONOFY_CLIENT_ID": "id", "CRONOFY_CLIENT_SECRET": "secret", "CRONOFY_DATA_CENTER": "de"}


def test_without_a_word_everybody_connects_directly():
    assert chosen({}) is None


def test_the_real_cronofy_is_meant_by_its_client():
    upstream = chosen(REAL)
    assert upstream.registration == {"client_id": "id", "client_secret": "secret", "data_center": "de"}
    assert upstream.origin is None


def test_a_running_stack_stands_in_for_it(tmp_path):
    file = tmp_path / "stack.json"
    content = {
        "url": "http://127.0.0.1:9000",
        "client_id": "id",
        "client_secret": "secret",
        "aws": "http://127.0.0.1:1",
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    upstream = chosen({**REAL, "UPSTREAM_STACK_FILE": str(file)})
    assert upstream.origin == "http://127.0.0.1:9000"
    assert upstream.registration == {"client_id": "id", "client_secret": "secret", "data_center": "us"}


@pytest.mark.parametrize("missing", REAL)
def test_half_a_client_is_refused(missing):
    with pytest.raises(NoUpstream, match="CRONOFY_CLIENT_ID"):
        chosen({name: value for name, value in REAL.items() if name != missing})


@pytest.mark.parametrize("content", [None, "", "{}", "[]"], ids=["not there", "empty", "another file", "a list"])
def test_a_stack_that_does_not_run_is_refused(tmp_path, content):
    file = tmp_path / "stack.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(NoUpstream, match="no stack runs"):
        chosen({"UPSTREAM_STACK_FILE": str(file)})
