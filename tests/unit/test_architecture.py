"""Imports point one way: functions, entrypoints and bootstrap, service, ports, domain; adapters hang on the ports."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "layers" / "core"

MAY_IMPORT: dict[str, set[str]] = {
    "freebusy.domain": {"freebusy.domain"},
    "freebusy.ports": {"freebusy.domain"},
    "freebusy.settings": set(),
    "freebusy.measures": set(),
    "freebusy.service": {"freebusy.service", "freebusy.ports", "freebusy.domain", "freebusy.measures"},
    "freebusy.adapters": {"freebusy.adapters", "freebusy.ports", "freebusy.domain", "freebusy.measures"},
    "freebusy.bootstrap": {
        "freebusy.adapters",
        "freebusy.service",
        "freebusy.ports",
        "freebusy.domain",
        "freebusy.settings",
    },
    "freebusy.entrypoints": {
        "freebusy.entrypoints",
        "freebusy.bootstrap",
        "freebusy.settings",
        "freebusy.service",
        "freebusy.ports",
        "freebusy.domain",
        "freebusy.measures",
    },
    "functions": {"freebusy.entrypoints", "freebusy.bootstrap", "freebusy.service", "freebusy.domain"},
}
"""Each part of the house, and what of ours it may know."""

PURE = {"freebusy.domain", "freebusy.ports", "freebusy.settings", "freebusy.measures", "freebusy.service"}
"""What runs on the standard library alone, so that it can be understood and tested without anything else."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module that is deployed, by its dotted name."""
    for base, pattern in ((CORE, "freebusy/**/*.py"), (ROOT, "functions/*/*.py")):
        for path in sorted(base.glob(pattern)):
            yield ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__"), path


def imported(path: Path) -> Iterator[str]:
    """Every name imported anywhere in the module, also inside functions and for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; absolute names show the direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(name: str) -> str | None:
    return next((part for part in MAY_IMPORT if name == part or name.startswith(f"{part}.")), None)


MODULES = dict(modules())
PARTS = {name: part for name in MODULES if (part := part_of(name))}


def test_every_module_belongs_to_a_part_of_the_house():
    assert set(MODULES) - set(PARTS) == {"freebusy"}


def test_every_part_of_the_house_has_modules():
    assert set(PARTS.values()) == set(MAY_IMPORT)


@pytest.mark.parametrize("module", PARTS)
def test_imports_point_one_way(module):
    ours = {name for name in imported(MODULES[module]) if name.split(".")[0] in {"freebusy", "functions"}}
    assert {name for name in ours if part_of(name) not in MAY_IMPORT[PARTS[module]]} == set()


@pytest.mark.parametrize("module", MODULES)
def test_what_is_deployed_knows_nothing_of_the_laptop_or_the_tests(module):
    assert not {name.split(".")[0] for name in imported(MODULES[module])} & {"local", "tests"}


@pytest.mark.parametrize("module", [module for module, part in PARTS.items() if part in PURE])
def test_what_is_pure_needs_the_standard_library_alone(module):
    foreign = {name.split(".")[0] for name in imported(MODULES[module])} - {"freebusy"}
    assert foreign - set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize("module", [module for module, part in PARTS.items() if part == "functions"])
def test_a_function_leaves_everything_foreign_but_its_router_to_the_layer(module):
    foreign = {name.split(".")[0] for name in imported(MODULES[module])} - {"freebusy"}
    assert foreign - set(sys.stdlib_module_names) <= {"aws_lambda_powertools"}
