"""The house rules of docs/design.md, read from the source with `ast`; every checker is tested on made-up sources."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from diabolo.core.registry import PACKAGES, lookup, names

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src" / "diabolo"

ARROWS = (
    "cli → serve | export → report → tasks → codec → estimators → train | data → "
    "networks | bottlenecks | priors | losses | penalties | corruptions → blocks → core"
)
RANK = {package.strip(): rank for rank, level in enumerate(ARROWS.split("→")) for package in level.split("|")}
LINE_LIMIT = 400
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
PICKLING_CALLS = {"torch.load", "torch.save", "pd.read_pickle"}
AXES_FROM_THE_LITERATURE = ("network", "bottleneck", "prior", "loss", "penalty", "corruption", "optimizer")


# ── reading the source ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Import:
    """One imported name: ``module`` in full, ``name`` (None for ``import module``), and where it stands."""

    module: str
    name: str | None
    line: int
    inside: bool  # in a function body: runs only when called
    typing: bool  # under `if TYPE_CHECKING`: never runs


@dataclass(frozen=True)
class Source:
    """A module's dotted name and text."""

    name: str
    text: str
    is_package: bool = False

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        """The top-level package it lives in; '' for the front door (`diabolo`, `diabolo.__main__`)."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 and parts[1] in RANK else ""

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._walk(self.tree, inside=False, typing=False))

    def _walk(self, node: ast.AST, inside: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, node.lineno, inside, typing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = self._absolute(node.module, node.level)
            yield from (Import(module, alias.name, node.lineno, inside, typing) for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                yield from self._walk(child, inside, typing=True)
            for child in node.orelse:
                yield from self._walk(child, inside, typing)
        else:
            inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from self._walk(child, inside, typing)

    def _absolute(self, module: str | None, level: int) -> str:
        if not level:
            return module or ""
        base = self.name.split(".")[: None if self.is_package else -1]
        base = base[: len(base) - (level - 1)]
        return ".".join([*base, *([module] if module else [])])


def read_sources() -> list[Source]:
    sources = []
    for path in sorted(SRC.rglob("*.py")):
        parts = list(path.relative_to(SRC.parent).with_suffix("").parts)
        is_package = parts[-1] == "__init__"
        sources.append(Source(".".join(parts[: -1 if is_package else None]), path.read_text("utf-8"), is_package))
    return sources


def core_dependencies() -> set[str]:
    """Import names of what `pip install diabolo` always brings."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    packages = {re.split(r"[^\w-]", line, maxsplit=1)[0].lower() for line in listed}
    return {{"scikit-learn": "sklearn"}.get(package, package.replace("-", "_")) for package in packages}


# ── the checkers: each gives one line a fault ─────────────────────────────────────────────────────


def wrong_arrows(source: Source) -> list[str]:
    """Imports that go left or across, inside functions too, and imports through the front door."""
    if not source.room:
        return []
    faults = []
    for item in source.imports:
        parts = item.module.split(".")
        if parts[0] != "diabolo":
            continue
        room = parts[1] if len(parts) > 1 else (item.name or "")
        if room in ("__version__", source.room):
            continue
        if room not in RANK:
            faults.append(f"{source.name}:{item.line} imports diabolo.{room}; import from the room that has it")
        elif RANK[room] <= RANK[source.room]:
            faults.append(f"{source.name}:{item.line} {source.room} must not import {room}")
    return faults


def import_cycle(sources: list[Source]) -> list[str]:
    """A cycle among imports that run when modules load, or an empty list."""
    known = {source.name for source in sources}
    graph: dict[str, set[str]] = {}
    for source in sources:
        targets = set()
        for item in source.imports:
            if item.inside or item.typing:
                continue
            submodule = f"{item.module}.{item.name}"
            targets.add(submodule if submodule in known else item.module)
        graph[source.name] = (targets & known) - {source.name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def too_long(source: Source) -> list[str]:
    lines = len(source.text.splitlines())
    return [f"{source.name} has {lines} lines; the limit is {LINE_LIMIT}"] if lines > LINE_LIMIT else []


def pickles(source: Source) -> list[str]:
    """Any way to read or write a pickle."""
    faults = [
        f"{source.name}:{item.line} imports {item.module}"
        for item in source.imports
        if item.module.split(".")[0] in PICKLES or f"{item.module}.{item.name}" in PICKLING_CALLS
    ]
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in PICKLING_CALLS:
            faults.append(f"{source.name}:{node.lineno} uses {ast.unparse(node)}")
        if isinstance(node, ast.Attribute) and node.attr in ("read_pickle", "to_pickle"):
            faults.append(f"{source.name}:{node.lineno} uses {node.attr}")
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            faults.append(f"{source.name}:{node.lineno} allows pickles")
    return faults


def bare_asserts(source: Source) -> list[str]:
    return [f"{source.name}:{node.lineno} assert" for node in ast.walk(source.tree) if isinstance(node, ast.Assert)]


def calls(source: Source, function: str) -> list[str]:
    """Calls of a built-in by its bare name."""
    return [
        f"{source.name}:{node.lineno} {function}("
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
    ]


def prints(source: Source) -> list[str]:
    return [] if source.room == "cli" else calls(source, "print")


def eager_extras(source: Source, allowed: set[str]) -> list[str]:
    """Optional packages imported when the module loads."""
    allowed = allowed | sys.stdlib_module_names | {"diabolo"}
    return [
        f"{source.name}:{item.line} imports {item.module} at the top; import it in the function that needs it"
        for item in source.imports
        if not item.inside and not item.typing and item.module.split(".")[0] not in allowed
    ]


def undocumented(axis: str, name: str, part: Any) -> list[str]:
    """A part without a docstring of its own or, where its axis comes from the literature, without a year."""
    text = inspect.cleandoc(part.__doc__ or "")
    if not text or text.startswith(f"{getattr(part, '__name__', '')}("):  # the signature a dataclass writes
        return [f"{axis} {name!r} has no docstring"]
    if axis in AXES_FROM_THE_LITERATURE and not re.search(r"\b(19|20)\d\d\b", text):
        return [f"{axis} {name!r} names no reference with a year in its docstring"]
    return []


# ── the rules, on the real source ─────────────────────────────────────────────────────────────────

SOURCES = read_sources()
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


def test_the_source_was_found() -> None:
    assert {"diabolo", "diabolo.core.registry"} <= {source.name for source in SOURCES}


def test_every_package_has_a_place_in_the_order() -> None:
    packages = {path.name for path in SRC.iterdir() if (path / "__init__.py").exists()}
    assert packages <= set(RANK), "name the new package in ARROWS and in docs/design.md"


@each_source
def test_source_keeps_the_rules(source: Source) -> None:
    faults = [
        *wrong_arrows(source),
        *too_long(source),
        *pickles(source),
        *bare_asserts(source),
        *calls(source, "hasattr"),
        *prints(source),
        *eager_extras(source, core_dependencies()),
    ]
    assert not faults, "\n".join(faults)


def test_no_import_cycle() -> None:
    assert import_cycle(SOURCES) == []


def loaded_after(code: str) -> set[str]:
    """Modules a fresh interpreter holds after running ``code``."""
    program = f"import sys\n{code}\nsys.stdout.flush()\nprint('\\nLOADED', *sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.rpartition("LOADED")[2].split())


def test_import_does_not_load_torch() -> None:
    loaded = loaded_after("import diabolo")
    assert "diabolo" in loaded
    assert not loaded & {"torch", "sklearn", "scipy", "pandas"}


def test_help_does_not_load_torch() -> None:
    loaded = loaded_after(
        "sys.argv = ['diabolo', '--help']\n"
        "from diabolo.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code"
    )
    assert "diabolo.cli.main" in loaded
    assert not loaded & {"torch", "sklearn", "scipy", "pandas"}


@pytest.mark.parametrize("axis", PACKAGES)
def test_every_part_is_documented(axis: str) -> None:
    faults = [fault for name in names(axis) for fault in undocumented(axis, name, lookup(axis, name))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("axis", [*AXES_FROM_THE_LITERATURE, "processor", "model"])
def test_every_part_is_tested(axis: str) -> None:
    """Either a battery runs over the whole axis, or some test names the part."""
    text = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    battery = re.search(rf"names\(\s*[\"']{axis}[\"']\s*\)", text)
    untested = [] if battery else [name for name in names(axis) if not re.search(rf"[\"']{re.escape(name)}\b", text)]
    assert not untested, f"no test runs over names({axis!r}), and none names {untested}"


# ── the checkers can fail ─────────────────────────────────────────────────────────────────────────


def part(text: str, name: str = "diabolo.losses.made_up", is_package: bool = False) -> Source:
    return Source(name, text, is_package)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("from ..core import register", ""),
        ("from ..blocks.layers import MLP", ""),
        ("from .squared import Squared", ""),
        ("import torch", ""),
        ("from .. import __version__", ""),
        ("from ..train import Trainer", "losses must not import train"),
        ("import diabolo.data.feed", "losses must not import data"),
        ("from diabolo.penalties import KL", "losses must not import penalties"),
        ("from .. import cli", "losses must not import cli"),
        ("def f():\n    from ..estimators.base import Base", "losses must not import estimators"),
        ("from diabolo import VAE", "import from the room"),
        ("if TYPE_CHECKING:\n    from ..tasks import reduce", "losses must not import tasks"),
    ],
)
def test_wrong_arrows_are_found(text: str, fault: str) -> None:
    faults = wrong_arrows(part(text))
    assert bool(faults) == bool(fault)
    assert fault in "".join(faults)


def test_arrows_of_a_package_and_of_the_front_door() -> None:
    assert wrong_arrows(part("from ..train import Trainer", "diabolo.losses", is_package=True))
    assert not wrong_arrows(part("from .squared import Squared", "diabolo.losses", is_package=True))
    assert not wrong_arrows(part("from .cli import main", "diabolo.__main__"))
    assert not wrong_arrows(part("from .estimators import VAE", "diabolo", is_package=True))


def test_order_is_that_of_the_design() -> None:
    assert RANK["cli"] < RANK["estimators"] < RANK["train"] == RANK["data"] < RANK["networks"] < RANK["core"]


@pytest.mark.parametrize(
    ("texts", "cyclic"),
    [
        ({"a": "from .b import x", "b": "from .a import y"}, True),
        ({"a": "from . import b", "b": "from . import a"}, True),
        ({"a": "from .b import x", "b": "def f():\n    from .a import y"}, False),
        ({"a": "from .b import x", "b": "if TYPE_CHECKING:\n    from .a import y"}, False),
        ({"a": "from .b import x", "b": "import torch"}, False),
    ],
)
def test_cycles_are_found(texts: dict[str, str], cyclic: bool) -> None:
    sources = [part("from .a import *", "diabolo.core", is_package=True)]
    sources += [part(text, f"diabolo.core.{name}") for name, text in texts.items()]
    assert bool(import_cycle(sources)) == cyclic


def test_a_module_that_imports_its_own_package_is_a_cycle() -> None:
    package = part("from .batch import Batch", "diabolo.core", is_package=True)
    assert import_cycle([package, part("from . import Batch", "diabolo.core.batch")])


def test_long_files_are_found() -> None:
    assert too_long(part("x = 1\n" * (LINE_LIMIT + 1)))
    assert not too_long(part("x = 1\n" * LINE_LIMIT))


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "def f():\n    import cloudpickle",
        "from torch import load",
        "torch.load('x')",
        "torch.save({}, 'x')",
        "frame.to_pickle('x')",
        "np.load('x', allow_pickle=True)",
    ],
)
def test_pickles_are_found(text: str) -> None:
    assert pickles(part(text))


def test_harmless_loads_are_not_pickles() -> None:
    assert not pickles(part("import json\njson.load(f)\nnp.load('x', allow_pickle=False)\nmodel.load('x')"))


def test_asserts_and_calls_are_found() -> None:
    assert bare_asserts(part("def f(x):\n    assert x"))
    assert not bare_asserts(part("'''>>> assert x'''"))
    assert calls(part("hasattr(x, 'y')"), "hasattr")
    assert not calls(part("x.hasattr('y')"), "hasattr")
    assert prints(part("print(1)"))
    assert not prints(part("print(1)", "diabolo.cli.main"))
    assert not prints(part("console.print(1)"))


@pytest.mark.parametrize(
    ("text", "eager"),
    [
        ("import pandas as pd", True),
        ("from PIL import Image", True),
        ("class A:\n    import matplotlib.pyplot", True),
        ("try:\n    import keras\nexcept ImportError:\n    keras = None", True),
        ("def f():\n    import plotly", False),
        ("if TYPE_CHECKING:\n    import pandas", False),
        ("import json, numpy, torch.nn, sklearn.base", False),
        ("from ..core import register", False),
    ],
)
def test_eager_extras_are_found(text: str, eager: bool) -> None:
    assert bool(eager_extras(part(text), core_dependencies())) == eager


def test_missing_docstrings_and_references_are_found() -> None:
    class Bare: ...

    class Short:
        """Half the squared error."""

    class Cited:
        """Huber's loss. Reference: Huber (1964), "Robust estimation of a location parameter"."""

    @dataclass
    class Generated:
        x: int = 0

    assert undocumented("schedule", "bare", Bare)
    assert undocumented("schedule", "generated", Generated)
    assert undocumented("loss", "short", Short)
    assert not undocumented("schedule", "short", Short)
    assert not undocumented("loss", "cited", Cited)
