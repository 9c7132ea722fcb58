"""An autoencoder beside a generator and a critic: three players, or two, of one step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.critic import Critic, Game
from ..blocks.layers import Mlp
from ..core import AutoencoderModule, Batch, FromData, Output, Penalty, SelfTrained
from ..core.collectives import all_reduce_, world
from ..core.interfaces import Shape
from ..penalties.adversarial import OPTIMIZER, blank

FORMS = ("filter", "energy", "codes", "none")


class GeneratorModule(AutoencoderModule):
    """An autoencoder and a generator; ``sample`` draws from the generator.

        form      the critic compares                             a sample is
        none      x and G(noise)                                  G(noise)
        filter    x̂ and what the autoencoder makes of G(noise)    what the autoencoder makes of G(noise)
        codes     code(x) and G(noise), both codes                decoder(G(noise))
        energy    no critic: G(noise) is judged by its            G(noise)
                  reconstruction error, see `Energy`

    The autoencoder is moved by its own objective alone (in form "energy" with `Energy` in it), the generator by the
    game alone, through a frozen autoencoder where that stands between, the critic by telling apart.
    """

    def __init__(self, base: AutoencoderModule, form: str, link: Callable[[Tensor], Tensor]) -> None:
        super().__init__(base.encoder, base.bottleneck, base.decoder)
        self.form, self.link = form, link
        self.generator: Generator
        self.judge: Judge | None = None

    def make(self, n: int) -> Tensor:
        """The generator's output for n draws of noise: of a decoder, or standardised codes."""
        raw: Tensor = self.generator(n)
        if self.form == "codes" and self.judge is not None:
            return raw * self.judge.scale + self.judge.shift
        return raw * self.scale + self.shift if self.scales_output and self.shift is not None else raw

    def again(self, recon: Float[Tensor, "b *t"]) -> Float[Tensor, "b *t"]:
        """What the autoencoder makes of rows that come as a decoder's output."""
        return self.decode(self.code(self.link(recon)))

    def real(self, batch: Batch, out: Output) -> Tensor:
        """What stands for the data before the critic."""
        if self.form == "codes":
            return out.latent.code
        return batch.target if self.form == "none" else self.link(out.recon)

    def made(self, n: int) -> Tensor:
        """What stands for the generator's samples there, with a gradient to the generator."""
        raw = self.make(n)
        if self.form == "codes":
            return raw
        return self.link(raw if self.form == "none" else self.again(raw))

    def energy(self, recon: Float[Tensor, "b *t"]) -> Float[Tensor, " b"]:
        """How far rows that come as a decoder's output are from what the autoencoder makes of them."""
        return length(self.link(self.again(recon)) - self.link(recon))

    def sample(self, n: int, positions: tuple[int, ...] = (), cond: Tensor | None = None) -> Tensor:
        """Decoder output for n draws of the generator."""
        with torch.no_grad():
            raw = self.make(n)
            if self.form == "codes":
                return self.decode(raw)
            return self.again(raw) if self.form == "filter" else raw


class Generator(nn.Module, SelfTrained):
    """Noise to rows or codes; pays for what gives it away.

    critic forms: -log σ(D(made));    energy: the reconstruction error of G(noise)
    """

    optimizer = OPTIMIZER

    def __init__(self, body: nn.Module, noise: Shape, game: Game) -> None:
        super().__init__()
        self.body, self.noise, self.game = body, noise, game

    def forward(self, n: int) -> Tensor:
        at = next(self.body.parameters())
        made: Tensor = self.body(torch.randn(n, *self.noise, device=at.device))
        return made

    def own_parameters(self) -> Iterable[nn.Parameter]:
        return self.body.parameters()

    def own_loss(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        gan: Any = module
        if gan.judge is None:
            return gan.energy(gan.make(len(batch))).mean()
        return self.game.deceive(gan.judge(gan.made(len(batch)), batch)).mean()


class Judge(nn.Module, SelfTrained, FromData):
    """The critic; what it sees is brought to unit scale: data once, codes as they drift while training lasts."""

    optimizer = OPTIMIZER
    momentum = 0.99
    shift: Tensor
    scale: Tensor

    def __init__(self, shape: Shape, hidden: Sequence[int], game: Game, follows: bool) -> None:
        super().__init__()
        self.critic, self.game, self.follows = Critic(shape, hidden), game, follows
        self.register_buffer("shift", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        rows = module.code(batch.x, batch.mask, batch.cond) if self.follows else batch.target
        mean = rows.mean(0)
        if mean.shape == self.shift.shape:
            self._take(mean, self._spread(rows, mean), 0.0)

    def _spread(self, rows: Tensor, mean: Tensor) -> Tensor:
        """Of every value of a code; of data as a whole, where some values hardly move."""
        squares = (rows - mean).square()
        return (squares.mean(0) if self.follows else squares.mean().expand_as(mean)).sqrt().clamp_min(1e-6)

    @torch.no_grad()
    def _take(self, mean: Tensor, spread: Tensor, keep: float) -> None:
        self.shift.lerp_(mean, 1 - keep)
        self.scale.lerp_(spread, 1 - keep)

    def forward(self, rows: Float[Tensor, "b *s"], batch: Batch) -> Float[Tensor, " b"]:
        x = (rows - self.shift) / self.scale
        logits: Tensor = self.critic(x if self.follows else blank(x, batch))
        return logits

    def own_parameters(self) -> Iterable[nn.Parameter]:
        return self.critic.parameters()

    def own_loss(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        gan: Any = module
        with torch.no_grad():
            real, made = gan.real(batch, out), gan.made(len(batch))
            if self.follows and len(real) > 1:
                mean = average(real.mean(0))
                self._take(mean, average(self._spread(real, mean)), self.momentum)
        return self.game.loss(lambda rows: self(rows, batch), real, [made])


class Energy(Penalty, FromData):
    """The autoencoder pays where it reconstructs the generator's samples as well as data.

        cost = s (m E(x) - E(G(noise)))₊,    E = ‖x̂ - x‖, of data its mean over the batch;    s = ‖x‖, centred

    The margin follows the error of data, so it is right for any data and at any time. Norms, not their squares:
    a sample that comes back well must still have a slope to be pushed away by. s keeps the units of a squared error.

    Reference: Zhao, Mathieu & LeCun (2016), "Energy-based generative adversarial network", equations 1-2; a margin
    tied to the data's error is of Berthelot et al. (2017), "BEGAN: boundary equilibrium generative adversarial
    networks".
    """

    spread: Tensor

    def __init__(self, margin: float = 2.0) -> None:
        super().__init__(1.0)
        self.margin = margin
        self.register_buffer("spread", torch.ones(()))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        self.spread.copy_((batch.target - batch.target.mean(0)).flatten(1).square().sum(1).mean().sqrt())

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        gan: Any = module
        made = gan.energy(gan.make(len(batch)).detach())
        data = length(gan.link(out.recon) - batch.target).mean().detach()
        return self.spread * torch.relu(self.margin * data - made).mean()


def length(rows: Float[Tensor, "b *s"]) -> Float[Tensor, " b"]:
    """Euclidean norm of every row, with a gradient at zero."""
    return (rows.flatten(1).square().sum(1) + 1e-12).sqrt()


def average(tensor: Tensor) -> Tensor:
    """The mean over all processes, so that all follow the same codes."""
    return all_reduce_(tensor).div_(world())


def assemble(
    base: AutoencoderModule,
    form: str,
    link: Callable[[Tensor], Tensor],
    target_shape: Shape,
    decoder: Callable[[int], nn.Module],
    code_shape: Shape,
    noise: int,
    widths: Sequence[int],
    critic: Sequence[int],
    game: Game,
) -> GeneratorModule:
    """The autoencoder with its generator and critic; ``decoder(code)`` makes the generator of rows."""
    made = GeneratorModule(base, form, link)
    if form == "codes":
        body: nn.Module = nn.Sequential(Mlp((noise, *widths, prod(code_shape))), nn.Unflatten(1, code_shape))
        made.generator = Generator(body, (noise,), game)
    else:
        made.generator = Generator(decoder(noise), (*code_shape[:-1], noise), game)
    if form != "energy":
        codes = form == "codes"
        made.judge = Judge(code_shape if codes else target_shape, critic, game, follows=codes)
    return made
