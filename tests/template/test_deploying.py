"""``make deploy``: where it deploys to, and what samconfig.toml can say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.template.deployment import ROOT, TEMPLATE

STUB = '#!/bin/sh\necho "$(basename "$0") $1 in ${AWS_DEFAULT_REGION:-no region}"\n'
NO_REGION = f"{STUB}exit 1\n"


REQUIREMENTS = ("requirements/bootstrap.txt", "requirements/dev.txt", "requirements/sam.txt", "pyproject.toml")
INSTALLED = (".venv/.installed", ".local/venvs/sam/.installed")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile among programs that only say what they were called with, and an AWS that is not configured."""
    files = dict.fromkeys(REQUIREMENTS, "") | {
        ".local/venvs/sam/bin/sam": STUB,
        ".local/venvs/sam/bin/python": NO_REGION,
        ".venv/bin/python": STUB,
        "local/runtime_python.sh": "#!/bin/sh\necho python3\n",
    }
    for name, text in (files | dict.fromkeys(INSTALLED, "")).items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)
    for name in ("Makefile", "samconfig.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def deployed(checkout: Path, arguments: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "deploy", f"ARGS={arguments}"]
    path = {"PATH": os.environ["PATH"]}
    return subprocess.run(command, cwd=checkout, env=path | environment, capture_output=True, text=True, check=False)


def test_without_a_region_nothing_is_built_and_the_operator_is_told(checkout):
    done = deployed(checkout)
    assert done.returncode != 0
    assert 'make deploy ARGS="--region' in done.stdout
    assert "sam build" not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param("--region eu-central-1", id="a region"),
        pytest.param("--profile work", id="a profile, which may have one"),
        pytest.param('--region eu-central-1 --parameter-overrides "LogLevel=DEBUG RecoveryDays=7"', id="quotes"),
    ],
)
def test_what_the_operator_says_is_left_to_sam(checkout, arguments):
    """A region of ours in the environment would win over a profile's."""
    done = deployed(checkout, arguments)
    assert "sam deploy in no region" in done.stdout, done.stderr
    assert done.returncode == 0


def test_a_region_of_samconfig_is_enough(checkout):
    file = checkout / "samconfig.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('# region = "', 'region = "'), encoding="utf-8")
    assert "sam deploy in no region" in deployed(checkout).stdout


def test_a_region_that_is_configured_is_enough(checkout):
    (checkout / ".local/venvs/sam/bin/python").write_text(STUB, encoding="utf-8")
    done = deployed(checkout, AWS_DEFAULT_REGION="eu-west-3")
    assert "sam deploy in eu-west-3" in done.stdout


def test_building_asks_nothing_of_the_operator(checkout):
    assert "sam build in us-east-1" in deployed(checkout, "--region eu-central-1").stdout


@pytest.mark.parametrize(
    ("snapstart", "options"),
    [
        pytest.param("on", "--template-file {build}/snapstart.json --config-file {root}/samconfig.toml ", id="on"),
        pytest.param("off", "", id="off"),
        pytest.param("", "", id="not mentioned"),
    ],
)
def test_functions_start_from_snapshots_where_the_operator_says_so(checkout, snapstart, options):
    """SAM looks for its configuration beside a template that it is told of."""
    (checkout / ".local/venvs/sam/bin/sam").write_text('#!/bin/sh\necho "sam $*"\n', encoding="utf-8")
    (checkout / ".aws-sam/build").mkdir(parents=True)
    done = deployed(checkout, "--region eu-central-1", SNAPSTART=snapstart)
    said = options.format(build=".aws-sam/build", root=checkout)
    assert done.stdout.splitlines()[-1] == f"sam deploy {said}--region eu-central-1", done.stderr
    assert (checkout / ".aws-sam/build/snapstart.json").exists() == (snapstart == "on")


def test_a_word_that_might_mean_either_deploys_nothing(checkout):
    done = deployed(checkout, "--region eu-central-1", SNAPSTART="true")
    assert done.returncode != 0
    assert "SNAPSTART is on or off" in done.stderr
    assert "sam" not in done.stdout


def test_samconfig_offers_parameters_that_there_are():
    text = (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    offered = re.findall(r"^# (\w+) = \"", text.partition(".parameter_overrides]")[2], re.MULTILINE)
    assert offered
    assert set(offered) <= set(TEMPLATE["Parameters"])


def test_the_guide_does_not_send_anybody_through_a_question_for_each_route():
    """`sam deploy --guided` asks of each whether it may be called without authentication, as ours may,
    and ends where that is not answered with yes.
    """
    for page in [ROOT / "Makefile", ROOT / "samconfig.toml", *(ROOT / "docs").glob("*.md")]:
        assert "--guided" not in page.read_text(encoding="utf-8"), page.name
