"""The layers as `sam build` leaves them: built here by the same Makefiles."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.template.deployment import ROOT, of_type

AARCH64 = 0xB7
LIMIT = 60 * 2**20
"""Lambda's own limit is 250 MiB for all layers together; what is unpacked must also be loaded."""


def _runtime_python() -> str | None:
    script = ROOT / "local" / "runtime_python.sh"
    found = subprocess.run([script], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def _any_python_with_pip() -> str:
    """pip resolves for the functions' platform whatever runs it; the compiled files are then of no use, though."""
    if importlib.util.find_spec("pip"):
        return sys.executable
    return getattr(sys, "_base_executable", "python3")


RUNTIME_PYTHON = _runtime_python()
needs_the_runtime = pytest.mark.skipif(RUNTIME_PYTHON is None, reason="no Python 3.13 on this machine to compile with")


@pytest.fixture(scope="module")
def layers(tmp_path_factory) -> dict[str, Path]:
    """Logical id to the folder that becomes /opt/python."""
    built = {}
    for logical_id, layer in of_type("AWS::Serverless::LayerVersion").items():
        artifacts = tmp_path_factory.mktemp(logical_id)
        command = [
            "make",
            "--silent",
            f"--directory={ROOT / layer['Properties']['ContentUri']}",
            f"build-{logical_id}",
            f"ARTIFACTS_DIR={artifacts}",
            f"RUNTIME_PYTHON={RUNTIME_PYTHON or _any_python_with_pip()}",
        ]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        assert [path.name for path in artifacts.iterdir()] == ["python"]
        built[logical_id] = artifacts / "python"
    return built


def files(layers: dict[str, Path], pattern: str) -> Iterator[Path]:
    return (path for folder in layers.values() for path in folder.rglob(pattern) if path.is_file())


def test_every_shared_object_is_for_the_processor_of_the_functions(layers):
    shared_objects = list(files(layers, "*.so"))
    assert shared_objects
    for path in shared_objects:
        header = path.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == AARCH64, path.name
        assert not re.search(r"cpython-(?!313)", path.name), path.name


def test_the_layers_stay_small(layers):
    assert sum(path.stat().st_size for path in files(layers, "*")) < LIMIT


def test_nothing_is_shipped_that_functions_do_not_need(layers):
    top = {path.name for folder in layers.values() for path in folder.iterdir()}
    packages = {re.split(r"-\d", name)[0].lower() for name in top}
    unwanted = {"boto3", "botocore", "s3transfer"}  # part of the runtime
    unwanted |= {"click", "rich", "pygments"}  # httpx imports its command line when they are there
    unwanted |= {"aws_xray_sdk"}  # a tenth of a second of every cold start
    unwanted |= {"pip", "setuptools", "wheel", "pytest", "moto", "bin"}
    assert not packages & unwanted
    assert not list(files(layers, "*.pyi"))
    assert not [path for folder in layers.values() for path in folder.rglob("*") if path.name in {"tests", "test"}]
    assert not [name for name in top if name.endswith(".egg-info")]


def pins(path: str) -> dict[str, str]:
    """Package to version, as a requirements file pins them."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE))


LAYER_PINS = pins("layers/dependencies/requirements.txt")


def test_exactly_the_pinned_packages_are_in_the_layer(layers):
    installed = {path.stem.replace("_", "-").lower() for path in layers["DependenciesLayer"].glob("*.dist-info")}
    assert installed == {f"{name}-{version}" for name, version in LAYER_PINS.items()}


def test_the_core_layer_holds_our_package_alone(layers):
    assert [path.name for path in layers["CoreLayer"].iterdir()] == ["freebusy"]
    shipped = {path.relative_to(layers["CoreLayer"]) for path in layers["CoreLayer"].rglob("*.py")}
    source = ROOT / "layers" / "core"
    assert shipped == {path.relative_to(source) for path in (source / "freebusy").rglob("*.py")}


@needs_the_runtime
def test_every_module_is_compiled_for_the_runtime_and_trusted_without_looking_at_dates(layers):
    for path in files(layers, "*.py"):
        compiled = path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc"
        assert compiled.exists(), path
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00"  # PEP 552: hash-based, not checked


@needs_the_runtime
def test_what_is_compiled_says_where_it_runs_and_not_where_it_was_built(layers):
    for path in files(layers, "*.pyc"):
        assert str(ROOT).encode() not in path.read_bytes()


@needs_the_runtime
def test_our_package_imports_from_the_layers_on_the_runtime(layers):
    """Shared objects of another processor cannot be loaded here, so only what needs none is imported."""
    modules = ["freebusy.settings", "freebusy.bootstrap", "freebusy.ports", "freebusy.domain.account"]
    program = f"import sys; sys.path[:0] = {[str(path) for path in layers.values()]}\n"
    program += f"import {', '.join(modules)}, httpx, jinja2, aws_lambda_powertools\n"
    subprocess.run([RUNTIME_PYTHON, "-I", "-c", program], check=True)


def test_functions_run_on_the_versions_that_the_tests_ran_with():
    tested = pins("requirements/dev.txt")
    assert {name: tested.get(name) for name in LAYER_PINS} == LAYER_PINS


def test_the_layer_has_what_the_project_says_it_needs():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    assert {re.split(r"[^a-z0-9-]", line)[0] for line in groups["layer"]} <= set(LAYER_PINS)


@pytest.mark.parametrize("logical_id", of_type("AWS::Serverless::LayerVersion"))
def test_sam_builds_the_layer_for_the_processor_of_the_functions(logical_id):
    """Without BuildArchitecture, SAM fetches x86_64 wheels for an arm64 layer and says nothing."""
    layer = of_type("AWS::Serverless::LayerVersion")[logical_id]
    assert layer["Metadata"] == {"BuildMethod": "makefile", "BuildArchitecture": "arm64"}
    assert layer["Properties"]["CompatibleArchitectures"] == ["arm64"]
