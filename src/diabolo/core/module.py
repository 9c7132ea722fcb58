"""AutoencoderModule: encoder, bottleneck, decoder, and the prior generation draws from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from .batch import Batch, Latent, Output
from .errors import ModelError
from .interfaces import Bottleneck, Corrects, Decoder, Encoder, Prior, TakesSparse
from .sparse import dense


class AutoencoderModule(nn.Module):
    """The composition that is trained.

    x ──encoder──▶ h ──bottleneck──▶ z ──decoder──▶ recon
                                     ▲
                                   prior (sampling only, or the KL term)
    """

    shift: Tensor | None

    def __init__(self, encoder: Encoder, bottleneck: Bottleneck, decoder: Decoder, prior: Prior | None = None) -> None:
        super().__init__()
        self.encoder, self.bottleneck, self.decoder, self.prior = encoder, bottleneck, decoder, prior
        self.scale, self.scales_output = 1.0, False
        self.register_buffer("shift", None)

    def standardise(self, shift: Tensor, scale: float, output: bool) -> None:
        """Let the networks work on ``(x - shift) / scale``; with ``output``, recon is brought back the same way.

        Data and errors stay in the user's units; only the arithmetic inside is well conditioned.
        """
        self.shift, self.scale, self.scales_output = shift, float(scale), output

    def encode(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Latent:
        """The full latent record; random where the bottleneck is."""
        return self.bottleneck(self.features(x, mask, cond), mask, cond)

    def code(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        """The deterministic code of x."""
        return self.bottleneck.code(self.features(x, mask, cond), mask)

    def decode(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        """Parameters of p(x | z)."""
        if self.shift is not None and batch is not None and isinstance(self.decoder, Corrects):
            batch = replace(batch, x=(dense(batch.x) - self.shift) * (1 / self.scale))
        recon = self.decoder(z, batch)
        return recon * self.scale + self.shift if self.scales_output else recon

    def features(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Any:
        """What the encoder gives for x; a tuple, coarse to fine, where it is a pyramid."""
        if not isinstance(self.encoder, TakesSparse) or self.shift is not None:
            x = dense(x)
        if self.shift is not None:
            x = (x - self.shift) * (1 / self.scale)
        return self.encoder(x, mask, cond)

    def forward(self, batch: Batch) -> Output:
        latent = self.encode(batch.x, batch.mask, batch.cond)
        return Output(latent, self.decode(latent.z, batch.repeat(latent.draws)))

    def decoded(self, batch: Batch) -> Tensor:
        """Parameters of p(x | code), one a row however many draws training takes; the target is not shown."""
        unseen = replace(batch, target=None)  # type: ignore[arg-type]
        return self.decode(self.code(batch.x, batch.mask, batch.cond), unseen)

    def reconstruct(self, batch: Batch, told: bool = False) -> Output:
        """Like ``forward``, but what is decoded is the deterministic code, never a sample.

        ``told``: the decoder sees the target too, for likelihoods of one step given the true ones before it (scores);
        else it cannot leak into what is reconstructed.
        """
        spread = batch if told else replace(batch, target=None)  # type: ignore[arg-type]
        h = self.features(batch.x, batch.mask, batch.cond)
        code = self.bottleneck.code(h, batch.mask)
        with torch.random.fork_rng(devices=[]):
            latent = self.bottleneck(h, batch.mask, batch.cond)
        z = code.repeat_interleave(latent.draws, 0) if latent.draws > 1 else code
        return Output(replace(latent, z=z), self.decode(z, spread.repeat(latent.draws)))

    def sample(self, n: int, positions: tuple[int, ...] = (), cond: Tensor | None = None) -> Tensor:
        """Decoder output for n draws from the prior, told ``cond`` (n, C); ``positions``: those of a code.

        Raises `ModelError` if the model has no prior.
        """
        if self.prior is None:
            raise ModelError(
                "cannot sample: this autoencoder was not trained with a prior, so nothing says where its codes lie; "
                "train a variational model (model 'vae'), or fit a prior to its codes: fit_prior(X)."
            )
        with torch.no_grad():
            density = self.prior(self, cond)
            rows = () if cond is not None and density.batch_shape[:1] == (n,) else (n,)
            z = density.sample(torch.Size(rows + (positions if len(density.event_shape) == 1 else ())))
            return self.decode(z, None if cond is None else Batch(z, z, cond=cond))
