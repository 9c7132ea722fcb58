"""Laws of the binary bottleneck: signs in value, tanh in gradient, and bits that stay balanced."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from diabolo import Autoencoder, Trainer
from diabolo.bottlenecks.binary import Binary
from diabolo.core.errors import UsageError


def test_the_value_is_a_sign_and_the_gradient_that_of_tanh() -> None:
    bottleneck = Binary(3, noise=0.0).eval()
    h = torch.tensor([[0.5, -2.0, 0.0]], requires_grad=True)
    latent = bottleneck(h)
    assert latent.z.tolist() == latent.code.tolist() == bottleneck.code(h).tolist() == [[1.0, -1.0, 1.0]]
    latent.z.sum().backward()
    torch.testing.assert_close(h.grad, 1 - torch.tanh(h.detach()) ** 2)


def test_noise_flips_bits_as_often_as_the_normal_law_says_and_only_in_training() -> None:
    bottleneck = Binary(1, noise=0.5, decay=0.999999)
    h = torch.full((20_000, 1), 0.5)
    flipped = (bottleneck.train()(h).z < 0).double().mean()
    assert abs(float(flipped) - 0.1587) < 0.01  # Phi(-1)
    assert bottleneck(h).code.eq(1).all() and bottleneck.eval()(h).z.eq(1).all()


def test_bits_are_balanced_wherever_the_features_drift() -> None:
    bottleneck, random = Binary(4), torch.Generator().manual_seed(0)
    for step in range(200):
        h = torch.randn(64, 4, generator=random) * torch.tensor([1.0, 2.0, 5.0, 50.0]) + 100 + step / 50
        bottleneck(h)
    share = (bottleneck.eval().code(h) > 0).double().mean(0)
    assert bool(((share > 0.2) & (share < 0.9)).all())
    masked = Binary(2, decay=0.0)
    rows = torch.cat([torch.randn(8, 3, 2, generator=random), torch.full((8, 1, 2), 1e6)], 1)
    masked(rows, torch.tensor([True, True, True, False]).expand(8, 4))
    assert masked.mean.abs().max() < 2  # padding has no part in the mean


def test_trained_bits_carry_the_digits() -> None:
    X = (load_digits().data / 16).astype(np.float32)
    model = Autoencoder(16, bottleneck="binary", hidden=(), trainer=Trainer(epochs=30), random_state=0).fit(X)
    codes = model.transform(X)
    assert set(np.unique(codes)) == {-1.0, 1.0} and np.abs(codes.mean(0)).max() < 0.7
    error = np.square(model.reconstruct(X) - X).sum(1).mean()
    assert error < 0.65 * np.square(X - X.mean(0)).sum(1).mean()


@pytest.mark.parametrize("given", [{"features": 0}, {"features": 2, "noise": -1.0}, {"features": 2, "decay": 1.0}])
def test_values_out_of_range_are_refused(given: dict) -> None:
    with pytest.raises(UsageError):
        Binary(**given)
