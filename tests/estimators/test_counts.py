"""The count VAE on counts whose answer is known: two populations, libraries that vary, one dispersion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import LinearRegression, LogisticRegression

from diabolo import CountVAE, Trainer, load
from diabolo.blocks.row_sums import Library
from diabolo.core import Batch
from diabolo.core.errors import DataError, UsageError
from diabolo.losses.negative_binomial import NegativeBinomial
from diabolo.networks.dense import Dense

THETA = 3.0


def generated(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Counts of 30 genes, kinds, libraries and the expected counts."""
    shares = np.random.default_rng(0).dirichlet(np.full(30, 2.0), 2)
    random = np.random.default_rng(seed)
    kind, library = random.integers(2, size=n), np.exp(random.normal(6.0, 0.8, size=n))
    mean = shares[kind] * library[:, None]
    return random.negative_binomial(THETA, THETA / (THETA + mean)), kind, library, mean


def baseline(train: np.ndarray, test: np.ndarray) -> float:
    """Cost of a row under one negative binomial a gene, whose mean is the gene's share of the row's library."""
    share = train.sum(0) / train.sum()
    loss = NegativeBinomial(shape=(train.shape[1],))
    at = [torch.from_numpy(np.log(np.outer(x.sum(1), share))).float() for x in (train, test)]
    target = torch.from_numpy(train).float()
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=40)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        cost = loss(at[0], target).mean()
        cost.backward()
        return cost

    optimiser.step(closure)
    with torch.no_grad():
        return loss(at[1], torch.from_numpy(test).float()).mean().item()


def quick() -> Trainer:
    return Trainer(epochs=40, optimizer="adam", lr=2e-2)


@pytest.fixture(scope="module")
def model() -> CountVAE:
    return CountVAE(2, hidden=(32,), trainer=quick(), random_state=0).fit(generated(600)[0])


def test_codes_tell_the_populations_apart_and_do_not_know_the_library(model: CountVAE) -> None:
    counts, kind, library, _ = generated(600, seed=1)
    codes = model.transform(counts)
    assert LogisticRegression().fit(codes, kind).score(codes, kind) > 0.99
    for which in (0, 1):
        z, size = codes[kind == which], np.log(library[kind == which])
        assert LinearRegression().fit(z, size).score(z, size) < 0.2


def test_new_rows_are_likelier_than_under_one_distribution_a_gene(model: CountVAE) -> None:
    train, (test, _, _, mean) = generated(600)[0], generated(600, seed=1)
    ours = -model.log_likelihood(test, n_samples=20, random_state=0).mean()
    target, log_mean = (torch.from_numpy(x).float() for x in (test, np.log(mean)))
    known = NegativeBinomial(THETA)(log_mean, target).mean().item() + np.log(2)  # the kind, and the counts given it
    assert known - 0.3 < ours < known + 1.0
    assert ours < baseline(train, test) - 2.0
    assert -model.score(test) > ours - 1.0


def test_the_dispersion_is_the_one_the_counts_were_drawn_with(model: CountVAE) -> None:
    theta = model.objective_.loss.log_dispersion().exp()
    assert theta.median().item() == pytest.approx(THETA, rel=0.15)


def test_rows_come_back_with_their_own_library_and_samples_with_the_median(model: CountVAE) -> None:
    counts = generated(600)[0]
    np.testing.assert_allclose(model.reconstruct(counts).sum(1), counts.sum(1), rtol=1e-4)
    drawn = model.sample(5, random_state=0).sum(1)
    np.testing.assert_allclose(drawn, np.median(counts.sum(1)), rtol=0.05)
    np.testing.assert_allclose(model.inverse_transform(model.transform(counts[:3])).sum(1), drawn[:3], rtol=1e-4)


def test_twice_the_depth_is_the_same_kind(model: CountVAE) -> None:
    kind = generated(600)[1]
    codes = model.transform(generated(600)[0])
    judge = LogisticRegression().fit(codes, kind)
    assert judge.score(model.transform(2 * generated(600)[0]), kind) > 0.99


def test_surplus_zeros_are_found_where_they_are_put() -> None:
    counts, _, _, _ = generated(500)
    dropped = np.random.default_rng(5).random(counts.shape) < 0.4
    options = {"hidden": (32,), "trainer": quick(), "random_state": 0}
    inflated = CountVAE(2, zero_inflated=True, **options).fit(np.where(dropped, 0, counts))
    test = np.where(np.random.default_rng(6).random((500, 30)) < 0.4, 0, generated(500, seed=1)[0])
    plain = CountVAE(2, **options).fit(np.where(dropped, 0, counts))
    assert inflated.log_likelihood(test, 10, 0).mean() > plain.log_likelihood(test, 10, 0).mean() + 3
    with torch.no_grad():
        recon = inflated.module_.decode(torch.from_numpy(inflated.transform(test)))
    assert torch.sigmoid(recon[..., 1]).mean().item() == pytest.approx(0.4, abs=0.1)


def test_saved_and_loaded_to_the_same_bits(model: CountVAE, tmp_path: Path) -> None:
    counts = generated(50)[0]
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(counts), model.transform(counts))
    np.testing.assert_array_equal(again.score_samples(counts), model.score_samples(counts))
    np.testing.assert_array_equal(again.sample(3, random_state=0), model.sample(3, random_state=0))


def test_counts_may_come_as_a_frame_or_small_integers(model: CountVAE) -> None:
    counts = generated(60)[0]
    frame = CountVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(pd.DataFrame(counts))
    small = CountVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(counts.astype(np.uint16))
    np.testing.assert_array_equal(frame.transform(pd.DataFrame(counts)), small.transform(counts))


def test_normalized_rows_have_one_library_and_the_proportions_of_their_kind(model: CountVAE) -> None:
    counts, kind, library, mean = generated(600, seed=1)
    rows = model.normalized(counts, library=1e4)
    np.testing.assert_allclose(rows.sum(1), 1e4, rtol=1e-4)
    shares = (mean / library[:, None])[[int(np.argmax(kind == which)) for which in (0, 1)]]
    for which in (0, 1):
        off = np.abs(rows[kind == which] / 1e4 - shares[which]).sum(1).mean()
        noise = np.abs(counts / counts.sum(1, keepdims=True) - shares[kind]).sum(1)[kind == which].mean()
        assert off < 0.3 * noise
    np.testing.assert_array_equal(model.normalized(counts), model.inverse_transform(model.transform(counts)))
    with pytest.raises(UsageError, match="library"):
        model.normalized(counts, library=0)


def test_sparse_counts_are_counts(model: CountVAE) -> None:
    counts = generated(60)[0]
    np.testing.assert_array_equal(model.transform(csr_matrix(counts)), model.transform(counts))
    given = {"trainer": Trainer(epochs=2), "random_state": 0}
    sparse, dense = CountVAE(2, **given).fit(csr_matrix(counts)), CountVAE(2, **given).fit(counts)
    np.testing.assert_array_equal(sparse.transform(counts), dense.transform(counts))


def test_negative_counts_are_refused() -> None:
    with pytest.raises(DataError, match=r"Negative values in data: .* row 1 reaches down to -2"):
        CountVAE(2).fit(np.array([[1.0, 0.0], [-2.0, 3.0], [0.0, 0.0]]))
    with pytest.raises(UsageError, match="dispersion must be"):
        CountVAE(2, dispersion=-1).fit(np.ones((20, 3)))


def test_an_empty_row_is_certain_zeros(model: CountVAE) -> None:
    nothing = np.zeros((1, 30))
    assert np.isfinite(model.score_samples(nothing)).all()
    np.testing.assert_allclose(model.reconstruct(nothing), 0, atol=1e-6)


def test_with_surplus_zeros_the_expected_counts_still_sum_to_the_library() -> None:
    torch.manual_seed(0)
    loss = NegativeBinomial(zero_inflated=True, shape=(3,))
    body = Dense(hidden=(4,)).build((3,), 2, 2, loss.recon_shape((3,)))[1]
    counts = torch.rand(5, 3) * 10
    recon = Library(body, paired=True)(torch.randn(5, 2), Batch(counts, counts))
    torch.testing.assert_close(loss.link(recon).sum(1), counts.sum(1))


def test_the_decoder_multiplies_proportions_by_the_library() -> None:
    torch.manual_seed(0)
    body = Dense(hidden=(4,)).build((3,), 2, 2, (3,))[1]
    z, counts = torch.randn(5, 2), torch.rand(5, 3) * 10
    rates = Library(body)(z, Batch(counts, counts)).exp()
    torch.testing.assert_close(rates, torch.softmax(body(z), 1) * counts.sum(1, keepdim=True))
