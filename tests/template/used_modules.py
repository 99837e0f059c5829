"""Which of our modules a function uses, told by running it with all its sample events.

A module is used if something in it runs, or if what runs, or what a used module evaluates when it is imported, names
something that is imported from it. So constants and base classes count, and an import that only a path of another
function needs does not.
"""

from __future__ import annotations

import ast
import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from tests.api import Context
from tests.template.deployment import ROOT
from tests.template.sample_deployment import deployment_for
from tests.template.sample_events import event_of, samples_of

CORE = ROOT / "layers" / "core"
APP = "app"


class Module(NamedTuple):
    """``imported`` tells for each name the module that it comes from; ``evaluated`` are the names that importing the
    module looks up.
    """

    imported: dict[str, str]
    evaluated: set[str]


def used_modules(function: str) -> set[str]:
    run = _run(function)
    used: set[str] = set()
    reached = [APP, *run]
    while reached:
        name = reached.pop()
        if name in used:
            continue
        used.add(name)
        module = _read(name, function)
        reached += [
            module.imported[each] for each in module.evaluated | run.get(name, set()) if each in module.imported
        ]
    return used - {APP}


def is_module(name: str) -> bool:
    """Packages are loaded with what is in them."""
    return _source(name).exists()


# --- What runs -----------------------------------------------------------------------------------------------------


def _run(function: str) -> dict[str, set[str]]:
    """For each module of which something ran: the names that this looks up."""
    app = importlib.import_module(f"functions.{function}.app")
    run: dict[str, set[str]] = {}
    for sample in samples_of(function):
        with deployment_for(sample), _called() as called:
            app.lambda_handler(event_of(sample), Context())
        for code in called:
            if (module := _module_of(code, function)) and code.co_name != "<module>":
                run.setdefault(module, set()).update(_names(code))
    return run


@contextmanager
def _called() -> Iterator[set[CodeType]]:
    """What is called meanwhile, in threads that begin meanwhile, too."""
    called: set[CodeType] = set()

    def see(frame: Any, *_: object) -> None:
        called.add(frame.f_code)

    before = sys.gettrace()
    sys.settrace(see)
    threading.settrace(see)
    try:
        yield called
    finally:
        sys.settrace(before)
        threading.settrace(before)  # type: ignore[arg-type] - None is what it begins with


def _module_of(code: CodeType, function: str) -> str | None:
    path = Path(code.co_filename)
    if path == ROOT / "functions" / function / "app.py":
        return APP
    if path.suffix != ".py" or not path.is_relative_to(CORE):  # of others, or a template that jinja compiled
        return None
    return ".".join(path.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__")


def _names(code: CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, CodeType))
    return set(code.co_names).union(*map(_names, inner))


# --- What modules say ----------------------------------------------------------------------------------------------


def _source(name: str) -> Path:
    return CORE.joinpath(*name.split(".")).with_suffix(".py")


def _read(name: str, function: str) -> Module:
    source = ROOT / "functions" / function / "app.py" if name == APP else _source(name)
    source = source if source.exists() else source.with_suffix("") / "__init__.py"
    statements = ast.parse(source.read_text(encoding="utf-8")).body
    imported = {
        alias.asname or alias.name: _imported_from(statement.module, alias.name)
        for statement in statements
        if isinstance(statement, ast.ImportFrom) and statement.module and statement.module.startswith("freebusy")
        for alias in statement.names
    }
    looked_up = (each for node in _evaluated(statements) for each in ast.walk(node) if isinstance(each, ast.Name))
    return Module(imported, {each.id for each in looked_up})


def _imported_from(module: str, name: str) -> str:
    return f"{module}.{name}" if is_module(f"{module}.{name}") else module


def _evaluated(statements: list[ast.stmt]) -> Iterator[ast.AST]:
    """All but imports, annotations of functions and what is inside of them."""
    for statement in statements:
        match statement:
            case ast.Import() | ast.ImportFrom():
                pass
            case ast.FunctionDef(args=arguments, decorator_list=decorators):
                yield from decorators
                yield from arguments.defaults
                yield from filter(None, arguments.kw_defaults)
            case ast.ClassDef(bases=bases, decorator_list=decorators, body=body):
                yield from bases
                yield from decorators
                yield from _evaluated(body)
            case _:
                yield statement
