"""The library of a row is known from what the encoder sees, where the counts themselves are not shown."""

from __future__ import annotations

import numpy as np
import torch

from diabolo import Trainer
from diabolo.core import Batch, lookup


def test_the_library_is_the_same_from_the_counts_and_from_their_logs() -> None:
    counts = np.random.default_rng(0).poisson(3.0, size=(60, 7)).astype("float32")
    model = lookup("model", "count-vae")(2, trainer=Trainer(epochs=1), random_state=0).fit(counts)
    batch: Batch = model.processor_.collate(model.processor_.encode(counts))
    seen = model.module_.reconstruct(batch, told=True).recon
    torch.testing.assert_close(model.module_.decoded(batch), seen[:: len(seen) // len(counts)], rtol=1e-4, atol=1e-4)
