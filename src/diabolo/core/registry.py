"""One registry an axis: a part is one file with one decorated class, found by its name.

@register("loss", "huber")
class Huber(ReconstructionLoss): ...

make("loss", "huber(delta=0.5)")      # from a name with parameters (command line, configuration)
make("loss", Spec("huber", delta=.5)) # the same from Python
make("loss", Huber(0.5))              # an instance passes through
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .errors import UsageError, did_you_mean, unknown

PACKAGES = {
    "network": "networks",
    "bottleneck": "bottlenecks",
    "prior": "priors",
    "loss": "losses",
    "penalty": "penalties",
    "corruption": "corruptions",
    "processor": "data",
    "optimizer": "train",
    "schedule": "core",
    "activation": "blocks",
    "model": "estimators",
    "task": "tasks",
}
"""Axis -> the package whose modules register parts on it."""

_parts: dict[str, dict[str, Any]] = {axis: {} for axis in PACKAGES}
_discovered: set[str] = set()
T = TypeVar("T")


def register(axis: str, name: str) -> Callable[[T], T]:
    """Class decorator: put a part on an axis under a name. Raises `UsageError` if the name is taken."""
    if axis not in _parts:
        raise unknown("axis", axis, _parts)

    def add(part: T) -> T:
        taken = _parts[axis].get(name)
        if taken is not None and (taken.__module__, taken.__qualname__) != (part.__module__, part.__qualname__):  # type: ignore[attr-defined]
            raise UsageError(f"{axis} {name!r} is already registered by {taken.__module__}; choose another name.")
        _parts[axis][name] = part
        if inspect.isclass(part):
            part.part_name = name  # type: ignore[attr-defined]
        return part

    return add


def names(axis: str) -> list[str]:
    """Every name on an axis, sorted."""
    return sorted(_axis(axis))


def lookup(axis: str, name: str) -> Any:
    """The part registered on an axis under a name. Raises `UsageError` with a hint if there is none."""
    parts = _axis(axis)
    if name not in parts:
        raise unknown(axis, name, parts)
    return parts[name]


def _axis(axis: str) -> Mapping[str, Any]:
    if axis not in _parts:
        raise unknown("axis", axis, _parts)
    if axis not in _discovered:
        package = importlib.import_module(f"diabolo.{PACKAGES[axis]}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")
        _discovered.add(axis)
    return _parts[axis]


class Spec:
    """A part by name, with its parameters: what configurations, the command line and saved models hold.

    >>> Spec.parse("huber(delta=0.5)")
    Spec('huber', delta=0.5)
    >>> str(Spec("huber", delta=0.5))
    'huber(delta=0.5)'
    """

    def __init__(self, name: str, /, **params: Any) -> None:
        self.name, self.params = name, params

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``name`` or ``name(key=value, …)`` with literal values. Raises `UsageError` on anything else."""
        head, bracket, _ = text.partition("(")
        if not bracket:
            return cls(text.strip())
        try:
            call = ast.parse(f"f{text.strip()[len(head.strip()) :]}", mode="eval").body
            if (
                not isinstance(call, ast.Call)
                or not isinstance(call.func, ast.Name)
                or call.args
                or any(k.arg is None for k in call.keywords)
            ):
                raise ValueError
            return cls(head.strip(), **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords})
        except (SyntaxError, ValueError) as error:
            raise UsageError(
                f"cannot read {text!r}; write a name, or a name with named literal parameters: huber(delta=0.5)"
            ) from error

    @classmethod
    def of(cls, what: str | Spec | Mapping[str, Any]) -> Spec:
        """A Spec from a Spec, a text, or the mapping `as_dict` gives."""
        if isinstance(what, Spec):
            return what
        if isinstance(what, Mapping):
            return cls(what["name"], **dict(what.get("params", {})))
        return cls.parse(what)

    def as_dict(self) -> dict[str, Any]:
        """A mapping of plain values, for JSON."""
        return {"name": self.name, "params": self.params}

    def with_defaults(self, **params: Any) -> Spec:
        """The same part with parameters filled in where it has none of its own."""
        return Spec(self.name, **{**params, **self.params})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and (self.name, self.params) == (other.name, other.params)

    def __hash__(self) -> int:
        return hash((self.name, repr(sorted(self.params.items()))))

    def __str__(self) -> str:
        inner = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"{self.name}({inner})" if inner else self.name

    def __repr__(self) -> str:
        return f"Spec({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self.params.items())])})"


def make(axis: str, what: Any, **context: Any) -> Any:
    """Build a part from a name, a `Spec`, or give an instance back as it is.

    ``context`` holds what the composition knows (``shape``, ``features`` …); a part receives of it
    what its constructor names. Raises `UsageError` for unknown names and parameters.
    """
    if not isinstance(what, str | Spec | Mapping):
        return what
    spec = Spec.of(what)
    part = lookup(axis, spec.name)
    signature = inspect.signature(part)
    for key in spec.params:
        if key not in signature.parameters:
            allowed = [name for name in signature.parameters if name not in context]
            hint = did_you_mean(key, allowed)
            raise UsageError(
                f"{axis} {spec.name!r} has no parameter {key!r}{hint} It takes: {', '.join(allowed) or 'none'}."
            )
    given = {key: value for key, value in context.items() if key in signature.parameters}
    return part(**{**given, **spec.params})
