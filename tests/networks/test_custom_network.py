"""Your own modules as encoder and decoder: torch's, and Keras layers on its torch backend."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diabolo import VAE, Autoencoder, Trainer, load
from diabolo.core.errors import ModelError, UsageError
from diabolo.networks.custom import Custom

QUICK = Trainer(epochs=2, batch_size=16)


def modules(features: int = 3, code: int = 3) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, features)), nn.Linear(code, 6)


def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(64, 6)).astype("float32")


def test_any_two_modules_make_an_autoencoder_that_learns() -> None:
    X = rows() @ np.diag([3, 2, 1, 0.1, 0.1, 0.1]).astype("float32")
    model = Autoencoder(
        3, network=modules(), trainer=Trainer(epochs=200, batch_size=16, optimizer="adam", lr=1e-2), random_state=0
    ).fit(X)
    assert model.transform(X).shape == (64, 3)
    error = np.square(model.reconstruct(X) - X).sum(1).mean()
    assert error < 0.1 * np.square(X - X.mean(0)).sum(1).mean()


def test_the_modules_given_are_never_changed() -> None:
    encoder, decoder = modules()
    before = copy.deepcopy([*encoder.state_dict().values(), *decoder.state_dict().values()])
    Autoencoder(3, network=(encoder, decoder), trainer=QUICK, random_state=0).fit(rows())
    after = [*encoder.state_dict().values(), *decoder.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.grad is None and p.requires_grad for p in [*encoder.parameters(), *decoder.parameters()])


def test_saved_weights_meet_your_modules_again(tmp_path: Path) -> None:
    X = rows()
    model = Autoencoder(3, network=modules(), trainer=QUICK, random_state=0).fit(X)
    model.save(tmp_path / "m")
    with pytest.raises(ModelError, match=r"made of your own modules: load\(path, encoder=…, decoder=…\)"):
        load(tmp_path / "m")
    other = [nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)), nn.Linear(3, 6)]
    again = load(tmp_path / "m", encoder=other[0], decoder=other[1])
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    with pytest.raises(ModelError, match=r"weights and configuration do not fit|cannot be rebuilt"):
        load(tmp_path / "m", encoder=nn.Linear(6, 3), decoder=other[1])


def test_a_gaussian_bottleneck_takes_twice_the_code() -> None:
    model = VAE(3, network=modules(features=6), trainer=QUICK, random_state=0).fit(rows())
    assert model.transform(rows()).shape == (64, 3) and model.sample(2).shape == (2, 6)
    with pytest.raises(UsageError, match=r"the encoder gives 3 features, the bottleneck takes 6; .*half the features"):
        VAE(3, network=modules(features=3), trainer=QUICK).fit(rows())


def test_rows_of_any_shape_go_through() -> None:
    pair = (nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), nn.Sequential(nn.Linear(2, 12), nn.Unflatten(1, (4, 3))))
    X = np.random.default_rng(0).normal(size=(32, 4, 3)).astype("float32")
    model = Autoencoder(2, network=pair, trainer=QUICK, random_state=0).fit(X)
    assert model.reconstruct(X).shape == X.shape


class Tuple(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((nn.Linear(5, 3), nn.Linear(3, 6)), r"the encoder given fails on rows of shape \(6,\)"),
        ((nn.Linear(6, 2), nn.Linear(3, 6)), r"the encoder gives 2 features, the bottleneck takes 3"),
        ((nn.Linear(6, 3), nn.Linear(2, 6)), r"the decoder given fails on rows of shape \(3,\)"),
        ((nn.Linear(6, 3), nn.Linear(3, 5)), r"the decoder gives rows of shape \(5,\); the loss needs \(6,\)"),
        ((Tuple(), nn.Linear(3, 6)), r"the encoder given must return one tensor"),
        ((nn.Linear(6, 3), torch.relu), r"needs a torch.nn.Module as decoder; got builtin_function"),
        ((nn.Linear(6, 3), None), r"needs a torch.nn.Module as decoder; got NoneType"),
    ],
)
def test_modules_that_do_not_fit_are_named(pair: tuple[nn.Module, nn.Module], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Autoencoder(3, network=pair, trainer=QUICK).fit(rows())


def test_a_pair_of_the_wrong_length_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"pair"):
        Autoencoder(3, network=(nn.Linear(6, 3),), trainer=QUICK).fit(rows())


def test_features_are_those_the_encoder_gives() -> None:
    assert Custom(*modules(features=5)).features((6,)) == 5


KERAS = """
import os, sys, warnings
os.environ["KERAS_BACKEND"] = "torch"
import numpy as np, keras, torch
from diabolo import Autoencoder, Trainer, load
folder = sys.argv[1]
def pair():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(6)])
    return encoder, decoder
X = np.random.default_rng(0).normal(size=(64, 6)).astype("float32") * np.array([3, 2, 1, .1, .1, .1], "float32")
given = pair()
before = [w.copy() for m in given for w in m.get_weights()]
trainer = Trainer(epochs=200, batch_size=16, optimizer="adam", lr=1e-2)
model = Autoencoder(3, network=given, trainer=trainer, random_state=0).fit(X)
assert all(np.array_equal(a, b) for a, b in zip(before, [w for m in given for w in m.get_weights()]))
error = np.square(model.reconstruct(X) - X).sum(1).mean()
assert error < .1 * np.square(X - X.mean(0)).sum(1).mean(), error
model.save(folder)
for _ in range(9):  # Keras numbers its layers: dense_9 and dense_10 sort the other way round
    encoder, decoder = pair()
again = load(folder, encoder=encoder, decoder=decoder)
assert np.array_equal(again.transform(X), model.transform(X))
assert np.array_equal(again.reconstruct(X), model.reconstruct(X))
held = sum(w.size for m in given for w in m.get_weights())
assert os.path.getsize(os.path.join(folder, "model.safetensors")) < 4 * held + 1500
print("same codes")
"""


def test_keras_layers_on_the_torch_backend(tmp_path: Path) -> None:
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", KERAS, str(tmp_path / "model")], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0 and "same codes" in run.stdout, run.stderr[-3000:]
