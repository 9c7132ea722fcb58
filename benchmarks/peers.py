"""The same dense autoencoder, trained by everybody: 784-128-64-32-16 and back, squared error, Adam at 1e-3.

A contender is ``train(x, batch, epochs, seed) -> (times at the ends of the epochs, reconstruct)``; the first epoch is
warm-up (compilation, caches), the others give the rate. Each library is used as its documentation shows; work that
only it does, such as PyOD's scoring of all rows after training, stays out of the clock. Differences that its API
leaves: PyOD's output is linear and its code goes through ReLU.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from diabolo import Autoencoder, Device, Spec, Trainer

from .common import Marks, mse

SIZES = (784, 128, 64, 32, 16)
LR = 1e-3
Trained = tuple[list[float], Callable[[np.ndarray], np.ndarray]]
Train = Callable[[np.ndarray, int, int, int], Trained]


@dataclass(frozen=True)
class Result:
    """Rows a second after the first epoch, test MSE after all, seconds of one epoch."""

    rate: float
    error: float
    epoch: float


def measure(train: Train, x: np.ndarray, test: np.ndarray, batch: int, epochs: int, seed: int) -> Result:
    """One whole training of at least two epochs."""
    times, reconstruct = train(x, batch, epochs, seed)
    epoch = (times[-1] - times[0]) / (len(times) - 1)
    return Result(len(x) / epoch, mse(test, reconstruct(test)), epoch)


def stack(sizes: tuple[int, ...]) -> list[nn.Module]:
    """Linear layers with ReLU between them, none after the last."""
    layers: list[nn.Module] = []
    for wide, out in pairwise(sizes):
        layers += [nn.Linear(wide, out), nn.ReLU()]
    return layers[:-1]


def fit_plainly(
    net: nn.Module, x: torch.Tensor, batch: int, epochs: int, stop: Callable[[int], bool] = lambda epoch: False
) -> list[float]:
    """The loop of every tutorial: DataLoader, Adam, loss.item() each step."""
    loader = DataLoader(TensorDataset(x), batch_size=batch, shuffle=True)
    optimizer, criterion, times = torch.optim.Adam(net.parameters(), lr=LR), nn.MSELoss(), []
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for (rows,) in loader:
            optimizer.zero_grad()
            loss = criterion(net(rows), rows)
            loss.backward()
            optimizer.step()
            total += loss.item()
        times.append(time.perf_counter())
        if stop(epoch):
            break
    return times


def applied(net: nn.Module) -> Callable[[np.ndarray], np.ndarray]:
    """A torch module as a function of arrays."""

    def apply(x: np.ndarray) -> np.ndarray:
        net.eval()
        with torch.inference_mode():
            return torch.cat([net(rows) for rows in torch.from_numpy(x).split(4096)]).numpy()

    return apply


def plain(x: np.ndarray, batch: int, epochs: int, seed: int) -> Trained:
    """A plain PyTorch loop."""
    torch.manual_seed(seed)
    net = nn.Sequential(*stack(SIZES), *stack(SIZES[::-1]), nn.Sigmoid())
    return fit_plainly(net, torch.from_numpy(x), batch, epochs), applied(net)


def diabolo(**device: Any) -> Train:
    """Diabolo with the same layers, activation, loss, optimiser, constant rate and all rows; only the start differs."""

    def train(x: np.ndarray, batch: int, epochs: int, seed: int) -> Trained:
        marks = Marks()
        trainer = Trainer(epochs=epochs, batch_size=batch, lr=LR, optimizer="adam", schedule="constant",
                          validation=0.0, device=Device(**device), callbacks=[marks])  # fmt: skip
        model = Autoencoder(SIZES[-1], hidden=SIZES[1:-1], network="dense(activation='relu')",
                            loss=Spec("squared", low=0.0, high=1.0), trainer=trainer, random_state=seed)  # fmt: skip
        model.fit(x)
        return marks.times, model.reconstruct

    return train


def pythae(x: np.ndarray, batch: int, epochs: int, seed: int) -> Trained:
    """pythae's AE and BaseTrainer, without its saving of the model."""
    with _silence():
        from pythae.data.datasets import BaseDataset
        from pythae.models import AE, AEConfig
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
        from pythae.trainers import BaseTrainer, BaseTrainerConfig

        class Encoder(BaseEncoder):
            def __init__(self) -> None:
                super().__init__()
                self.net = nn.Sequential(*stack(SIZES))

            def forward(self, x: Any) -> Any:
                return ModelOutput(embedding=self.net(x))

        class Decoder(BaseDecoder):
            def __init__(self) -> None:
                super().__init__()
                self.net = nn.Sequential(*stack(SIZES[::-1]), nn.Sigmoid())

            def forward(self, z: Any) -> Any:
                return ModelOutput(reconstruction=self.net(z))

        torch.manual_seed(seed)
        model = AE(AEConfig(input_dim=(SIZES[0],), latent_dim=SIZES[-1]), Encoder(), Decoder())
        rows = BaseDataset(torch.from_numpy(x), torch.zeros(len(x)))
        with tempfile.TemporaryDirectory() as folder:
            config = BaseTrainerConfig(output_dir=folder, per_device_train_batch_size=batch, num_epochs=epochs,
                                       learning_rate=LR, no_cuda=True, seed=seed)  # fmt: skip
            trainer = BaseTrainer(model, rows, training_config=config)
            trainer.prepare_training()
            times = []
            for epoch in range(1, epochs + 1):
                trainer.train_step(epoch)
                times.append(time.perf_counter())
    return times, applied(nn.Sequential(model.encoder.net, model.decoder.net))


def pyod(x: np.ndarray, batch: int, epochs: int, seed: int) -> Trained:
    """PyOD's AutoEncoder without batch norm, dropout and weight decay, its own training loop."""
    from pyod.models.auto_encoder import AutoEncoder
    from pyod.utils.torch_utility import TorchDataset

    detector = AutoEncoder(preprocessing=False, lr=LR, epoch_num=1, batch_size=batch, random_state=seed, verbose=0,
                           optimizer_params={"weight_decay": 0.0}, hidden_neuron_list=list(SIZES[1:]),
                           batch_norm=False, dropout_rate=0.0, device=torch.device("cpu"))  # fmt: skip
    detector.data_num, detector.feature_size = x.shape
    detector.build_model()
    detector.training_prepare()
    loader = DataLoader(TorchDataset(X=x), batch_size=batch, shuffle=True, drop_last=True)
    times = []
    for _ in range(epochs):
        detector.train(loader)
        times.append(time.perf_counter())
    return times, applied(detector.model)


def keras(x: np.ndarray, batch: int, epochs: int, seed: int) -> Trained:
    """Keras on its torch backend: compile and fit."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras as k

    k.utils.set_random_seed(seed)
    down = [k.layers.Dense(width, activation="relu") for width in SIZES[1:-1]]
    up = [k.layers.Dense(width, activation="relu") for width in SIZES[-2:0:-1]]
    output = k.layers.Dense(SIZES[0], activation="sigmoid")
    model = k.Sequential([k.Input((SIZES[0],)), *down, k.layers.Dense(SIZES[-1]), *up, output])
    model.compile(optimizer=k.optimizers.Adam(LR), loss="mse")
    times: list[float] = []
    mark = k.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: times.append(time.perf_counter()))
    model.fit(x, x, batch_size=batch, epochs=epochs, shuffle=True, verbose=0, callbacks=[mark])
    return times, lambda rows: model.predict(rows, batch_size=4096, verbose=0)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
