"""A denoising autoencoder is the score: (r(x~) - x~) / sigma^2 against the gradient of log p(x~), known in closed form.

    python -m runs.denoising_score

        E[x | x~] = x~ + sigma^2 grad log p_sigma(x~),    x~ = x + sigma eps

Gaussians in 2 and 10 dimensions and a mixture of five in 2, sigma = 0.3, an MLP 128-128 of ReLU (code of 128, so
nothing is narrowed), 20,000 steps of Adam; rate, batch, rows and activation were chosen at seed 7. On fresh x~: cosine
(mean over rows) and relative L2 distance of the scores, and the denoising error in excess of Bayes' on the same rows,
which may not be negative beyond noise (three standard errors): that would be a leak.

Reference: Vincent (2011), "A connection between score matching and denoising autoencoders"; Alain & Bengio (2014).
"""

from __future__ import annotations

import argparse

import numpy as np
from benchmarks.common import head, row
from numpy import ndarray
from scipy.special import softmax

from diabolo import Autoencoder, Trainer

SIGMA = 0.3


class Mixture:
    """Equal parts of N(m_j, C)."""

    def __init__(self, means: ndarray, covariance: ndarray) -> None:
        self.means, self.covariance = means, covariance

    def draw(self, n: int, random: np.random.Generator) -> ndarray:
        part = random.integers(len(self.means), size=n)
        return self.means[part] + random.multivariate_normal(np.zeros(len(self.covariance)), self.covariance, n)

    def score(self, x: ndarray) -> ndarray:
        """Gradient of the log density of x + sigma eps: sum_j w_j(x) S^-1 (m_j - x), S = C + sigma^2 I."""
        inverse = np.linalg.inv(self.covariance + SIGMA**2 * np.eye(len(self.covariance)))
        away = self.means[None] - x[:, None]
        weights = softmax(-0.5 * np.einsum("njd,de,nje->nj", away, inverse, away), axis=1)
        return np.einsum("nj,njd->nd", weights, away) @ inverse


def cases(random: np.random.Generator) -> dict[str, Mixture]:
    """The three densities."""
    angles = 2 * np.pi * np.arange(5) / 5
    found = {"five modes, 2-D": Mixture(1.5 * np.stack([np.cos(angles), np.sin(angles)], 1), 0.04 * np.eye(2))}
    for size in (2, 10):
        axes = np.linalg.qr(random.normal(size=(size, size)))[0]
        covariance = axes @ np.diag(np.linspace(0.2, 1.0, size)) @ axes.T
        found[f"Gaussian, {size}-D"] = Mixture(np.zeros((1, size)), covariance)
    return found


def main() -> None:
    """Print three rows a density."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--n", type=int, default=1_000_000, help="training rows; every epoch draws new noise")
    options.add_argument("--steps", type=int, default=20_000)
    options.add_argument("--batch-size", type=int, default=1024)
    options.add_argument("--optimizer", default="adam")
    options.add_argument("--lr", default="1e-2", help="a rate, or auto")
    options.add_argument("--activation", default="relu")
    args = options.parse_args()
    head("Denoising residual against the analytic score")
    for name, density in cases(np.random.default_rng(args.seed)).items():
        random = np.random.default_rng(args.seed + 1)
        epochs = max(1, round(args.steps * args.batch_size / args.n))
        trainer = Trainer(epochs=epochs, batch_size=args.batch_size, optimizer=args.optimizer,
                          lr="auto" if args.lr == "auto" else float(args.lr), validation=0.0)  # fmt: skip
        model = Autoencoder(128, hidden=(128,), network=f"dense(activation={args.activation!r})", loss="squared",
                            corruption=f"noise(std={SIGMA})", trainer=trainer, random_state=args.seed)  # fmt: skip
        model.fit(density.draw(args.n, random).astype(np.float32))
        clean = density.draw(100_000, random)
        noisy = (clean + SIGMA * random.normal(size=clean.shape)).astype(np.float32)
        _judge(name, density, clean, noisy.astype(np.float64), model.reconstruct(noisy).astype(np.float64))


def _judge(name: str, density: Mixture, clean: ndarray, noisy: ndarray, recon: ndarray) -> None:
    known, found = density.score(noisy), (recon - noisy) / SIGMA**2
    cosine = (known * found).sum(1) / np.maximum(np.linalg.norm(known, axis=1) * np.linalg.norm(found, axis=1), 1e-12)
    row(f"{name}: cosine to the score", float(cosine.mean()), 1.0, "ours > 0.99")
    distance = float(np.linalg.norm(found - known) / np.linalg.norm(known))
    row(f"{name}: relative L2 distance to the score", distance, bar="ours < 0.05")
    ours = np.square(recon - clean).sum(1)
    bayes = np.square(noisy + SIGMA**2 * known - clean).sum(1)
    noise = 3 * float((ours - bayes).std() / np.sqrt(len(ours)) / bayes.mean())
    bar = f"ratio <= 1.01 and ratio >= {1 - noise:.5f}"
    row(f"{name}: denoising error, against Bayes", float(ours.mean()), float(bayes.mean()), bar)


if __name__ == "__main__":
    main()
