"""Which deployment is meant, how a command is refused before it begins, and what people read."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from freebusy.entrypoints.cli import main
from local.emulator import client
from tests.integration.cli.deployment import CALLBACK

pytestmark = pytest.mark.emulator


class TestRefusals:
    def test_a_stack_that_does_not_exist_is_told(self, capsys, stack_file):
        assert main([f"--local={stack_file}", "--stack", "no-such-stack", "applications", "list"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "no-such-stack" in line

    def test_a_stack_of_something_else_is_told(self, deployment, capsys, stack_file):
        template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
        stack = f"stack-{uuid4().hex}"
        client("cloudformation", deployment.endpoint).create_stack(StackName=stack, TemplateBody=json.dumps(template))
        assert main([f"--local={stack_file}", "--stack", stack, "applications", "list"]) == 2
        assert "no output TableName" in capsys.readouterr().err

    def test_a_table_that_does_not_exist_is_told(self, capsys, stack_file):
        assert main([f"--local={stack_file}", "--table", "no-such-table", "applications", "list"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1

    def test_a_deployment_must_be_named(self, capsys):
        assert main(["applications", "list"]) == 2
        assert "--stack NAME, --table NAME, or --local" in capsys.readouterr().err

    def test_and_so_must_its_region(self, capsys, monkeypatch, tmp_path):
        for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        assert main(["applications", "list"]) == 2
        assert "say which deployment" in capsys.readouterr().err
        assert main(["--stack", "name", "applications", "list"]) == 2
        assert "--region NAME" in capsys.readouterr().err

    def test_a_laptop_stack_that_is_not_running_is_told(self, capsys, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert main(["--local", "applications", "list"]) == 2
        assert "make run" in capsys.readouterr().err

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"url": "http://127.0.0.1:8080"}'])
    def test_a_file_of_something_else_is_told(self, capsys, tmp_path, content):
        file = tmp_path / "stack.json"
        file.write_text(content, encoding="utf-8")
        assert main([f"--local={file}", "applications", "list"]) == 2
        assert "is not the file of a laptop stack" in capsys.readouterr().err

    def test_an_emulator_that_is_gone_is_told(self, capsys, tmp_path):
        file = tmp_path / "stack.json"
        file.write_text('{"aws": "http://127.0.0.1:1"}', encoding="utf-8")
        assert main([f"--local={file}", "--table", "table", "applications", "list"]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["applications"],
            ["applications", "create", "Scheduler"],
            ["nonsense"],
            ["keys", "rotate"],
            ["keys", "rotate", "--all", "--application", "app"],
            ["keys", "rotate", "--all", "--settling", "-1"],
            ["keys", "rotate", "--all", "--settling", "soon"],
            ["keys", "rotate", "--application", ""],
            ["applications", "show", ""],
            ["accounts", "audit", f"acc_{0:024}", "--since", "732d"],
            ["providers", "rotate", "nobody"],
            ["providers", "rotate", "google", "secret"],
        ],
    )
    def test_a_command_that_is_not_complete_shows_its_usage(self, capsys, arguments):
        with pytest.raises(SystemExit) as exited:
            main(arguments)
        assert exited.value.code == 2
        assert "usage: freebusy" in capsys.readouterr().err


class TestText:
    def test_people_get_columns_and_a_word_about_the_secret(self, deployment, stack_file, capsys):
        arguments = ["applications", "create", "My app", "--redirect-uri", CALLBACK, "--redirect-uri", f"{CALLBACK}/2"]
        where = [f"--local={stack_file}", "--table", deployment.table, "--key", deployment.key_id]
        assert main([*arguments, *where]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[1] == "name           My app"
        assert lines[3:6] == [
            "redirect_uris  https://app.example/callback",
            "               https://app.example/callback/2",
            "origins        -",
        ]
        assert lines[-1].startswith("Keep the client_secret now")

    def test_options_may_stand_before_or_after_the_command(self, deployment, stack_file, capsys):
        options = [f"--local={stack_file}", "--table", deployment.table, "--json"]
        for arguments in ([*options, "applications", "list"], ["applications", "list", *options]):
            assert main(arguments) == 0
            assert isinstance(json.loads(capsys.readouterr().out), list)


@pytest.mark.stack
def test_the_laptop_stack_is_found_by_its_file_alone(stack, tmp_path, monkeypatch, capsys):
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "stack.json").write_text(json.dumps(stack), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["--local", "applications", "show", stack["client_id"], "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["redirect_uris"]) >= set(stack["redirect_uris"])
