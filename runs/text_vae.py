"""A variational autoencoder of sentences, three ways: the plain bound lets the code collapse, two remedies do not.

    python -m runs.text_vae --data DIR --seeds 1

AG News, titles of test.csv (7,600, in the order of seed 0): settings were chosen on the first 1,000, which are left
out; the next 1,000 are held out and judged. Words, the commonest 4,000. One GRU of 128 each side, a code of 16; every
step of the decoder is told the words before it. Adam 1e-3, batch 64.

    plain       beta = 1 from the first step                            bar: KL below 0.5 nats
    annealed    beta from 0 to 1 over all epochs, half of the words     bar: KL 3 to 15, bound at most 5 % above
                not told in training                                    the language model's nats
    free bits   6 nats of KL cost nothing                               bar: KL at least 5
    language    the same decoder, told nothing of the code              the rival: nats a title, without a code

Nats are a title's, over its real words and its end; padding is not counted. The bound is -E log p(x | z) + KL at one
draw of z a title. The three must differ.

Reference: Bowman et al. (2016), "Generating sentences from a continuous space"; free bits of Kingma et al. (2016).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.common import head, parser, row
from torch import Tensor

from diabolo import VAE, Autoencoder, Trainer
from diabolo.core import Decoder, Encoder, Network, Spec
from diabolo.data import Source
from diabolo.data import open as open_source
from diabolo.networks.recurrent import Recurrent
from diabolo.penalties.kl import divergence

from .record import record, spread

CODE, WIDTH, HELD, WORDS = 16, 128, 1000, 4000
PROCESSOR = Spec("text", tokens="words", vocabulary=WORDS)


class Language(Network):
    """A recurrent network whose encoder says nothing: what is left is a language model."""

    def build(
        self, shape: tuple[int, ...], features: int, code: int, out_shape: tuple[int, ...]
    ) -> tuple[Encoder, Decoder]:
        told = Recurrent(WIDTH, vocabulary=out_shape[-1], teacher=True)
        return Blind(), told.build(shape, features, code, out_shape)[1]


class Blind(Encoder):
    """(B, …) to one zero a row."""

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        return torch.zeros(len(x), 1)


def main() -> None:
    """Print KL and bound of every way, and record them."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=15)
    args = options.parse_args()
    path = Path(args.data) / "ag_news" / "test.csv"
    titles = open_source(path, column="x1", target="x0", header=False).rows[: args.rows]
    order = np.random.default_rng(0).permutation(len(titles))
    chosen_on = HELD if len(titles) > 2 * HELD else 0
    held, train = titles[order[chosen_on : chosen_on + HELD]], titles[order[chosen_on + HELD :]]
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        for name, model in models(args.epochs, seed).items():
            model.fit(Source(train, "text", processor=PROCESSOR))
            found.setdefault(name, []).append(measured(model, held))
            kl, bound = found[name][-1]
            print(f"seed {seed}, {name}: KL {kl:.2f}, bound {bound:.2f} nats a title", flush=True)
    report(found, args.seeds)


def report(found: dict[str, list[tuple[float, float]]], seeds: int) -> None:
    """The table and the records."""
    kl = {name: [pair[0] for pair in pairs] for name, pairs in found.items()}
    bound = {name: [pair[1] for pair in pairs] for name, pairs in found.items()}
    language = float(np.mean(bound["language"]))
    bars = {"plain": "ours < 0.5", "annealed": "ours >= 3 and ours <= 15", "free bits": "ours >= 5"}
    head(f"{HELD} held-out titles, nats a title")
    for name, bar in bars.items():
        row(f"KL, {name} ({spread(kl[name])})", float(np.mean(kl[name])), bar=bar)
        row(f"bound, {name} ({spread(bound[name])})", float(np.mean(bound[name])), language,
            "ratio <= 1.05" if name == "annealed" else "")  # fmt: skip
        record("vae", f"AG News titles, KL in nats, {name}", kl[name], published=f"bar {bar.replace('ours ', '')}",
               rival=f"bound {np.mean(bound[name]):.1f}; language model {language:.1f}",
               command=f"python -m runs.text_vae --data DIR --seeds {seeds}")  # fmt: skip


def models(epochs: int, seed: int) -> dict[str, Any]:
    """The three ways and the language model, not yet fitted."""
    told = Spec("recurrent", width=WIDTH, teacher=True)

    def common() -> dict[str, Any]:
        trainer = Trainer(epochs=epochs, batch_size=64, optimizer="adam", lr=1e-3, schedule="constant", validation=0.0)
        return {"trainer": trainer, "random_state": seed}

    free = {"bottleneck": "gaussian", "prior": "normal", "penalties": [Spec("kl", free_bits=6.0, group=CODE)]}
    return {
        "plain": VAE(CODE, network=told, **common()),
        "annealed": VAE(CODE, network=Spec("recurrent", width=WIDTH, teacher=True, word_dropout=0.5),
                        beta="linear(share=1.0)", **common()),
        "free bits": Autoencoder(CODE, network=told, **free, **common()),
        "language": Autoencoder(1, network=Language(), **common()),
    }  # fmt: skip


@torch.no_grad()
def measured(model: Any, held: np.ndarray) -> tuple[float, float]:
    """Mean KL and mean of minus the bound, of the held-out titles."""
    torch.manual_seed(0)
    module, texts = model.module_, model.processor_
    batch = texts.collate(texts.encode(held))
    cost = model.objective_.loss
    if module.prior is None:
        nats = cost(module.decode(module.code(batch.x, batch.mask), batch), batch.target, batch.scored)
        return 0.0, float(nats.mean())
    posterior = module.bottleneck.posterior(module.features(batch.x, batch.mask), batch.mask)
    z = posterior.sample()
    kl = divergence(posterior, module.prior(module), z)
    nats = cost(module.decode(z, batch), batch.target, batch.scored)
    return float(kl.mean()), float((kl + nats).mean())


if __name__ == "__main__":
    main()
