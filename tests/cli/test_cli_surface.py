"""The public surface, name by name: it changes on purpose, here and in the changelog. And it starts fast."""

from __future__ import annotations

import inspect
import subprocess
import sys
import time
from typing import Any

import pytest
import typer

import diabolo
from diabolo.cli.main import app

DATA = (
    "--as --target --key --exclude --array --include --no-header --strict --size --column --time --processor --memory"
)
COMMANDS = {
    "fit": "DATA --out -o --task --model --latent --hidden --network --loss --corruption --penalty --beta --set --init "
    "--freeze --epochs --batch-size --lr --optimizer --schedule --clip --patience --seed --device --precision "
    f"--holdout --config --resume --dry-run --max-time --log-dir {DATA} --force",
    "encode": f"MODEL DATA --out -o {DATA} --force",
    "decode": "MODEL CODES --out -o --force",
    "reconstruct": f"MODEL DATA --out -o {DATA} --force",
    "score": f"MODEL DATA --out -o {DATA} --force",
    "predict": f"MODEL DATA --out -o {DATA} --force",
    "impute": f"MODEL DATA --out -o --draws --seed {DATA} --force",
    "denoise": f"MODEL DATA --out -o {DATA} --force",
    "inpaint": f"MODEL DATA --out -o --mask --missing-value {DATA} --force",
    "segment": f"MODEL DATA --out -o {DATA} --force",
    "detect": f"MODEL DATA --out -o --alpha --contamination --steps --clips --maps --against {DATA} --json --force",
    "cluster": f"MODEL DATA --out -o {DATA} --force",
    "sample": "MODEL N --out -o --class --where --quality --seed --force",
    "interpolate": f"MODEL A [B] --out -o --data --steps --shape --plus --minus {DATA} --force",
    "augment": f"MODEL DATA --out -o --strategy --how --seed {DATA} --force",
    "select": f"MODEL DATA --out -o {DATA} --force",
    "index": f"MODEL DATA --out -o --kind --metric --bits --recall --append --seed {DATA} --force",
    "search": f"INDEX [QUERY] --k --row --like --out -o {DATA} --force",
    "topics": f"MODEL [DATA] --out -o --top {DATA} --force",
    "recommend": f"MODEL [DATA] --out -o --k --similar --items --seen {DATA} --force",
    "info": "MODEL --json",
    "report": f"MODEL DATA --out -o {DATA} --force",
    "doctor": f"MODEL DATA {DATA} --json",
    "parts": "[AXIS] --json",
    "demo": "--out -o --seed",
}
PUBLIC = [
    *("__version__", "Autoencoder", "SparseAutoencoder", "KSparseAutoencoder", "TopKAutoencoder"),
    *("DenoisingAutoencoder", "ContractiveAutoencoder", "StackedAutoencoder", "ScoreMatchingAutoencoder"),
    *("MaskedAutoencoder", "SequenceAutoencoder", "VAE", "BetaVAE", "BetaTCVAE", "FactorVAE", "IWAE", "InfoVAE"),
    *("WAE", "RAE", "VampVAE", "FlowVAE", "HierarchicalVAE", "ConditionalVAE", "SemiSupervisedVAE", "CountVAE"),
    "TopicModel",
    *("VQVAE", "ResidualVQVAE", "FSQAutoencoder", "CategoricalVAE", "AdversarialAutoencoder", "VAEGAN", "AEGAN"),
    *("AutoencoderClassifier", "AutoencoderRegressor", "PretrainedEncoder", "AutoencoderDetector"),
    *("AutoencoderSampler", "verdict", "AutoencoderSelector", "AutoencoderClusterer", "AutoencoderGenerator"),
    *("AutoencoderImputer", "Denoiser", "Inpainter", "Segmenter", "SoundSegmenter", "SearchIndex"),
    *("interpolate", "sample_quality", "TopicFinder", "Recommender"),
    *("load", "Trainer", "Device", "Progress", "TimeLimit", "TensorBoard", "Checkpoint", "Spec", "data"),
]
PARAMETERS = {
    "AEGAN": "n_components form network hidden loss noise critic margin trainer random_state",
    "AdversarialAutoencoder": "n_components network hidden prior loss weight critic trainer random_state",
    "Autoencoder": "n_components network hidden bottleneck prior loss penalties corruption trainer random_state",
    "AutoencoderClassifier": "autoencoder hidden freeze pretrain trainer random_state",
    "AutoencoderDetector": "autoencoder contamination alpha trim neighbors folds level trainer random_state",
    "AutoencoderClusterer": "autoencoder n_clusters how epochs weight tol trainer random_state",
    "AutoencoderGenerator": "autoencoder density neighbours distance trainer random_state",
    "AutoencoderRegressor": "autoencoder hidden freeze pretrain trainer random_state",
    "AutoencoderSelector": "autoencoder n_features how trainer random_state",
    "PretrainedEncoder": "model fine_tune trainer random_state",
    "AutoencoderSampler": "autoencoder how sampling_strategy k_neighbors trainer random_state",
    "AutoencoderImputer": "autoencoder members hide prior trainer random_state",
    "SearchIndex": "autoencoder kind metric bits recall trainer random_state",
    "Denoiser": "autoencoder clean noise damage tile trainer random_state",
    "Inpainter": "autoencoder mask share size tile missing_value trainer random_state",
    "Segmenter": "autoencoder pretrain ignore tile trainer random_state",
    "SoundSegmenter": "autoencoder splices pieces least trainer random_state",
    "Recommender": "autoencoder kind penalty dropout trainer random_state",
    "BetaTCVAE": "n_components beta network hidden loss trainer random_state",
    "BetaVAE": "n_components beta warm_up capacity network hidden loss trainer random_state",
    "CategoricalVAE": "n_components network hidden classes straight_through loss beta trainer random_state",
    "ConditionalVAE": "n_components network hidden prior loss beta trainer random_state",
    "ContractiveAutoencoder": "n_components contraction way draws activation network hidden loss trainer random_state",
    "CountVAE": "n_components network hidden prior dispersion zero_inflated beta trainer random_state",
    "DenoisingAutoencoder": "n_components corruption network hidden loss trainer random_state",
    "FSQAutoencoder": "n_components network hidden levels loss corruption trainer random_state",
    "FactorVAE": "n_components gamma network hidden loss trainer random_state",
    "FlowVAE": "n_components flow steps prior network hidden loss trainer random_state",
    "HierarchicalVAE": "n_components levels beta free_bits network hidden loss trainer random_state",
    "IWAE": "n_components samples network hidden prior loss trainer random_state",
    "InfoVAE": "n_components alpha lam network hidden prior loss trainer random_state",
    "KSparseAutoencoder": "n_components k start alpha loss trainer random_state",
    "MaskedAutoencoder": "n_components patch share width depth pool loss trainer random_state",
    "RAE": "n_components beta lam regulariser prior network hidden loss trainer random_state",
    "ResidualVQVAE": "n_components network hidden codes levels commitment loss trainer random_state",
    "ScoreMatchingAutoencoder": "n_components principle std network hidden trainer random_state",
    "SemiSupervisedVAE": "n_components network hidden loss alpha stacked trainer random_state",
    "SequenceAutoencoder": "n_components network loss penalties corruption trainer random_state",
    "SparseAutoencoder": "n_components kind sparsity k rho network loss trainer random_state",
    "StackedAutoencoder": "n_components network hidden loss corruption "
    "penalties pretrain_epochs fine_tune trainer random_state",
    "TopKAutoencoder": "n_components k hidden patience dead_weight loss trainer random_state",
    "TopicFinder": "autoencoder top trainer random_state",
    "TopicModel": "n_components alpha hidden dropout beta trainer random_state",
    "VAE": "n_components network hidden prior loss beta trainer random_state",
    "VAEGAN": "n_components network hidden loss beta weight pixel critic trainer random_state",
    "VQVAE": "n_components network hidden codes groups commitment loss trainer random_state",
    "VampVAE": "n_components components beta network hidden loss trainer random_state",
    "WAE": "n_components lam network hidden prior loss trainer random_state",
    "Trainer": "epochs batch_size lr optimizer schedule clip validation patience device callbacks",
}
METHODS = [
    *(
        "describe",
        "fit",
        "fit_prior",
        "fit_transform",
        "get_feature_names_out",
        "inverse_transform",
        "partial_fit",
        "plan",
    ),
    *("reconstruct", "sample", "save", "score", "score_samples", "start_from", "transform"),
]


def _names(parameter: Any) -> list[str]:
    return list(parameter.opts) if parameter.param_type_name == "option" else [parameter.metavar]


def test_commands_and_their_options() -> None:
    group: Any = typer.main.get_command(app)
    found = {
        name: {word for parameter in command.params for word in _names(parameter)} - {"--help"}
        for name, command in group.commands.items()
    }
    assert found == {name: set(words.split()) for name, words in COMMANDS.items()}


def test_public_names() -> None:
    assert diabolo.__all__ == PUBLIC
    assert all(getattr(diabolo, name) is not None for name in PUBLIC)


@pytest.mark.parametrize("name", PARAMETERS)
def test_constructor_parameters(name: str) -> None:
    assert list(inspect.signature(getattr(diabolo, name)).parameters) == PARAMETERS[name].split()


def test_methods_of_an_estimator() -> None:
    sklearn = {"get_metadata_routing", "get_params", "set_params", "set_output", "build"}
    found = {name for name in dir(diabolo.Autoencoder) if not name.startswith("_")}
    routing = {name for name in found if name.startswith("set_") and name.endswith("_request")}
    assert sorted(found - sklearn - routing - {"part_name"}) == METHODS


@pytest.mark.parametrize("words", [["--help"], ["fit", "--help"], ["--version"]])
def test_help_is_there_at_once_and_imports_no_torch(words: list[str]) -> None:
    """0.4 s on a free machine; three times as much here, for one that is busy."""
    command = [sys.executable, "-X", "importtime", "-m", "diabolo", *words]
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        best = min(best, time.perf_counter() - began)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"torch", "numpy", "pandas", "sklearn"}
    assert best <= 1.2, f"{best:.2f} s"


def test_importing_diabolo_imports_no_torch() -> None:
    text = "import sys, diabolo; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", text]).returncode == 0


def test_an_unforeseen_error_is_one_message_too(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any, **named: Any) -> None:
        raise RuntimeError("the moon is full")

    monkeypatch.setattr("diabolo.estimators.saving.load", fail)
    result = run("info", "model")
    assert result.exit_code == 1 and "the moon is full (RuntimeError; this was not foreseen" in result.stderr
    monkeypatch.setattr("diabolo.estimators.saving.load", _no_memory)
    assert "not enough memory" in run("info", "model").stderr


def _no_memory(*given: Any, **named: Any) -> None:
    raise MemoryError
