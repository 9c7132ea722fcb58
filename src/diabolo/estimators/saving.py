"""Models on disk: ``config.json`` and ``model.safetensors``. Loading runs no code from the files.

The configuration holds the class by its registered name, parameters, shapes, the processor's state, the history and
a checksum of itself and of the weights; no time stamp and no path, so equal models are equal files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from sklearn.base import BaseEstimator
from torch import nn

from ..core import Batch, Spec, lookup
from ..core.errors import ModelError
from ..core.files import write_atomic
from ..networks.custom import Custom
from ..train import Device, Trainer
from ..train.device import SMALL
from . import after
from .labels import Labels
from .recipe import Choice, Recipe

if TYPE_CHECKING:
    from .base import BaseAutoencoder

FORMAT = 1
CONFIG, WEIGHTS = "config.json", "model.safetensors"
MAX_CONFIG_BYTES = 64 * 2**20


def save(model: BaseAutoencoder, path: Path, *, force: bool) -> None:
    """Write a fitted model into a folder. Raises `ModelError` if the folder holds something already."""
    write(path, tensors_of(model), config_of(model), force=force)


def write(path: Path, tensors: dict[str, torch.Tensor], config: dict[str, Any], *, force: bool) -> None:
    """Write tensors and configuration into a folder. Raises `ModelError` if it holds something already."""
    if path.exists() and not force and (path.is_file() or any(path.iterdir())):
        raise ModelError(
            f"{path.name!r} exists already and is not overwritten; choose another name or allow it with force."
        )
    if path.is_file() and force:
        path.unlink()
    path.mkdir(parents=True, exist_ok=True)
    write_atomic(path / WEIGHTS, lambda file: save_file(tensors, file.name, {"format": "pt"}))
    held = {"diabolo": FORMAT, **config, "weights_sha256": _sha256(path / WEIGHTS)}
    text = json.dumps({**held, "config_sha256": _digest(held)}, indent=1, ensure_ascii=False)
    write_atomic(path / CONFIG, lambda file: file.write(text.encode()))


def load(path: str | Path, *, encoder: nn.Module | None = None, decoder: nn.Module | None = None) -> Any:
    """A saved model, ready to use.

    ``encoder`` and ``decoder``: your own modules again, for a model that was made of them (only their weights
    are saved). Raises `ModelError` for a folder that is no model, damaged, altered, or of a newer version.
    """
    folder = Path(path)
    config = _read_config(folder)

    def make() -> Any:
        with safe_open(_checked(folder, config), "pt") as held:
            tensors = Tensors(held, folder.name)
            if "task" in config:
                return lookup("task", config["task"]).restored(config, tensors)
            return rebuild(config, tensors, encoder, decoder)

    return _known(make, folder)


class Tensors:
    """Tensors of an open file whose names begin with a prefix; ``where`` names the file in errors."""

    def __init__(self, held: Any, where: str, prefix: str = "") -> None:
        self.held, self.where, self.prefix = held, where, prefix

    def under(self, prefix: str) -> Tensors:
        """Those under a longer prefix."""
        return Tensors(self.held, self.where, self.prefix + prefix)

    def names(self) -> list[str]:
        """Without the prefix."""
        skip = len(self.prefix)
        return [name[skip:] for name in self.held.keys() if name.startswith(self.prefix)]  # noqa: SIM118

    def get(self, name: str) -> torch.Tensor:
        """The tensor."""
        tensor: torch.Tensor = self.held.get_tensor(self.prefix + name)
        return tensor

    def shape(self, name: str) -> list[int]:
        """Its shape; nothing is read."""
        shape: list[int] = self.held.get_slice(self.prefix + name).get_shape()
        return shape


def rebuild(
    config: dict[str, Any], tensors: Tensors, encoder: nn.Module | None = None, decoder: nn.Module | None = None
) -> Any:
    """A model from its configuration and its tensors."""
    given, decided = (
        {name: restored(value, encoder, decoder) for name, value in config[part].items()}
        for part in ("params", "resolved")
    )
    model = lookup("model", config["class"])(**given)
    if "labels" in config:
        model.labels_ = Labels.from_state(config["labels"])
    if "prior" in config:
        model.prior_ = restored(config["prior"], encoder, decoder)
    resolved = model._copy({**given, **decided})
    processor = config["processor"]
    model.processor_ = lookup("processor", processor["name"]).from_state(processor["state"])
    model.n_components_, model.code_shape_ = config["n_components"], tuple(config["code_shape"])
    _load_weights(model, resolved, tensors, config["scale"])
    model._largest, model._resolved = largest(model.module_), decided
    model.choices_ = [Choice(**choice) for choice in config["choices"]]
    model.history_, model.metrics_ = config["history"], config["metrics"]
    model.n_features_in_ = config["n_features_in"]
    if config["feature_names"] is not None:
        model.feature_names_in_ = np.asarray(config["feature_names"], dtype=object)
    return model


def largest(module: nn.Module) -> int:
    """Entries of the largest weight; a kernel counts as too large for one thread."""
    return max((p.numel() if p.ndim == 2 else int(SMALL) for p in module.parameters() if p.ndim >= 2), default=1)


def describe(model: BaseAutoencoder) -> dict[str, Any]:
    """What `diabolo info` prints: class, parameters, choices, layers with their shapes, sizes."""
    weights = list(model.module_.parameters())
    return {
        "name": type(model).part_name,  # type: ignore[attr-defined]
        "modality": model.processor_.part_name,  # type: ignore[attr-defined]
        "shape": list(model.processor_.shape),
        "n_components": model.n_components_,
        "code_shape": list(model.code_shape_),
        "parameters": {name: str(value) for name, value in {**model.get_params(deep=False), **model._resolved}.items()},
        "choices": [choice.as_dict() for choice in model.choices_],
        "layers": _layers(model),
        "parameter_count": sum(p.numel() for p in weights),
        "epochs_run": len(model.history_),
        "rows": model.metrics_.get("rows"),
        "metrics": model.metrics_,
    }


def _layers(model: BaseAutoencoder) -> list[dict[str, Any]]:
    """Every leaf layer with the shape of what it puts out for one row."""
    rows: list[dict[str, Any]] = []
    handles = []

    def note(name: str) -> Any:
        def hook(layer: nn.Module, given: Any, out: Any) -> None:
            if isinstance(out, torch.Tensor):
                count = sum(p.numel() for p in layer.parameters())
                rows.append({"name": name, "layer": str(layer), "output": list(out.shape[1:]), "parameters": count})

        return hook

    for name, layer in model.module_.named_modules():
        if not any(True for _ in layer.children()) and name:
            handles.append(layer.register_forward_hook(note(name)))
    try:
        with torch.no_grad():
            cond = model._no_cond(2)
            code = model.module_.code(torch.zeros(2, *model.processor_.shape), cond=cond)
            model.module_.decode(code, None if cond is None else Batch(code, code, cond=cond))
    finally:
        for handle in handles:
            handle.remove()
    return rows


def tensors_of(model: BaseAutoencoder) -> dict[str, torch.Tensor]:
    """What a model has learnt, by name."""
    parts = {"module": model.module_, "objective": model.objective_}
    return {
        f"{part}.{name}": tensor.detach().cpu().clone().contiguous()
        for part, module in parts.items()
        for name, tensor in module.state_dict().items()
    }


def config_of(model: BaseAutoencoder) -> dict[str, Any]:
    """All else that makes a model what it is, as plain values."""
    names = vars(model).get("feature_names_in_")
    history = [{key: value for key, value in record.items() if key != "seconds"} for record in model.history_]
    return {
        "class": type(model).part_name,  # type: ignore[attr-defined]
        "params": {name: plain(name, value) for name, value in model.get_params(deep=False).items()},
        "resolved": {name: plain(name, value) for name, value in model._resolved.items()},
        "choices": [choice.as_dict() for choice in model.choices_],
        "processor": {"name": model.processor_.part_name, "state": model.processor_.state()},  # type: ignore[attr-defined]
        "history": history,
        "metrics": model.metrics_,
        "n_components": model.n_components_,
        "code_shape": list(model.code_shape_),
        "scale": {"scale": model.module_.scale, "output": model.module_.scales_output},
        "n_features_in": vars(model).get("n_features_in_"),
        "feature_names": None if names is None else [str(name) for name in names],
        **({"prior": plain("prior", model.prior_)} if "prior_" in vars(model) else {}),
        **({"labels": model.labels_.state()} if "labels_" in vars(model) else {}),
    }


def plain(name: str, value: Any) -> Any:
    """A parameter as JSON; parts must have been given by name or Spec."""
    if isinstance(value, Spec):
        return {"spec": {"name": value.name, "params": {key: plain(key, item) for key, item in value.params.items()}}}
    if isinstance(value, Trainer):
        knobs = value.get_params(deep=False)
        return {"trainer": {key: plain(key, item) for key, item in knobs.items() if key != "callbacks"}}
    if isinstance(value, BaseEstimator):  # a model within a model
        inner = {key: plain(key, item) for key, item in value.get_params(deep=False).items()}
        return {"model": {"name": type(value).part_name, "params": inner}}  # type: ignore[attr-defined]
    if isinstance(value, Device):
        return {"device": vars(value)}
    if isinstance(value, Custom) or (isinstance(value, tuple) and value and isinstance(value[0], nn.Module)):
        return {"custom": True}
    if isinstance(value, tuple | list):
        return {"tuple" if isinstance(value, tuple) else "list": [plain(name, item) for item in value]}
    if isinstance(value, np.generic):
        return value.item()
    if name == "random_state" and not isinstance(value, int):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ModelError(
        f"cannot save {name}={type(value).__name__}(…): a saved model holds no code. Give the part by name, "
        f"for example Spec('{name}', …) or a text, so that it can be found again when the model is loaded."
    )


def restored(value: Any, encoder: nn.Module | None = None, decoder: nn.Module | None = None) -> Any:
    """Inverse of `plain`."""
    if not isinstance(value, Mapping):
        return value
    kind, held = next(iter(value.items()))
    if kind == "spec":
        return Spec(held["name"], **{key: restored(item, encoder, decoder) for key, item in held["params"].items()})
    if kind == "trainer":
        return Trainer(**{key: restored(item, encoder, decoder) for key, item in held.items()})
    if kind == "model":
        inner = {key: restored(item, encoder, decoder) for key, item in held["params"].items()}
        return lookup("model", held["name"])(**inner)
    if kind == "device":
        return Device(**held)
    if kind == "custom":
        if encoder is None or decoder is None:
            raise ModelError("this model was made of your own modules: load(path, encoder=…, decoder=…).")
        return Custom(encoder, decoder)
    items = [restored(item, encoder, decoder) for item in held]
    return tuple(items) if kind == "tuple" else items


def _read_config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    if not file.is_file():
        partial = any(folder.glob("*.safetensors")) if folder.is_dir() else False
        hint = (
            "it holds an unfinished training; finish it with --resume"
            if partial
            else "a model is a folder with config.json"
        )
        raise ModelError(f"{folder.name!r} is not a model: {hint}.")
    if file.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelError(
            f"{folder.name}/{CONFIG} is larger than {MAX_CONFIG_BYTES} bytes; this is no configuration of ours."
        )
    try:
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        version = int(config["diabolo"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(f"{folder.name}/{CONFIG} is damaged or not ours ({error}).") from error
    if version > FORMAT:
        raise ModelError(
            f"{folder.name!r} has format {version}; this diabolo reads up to {FORMAT}. Upgrade: pip install -U diabolo."
        )
    if config.pop("config_sha256", None) != _digest(config):
        raise ModelError(f"{folder.name}/{CONFIG} was altered or truncated: its checksum does not match.")
    return config


def _checked(folder: Path, config: dict[str, Any]) -> Path:
    """The file of weights. Raises `ModelError` if it is missing or not the one that was written."""
    file = folder / WEIGHTS
    if not file.is_file():
        raise ModelError(f"{folder.name!r} lacks {WEIGHTS}; copy the whole folder.")
    if _sha256(file) != config["weights_sha256"]:
        raise ModelError(f"{folder.name}/{WEIGHTS} was altered or truncated: its checksum does not match.")
    return file


def _load_weights(model: BaseAutoencoder, resolved: Any, tensors: Tensors, scale: dict[str, Any]) -> None:
    """Build on the meta device (no memory yet), compare shapes, then build and take the tensors."""
    shapes = (model.processor_.shape, model.processor_.target_shape)
    custom = any(isinstance(value, Custom) for value in resolved.get_params().values())
    with torch.random.fork_rng(devices=[]):
        if not custom:
            with torch.device("meta"):
                _parts_that_fit(after.place(resolved.build(*shapes), model), tensors, scale)
        # only now, with its size known to be that of the file, in memory: what the file does not hold is set up too
        recipe = after.place(resolved.build(*shapes), model)
        for prefix, part in _parts_that_fit(recipe, tensors, scale).items():
            own = tensors.under(prefix)
            part.load_state_dict({name: own.get(name) for name in own.names()}, assign=True)
    model.module_, model.objective_ = recipe.module.eval(), recipe.objective.eval()


def _parts_that_fit(recipe: Recipe, tensors: Tensors, scale: dict[str, Any]) -> dict[str, nn.Module]:
    """Module and objective by their prefix. Raises `ModelError` naming the first tensor the file has otherwise."""
    parts: dict[str, nn.Module] = {"module.": recipe.module, "objective.": recipe.objective}
    stored = set(tensors.names())
    if "module.shift" in stored:
        recipe.module.standardise(tensors.get("module.shift"), **scale)
    expected = {prefix + name: tensor for prefix, part in parts.items() for name, tensor in part.state_dict().items()}
    wrong = stored ^ set(expected) or {name for name in stored if tensors.shape(name) != list(expected[name].shape)}
    if wrong:
        name = min(wrong).partition(".")[2]
        raise ModelError(f"{tensors.where!r}: weights and configuration do not fit at {name!r}.")
    return parts


def _known(make: Any, folder: Path) -> Any:
    """Errors of a configuration that names what this version does not know are errors of the model."""
    try:
        return make()
    except ModelError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder.name!r} cannot be rebuilt: {error}") from error


def _digest(config: Mapping[str, Any]) -> str:
    text = json.dumps(config, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
