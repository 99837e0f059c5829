"""What `make build` says of what it built."""

import os

import pytest

from local import built


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["built", str(tmp_path)])
    (tmp_path / "TokenFunction").mkdir()
    (tmp_path / "TokenFunction" / "app.py").write_text("print()\n", encoding="utf-8")
    (tmp_path / "template.yaml").write_text("Resources: {}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def said(build, capsys):
    def printed():
        outcome = built.main()
        return outcome, capsys.readouterr().out

    return printed


def test_a_build_that_is_made_again_is_the_same_whenever_that_is(build, said):
    first = said()
    os.utime(build / "TokenFunction" / "app.py", (1, 1))
    assert said() == first
    assert first[0] == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda file: file.write_text("print(1)\n", encoding="utf-8"), id="contents"),
        pytest.param(lambda file: file.rename(file.with_name("main.py")), id="name"),
        pytest.param(lambda file: file.chmod(0o755), id="permissions"),
    ],
)
def test_a_change_shows_in_the_digest_of_its_part_alone(build, said, change):
    _, before = said()
    change(build / "TokenFunction" / "app.py")
    _, after = said()
    changed = [
        one.split()[0] for one, other in zip(before.splitlines(), after.splitlines(), strict=True) if one != other
    ]
    assert changed == ["TokenFunction"]


def test_every_file_has_the_same_date(build, said):
    said()
    assert {path.stat().st_mtime for path in build.rglob("*")} == {built.DATE}


def test_what_is_too_large_is_refused_by_name(build, said):
    (build / "TokenFunction" / "model.bin").write_bytes(bytes(built.MOST["Function"]))
    outcome, text = said()
    assert outcome == 1
    (line,) = [line for line in text.splitlines() if "too large" in line]
    assert "TokenFunction" in line
