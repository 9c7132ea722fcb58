"""An estimator from the options of `diabolo fit`; what is wrong with them is found before any data are read."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from ..core import Spec, lookup, names
from ..core.errors import UsageError, did_you_mean, out_of_range, unknown
from ..estimators.saving import load
from ..train import Device, Trainer
from ..train.callbacks import parse_duration

HEADS = {"classify": "classifier", "regress": "regressor"}
"""Tasks whose model is an autoencoder with a head; all others are of the axis "task"."""
USUAL = "autoencoder"
ELSEWHERE = {
    "trainer": "the trainer's own options, or trainer__NAME",
    "random_state": "--seed",
    "autoencoder": "--model, with --task",
}
"""Parameters that --set leaves to others."""


def make_estimator(options: dict[str, Any]) -> Any:
    """The named model with what was asked of it; with --task what is made of it. Raises `UsageError`."""
    _check(options)
    trainer, seed = _trainer(options), options["seed"]
    given = _assigned(options["set_"] or (), trainer)
    cls = _on_top(options)
    if cls is None:
        plain = lookup("model", USUAL if options["model"] == "auto" else options["model"])
        made = plain(**_parameters(options, plain, given), random_state=seed, trainer=trainer)
        if options["init"] is not None:
            made.start_from(load(options["init"]), freeze=options["freeze"])
        return made
    of_the_task = {name: given.pop(name) for name in list(given) if name in _names(cls)}
    base = _inner(options, given, cls)
    if cls.part_name in HEADS.values():
        if options["freeze"] not in (None, "encoder"):
            raise out_of_range("--freeze", "'encoder' with --task: only the head learns", options["freeze"])
        if options["freeze"] is not None:
            of_the_task["freeze"] = True
    return cls(base, **of_the_task, random_state=seed, trainer=trainer)


def for_rows(estimator: Any, options: dict[str, Any], source: Any) -> Any:
    """The estimator, or the one of the same task for recordings: ``segment`` has one of its own for them."""
    kin = f"{options['task']}-sounds"
    if source.modality != "audio" or kin not in names("task"):
        return estimator
    return make_estimator({**options, "task": kin})


def _inner(options: dict[str, Any], given: dict[str, Any], task: Any) -> Any:
    """The autoencoder that a task's model is made of; None: the one that suits the task."""
    model, head = options["model"], options["task"] in HEADS or options["model"] in HEADS.values()
    if options["init"] is not None:
        if not head:
            raise UsageError(f"--init does not apply to --task {options['task']}; leave it out.")
        return load(options["init"])
    usual = getattr(task, "_usual", USUAL)
    inner = lookup("model", usual if model == "auto" or model in HEADS.values() else model)
    if inner._label_role is not None and (head or inner._label_role == "label"):
        raise UsageError(
            f"model {inner.part_name!r} learns from labels itself; drop --task, or choose another --model."
        )
    parameters = _parameters(options, inner, given, task)
    if not head and model == "auto" and not parameters:
        return None
    made = inner(**parameters)
    made.random_state = options["seed"]
    return made


def _on_top(options: dict[str, Any]) -> Any:
    """The class that makes more of an autoencoder: named by --task or --model. None: there is none."""
    task, model = options["task"], options["model"]
    if task is None:
        return lookup("model", model) if model in HEADS.values() else None
    if task not in HEADS and task not in names("task"):
        raise unknown("task", task, [*HEADS, *names("task")])
    if model in HEADS.values() and model != HEADS.get(task):
        raise UsageError(f"--task {task} and --model {model} contradict each other; keep one of them.")
    return lookup("model", HEADS[task]) if task in HEADS else lookup("task", task)


def _names(cls: Any) -> list[str]:
    """The parameters of a model that --set can give."""
    return [name for name in inspect.signature(cls).parameters if name not in ELSEWHERE]


def _parameters(options: dict[str, Any], cls: Any, given: dict[str, Any], task: Any = None) -> dict[str, Any]:
    """Constructor parameters from the options, and from --set.

    Raises `UsageError` for those that neither the model nor ``task``, which is made of it, has.
    """
    wanted = {
        "n_components": ("latent", number(options["latent"], "latent", int)),
        "network": ("network", options["network"]),
        "hidden": ("hidden", _widths(options["hidden"])),
        "loss": ("loss", options["loss"]),
        "corruption": ("corruption", options["corruption"]),
        "penalties": ("penalty", tuple(options["penalty"] or ())),
        "beta": ("beta", options["beta"]),
    }
    allowed, model = _names(cls), cls.part_name
    asked = {name: pair for name, pair in wanted.items() if pair[1] not in (None, (), "auto")}
    for name, (option, _) in asked.items():
        if name not in allowed:
            raise UsageError(f"--{option} does not apply to model {model!r}; it takes: {', '.join(allowed)}.")
        if name in given:
            raise UsageError(f"--{option} and --set {name}=… give the same parameter; keep one of them.")
    for name in given:
        if name in ELSEWHERE:
            raise UsageError(f"--set does not give {name!r}; use {ELSEWHERE[name]}.")
        if name not in allowed:
            own = _names(task) if task is not None else []
            hint = did_you_mean(name, [*allowed, *own])
            more = f" {task.part_name!r} takes: {', '.join(own)}." if own else ""
            raise UsageError(f"model {model!r} has no parameter {name!r}{hint} It takes: {', '.join(allowed)}.{more}")
    return {**{name: value for name, (_, value) in asked.items()}, **given}


def _assigned(texts: Any, trainer: Trainer) -> dict[str, Any]:
    """--set NAME=VALUE as a mapping; trainer__NAME goes to the trainer at once. Raises `UsageError`."""
    found: dict[str, Any] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name.isidentifier():
            raise out_of_range("--set", "NAME=VALUE, such as k=20 or 'levels=(8, 8)'", text)
        if name in found:
            raise UsageError(f"--set gives {name!r} twice; keep one of them.")
        found[name] = _value(value)
    knobs = {name: found.pop(name) for name in list(found) if name.startswith("trainer__")}
    known = [f"trainer__{name}" for name in trainer.get_params(deep=False) if name not in ("device", "callbacks")]
    for name, value in knobs.items():
        if name not in known:
            hint = did_you_mean(name, known)
            raise UsageError(f"the trainer has no parameter {name!r}{hint} It takes: {', '.join(known)}.")
        trainer.set_params(**{name.removeprefix("trainer__"): value})
    trainer.check()
    return found


def _value(text: str) -> Any:
    """A Python literal, or the text itself: a part by name.

    >>> [_value(text) for text in ("20", "0.5", "(8, 8)", "True", "None", "linear(share=0.5)")]
    [20, 0.5, (8, 8), True, None, 'linear(share=0.5)']
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _check(options: dict[str, Any]) -> None:
    """Raise `UsageError` for names and ranges that need no data to be judged."""
    if not 0 <= options["holdout"] < 1:
        raise out_of_range("--holdout", "a share in [0, 1)", options["holdout"])
    if options["max_time"] is not None:
        parse_duration(options["max_time"])
    if options["freeze"] is not None and options["init"] is None:
        raise UsageError("--freeze keeps what a model has learnt; name that model with --init.")
    parts = [("network", options["network"]), ("loss", options["loss"]), ("corruption", options["corruption"])]
    for axis, text in [*parts, *(("penalty", text) for text in options["penalty"] or ())]:
        if text not in (None, "auto"):
            lookup(axis, Spec.parse(text).name)
    if Spec.parse(options["network"]).name == "custom":
        raise UsageError("network 'custom' is made of your own Python modules; use it from Python.")


def _trainer(options: dict[str, Any]) -> Trainer:
    batch, patience = options["batch_size"], options["patience"]
    trainer = Trainer(
        epochs=number(options["epochs"], "epochs", int),
        batch_size=batch if batch == "full" else number(batch, "batch-size", int),
        lr=number(options["lr"], "lr", float),
        optimizer=options["optimizer"],
        schedule=options["schedule"],
        clip=options["clip"],
        patience=None if patience == "none" else number(patience, "patience", int),
        device=Device(options["device"], precision=options["precision"]),
    )
    trainer.check()
    return trainer


def number(text: Any, name: str, kind: type) -> Any:
    """'auto', or the positive number in an option's text. Raises `UsageError` on anything else."""
    if text == "auto":
        return "auto"
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        allowed = "a whole number of at least 1" if kind is int else "a positive number"
        raise out_of_range(f"--{name}", f"{allowed} or 'auto'", text)
    return value


def _widths(text: str) -> Any:
    if text == "auto":
        return "auto"
    try:
        widths = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        widths = (0,)
    if any(width < 1 for width in widths):
        raise out_of_range("--hidden", "widths such as 128,64, or 'auto'", text)
    return widths
