"""Critics as penalties: on the code, on what is decoded, and the error in a critic's features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.critic import Critic, Game
from ..core.batch import Batch, Output
from ..core.errors import UsageError
from ..core.interfaces import FromData, Penalty, SelfTrained, Shape
from ..core.module import AutoencoderModule
from ..core.registry import register
from ..core.schedules import Schedule

OPTIMIZER = "adam(beta1=0.5)"
"""A critic chases a moving opponent: a long momentum would chase where it was (Radford et al. 2016)."""


@register("penalty", "adversarial")
class Adversarial(Penalty, SelfTrained):
    """A critic tells codes from draws of the prior; the encoder pays for being told apart.

        prior ──▶ z' ──▶ critic ──▶ real?         critic:   −log σ(D(z')) − log(1 − σ(D(z)))
        x ─encoder─▶ z ──▶ critic ──▶ real?       encoder:  −log σ(D(z)), summed over positions

    At its optimum the aggregate posterior, the codes of all rows together, is the prior. Padded positions are free.

    Parameters
    ----------
    features : int. Values of z a position, D; the composition gives it.
    weight : float or `Schedule`. Of the encoder's term; the critic's own loss has none.
    hidden : widths of the critic's hidden layers.
    part : (first, last) or None. The columns of z it looks at; None: all.
    game, smooth : nonsaturating, hinge or wasserstein, and the weight of the penalty on the critic's slope; see `Game`.
    steps : int. Moves of the critic for each move of the autoencoder.
    lr : float or None. The critic's learning rate; None: the trainer's, at most 1e-3.

    Raises `UsageError` if the model has no prior, or for an unknown ``game``.

    Reference: Makhzani et al. (2015), "Adversarial autoencoders", section 2.

    >>> from diabolo.core import Latent, make
    >>> module = AutoencoderModule(*(nn.Identity() for _ in range(3)), make("prior", "normal", features=2))
    >>> penalty, x = Adversarial(features=2), torch.zeros(5, 2)
    >>> penalty(module, Batch(x, x), Output(Latent(x, x), x)).shape
    torch.Size([5])
    """

    ties_prior = True
    optimizer = OPTIMIZER

    def __init__(
        self,
        features: int,
        weight: float | Schedule = 1.0,
        hidden: Sequence[int] = (128, 64),
        part: tuple[int, int | None] | None = None,
        game: str = "nonsaturating",
        smooth: float | None = None,
        steps: int = 1,
        lr: float | None = None,
    ) -> None:
        super().__init__(weight)
        self.columns = slice(*part) if part is not None else slice(features)
        self.critic = Critic((len(range(features)[self.columns]),), hidden)
        self.game, self.steps, self.lr = Game(game, smooth), steps, lr

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        cost = self.game.deceive(self.critic(out.latent.z[..., self.columns]))
        return real_positions(cost, batch).flatten(1).sum(1) if cost.ndim > 1 else cost

    def own_parameters(self) -> Iterable[nn.Parameter]:
        return self.critic.parameters()

    def own_loss(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        z = out.latent.z
        fake, real = (codes[..., self.columns] for codes in (z, prior_like(module, z, batch)))
        if z.ndim > 2:
            keep = torch.ones(z.shape[:-1], dtype=torch.bool, device=z.device)
            if batch.mask is not None and batch.mask.shape == keep.shape:
                keep = batch.mask
            fake, real = fake[keep], real[keep]
        return self.game.loss(self.critic, real, [fake])


@register("penalty", "data-critic")
class DataCritic(Penalty, SelfTrained, FromData):
    """A critic tells data from what the decoder makes; the decoder pays for being told apart, the encoder does not.

        x ──────────────────▶ critic ──▶ real?
        z (cut) ──decoder──▶ x̂ ──▶ critic ──▶ real?     decoder: ½ [−log σ(D(x̂)) − log σ(D(x̂'))]
        prior ──▶ z' ──decoder──▶ x̂' ──▶ critic ──▶ real?

    The critic's loss counts reconstructions and draws from the prior by half each, so that with a perfect decoder it
    is 2 log 2 and the logits 0. In evaluation only the reconstruction is judged: a draw says nothing about the row.

    Parameters
    ----------
    shape : of a row; the composition gives it.
    link : brings the decoder's output into data space; the composition gives the loss's.
    weight : float or `Schedule`. Of the decoder's term: 1/γ of the paper, up to the scale of the decoder's loss.
    hidden, image : the critic's layers and the (H, W) of pictures that come flattened; see `Critic`.
    game, smooth, steps, lr : as `Adversarial`.

    Raises `UsageError` if the model has no prior, or for an unknown ``game``.

    Reference: Larsen et al. (2016), "Autoencoding beyond pixels using a learned similarity metric", equations 9–10
    and algorithm 1.

    >>> from diabolo.core import make
    >>> encoder, decoder = make("network", "dense").build((4,), 2, 2, (4,))
    >>> parts = (make(axis, name, features=2) for axis, name in (("bottleneck", "identity"), ("prior", "normal")))
    >>> module = AutoencoderModule(encoder, next(parts), decoder, next(parts))
    >>> batch = Batch(torch.zeros(5, 4), torch.zeros(5, 4))
    >>> DataCritic(shape=(4,))(module, batch, module(batch)).shape
    torch.Size([5])
    """

    optimizer = OPTIMIZER
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        shape: Shape,
        link: Callable[[Tensor], Tensor] | None = None,
        weight: float | Schedule = 1.0,
        hidden: Sequence[int] = (256, 128),
        image: Sequence[int] | None = None,
        game: str = "nonsaturating",
        smooth: float | None = None,
        steps: int = 1,
        lr: float | None = None,
    ) -> None:
        super().__init__(weight)
        self.critic, self.link = Critic(shape, hidden, image), link
        self.game, self.steps, self.lr = Game(game, smooth), steps, lr
        self.register_buffer("shift", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(()))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        """Judge data of any units alike."""
        mean = batch.target.mean(0)
        spread = (batch.target - mean).square().mean().sqrt()
        if mean.shape == self.shift.shape and spread > 0:
            self.shift.copy_(mean)
            self.scale.copy_(spread)

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        cost = self.game.deceive(self.judge(module.decode(out.latent.z.detach(), batch), batch))
        if self.training:
            drawn = module.decode(prior_like(module, out.latent.z, batch), batch)
            cost = 0.5 * (cost + self.game.deceive(self.judge(drawn, batch)))
        return cost.flatten(1).sum(1) if cost.ndim > 1 else cost

    def judge(self, recon: Float[Tensor, "b *t"], batch: Batch) -> Float[Tensor, " b *p"]:
        """Logits of decoder outputs."""
        logits: Tensor = self.critic(self.seen(self.data(recon), batch))
        return logits

    def data(self, recon: Float[Tensor, "b *t"]) -> Float[Tensor, "b *s"]:
        """Decoder outputs in data space."""
        return recon if self.link is None else self.link(recon)

    def seen(self, data: Float[Tensor, "b *s"], batch: Batch) -> Float[Tensor, "b *s"]:
        """Rows as the critic sees them: of unit scale, and blank where the row has no entry, real or made."""
        return blank((data - self.shift) / self.scale, batch)

    def own_parameters(self) -> Iterable[nn.Parameter]:
        return self.critic.parameters()

    def own_loss(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        rows = batch.repeat(out.latent.draws)
        with torch.no_grad():
            drawn = module.decode(prior_like(module, out.latent.z, rows), rows)
            real, fake, new = (self.seen(data, rows) for data in (rows.target, self.data(out.recon), self.data(drawn)))
        return self.game.loss(self.critic, real, [fake, new])


@register("penalty", "feature-matching")
class FeatureMatching(Penalty):
    """The reconstruction error in a critic's features, in place of the one in pixels.

        ½ ‖f(x̂) − f(x)‖²,    f: the last hidden layer of the data critic

    It moves encoder and decoder; the critic is moved by its own loss alone. The critic is that of a `DataCritic`
    named before it in the same list; without one it has its own, which then watches but sends no loss of its own.

    Parameters
    ----------
    shape, link : as `DataCritic`; the composition gives them.
    beside : the penalties made before this one; the composition gives them.
    weight : float or `Schedule`.

    Reference: Larsen et al. (2016), "Autoencoding beyond pixels using a learned similarity metric", equations 7–8.

    >>> from diabolo.core import Latent
    >>> module, x = AutoencoderModule(*(nn.Identity() for _ in range(3))), torch.ones(5, 2)
    >>> FeatureMatching(shape=(2,))(module, Batch(x, x), Output(Latent(x, x), x))     # a perfect reconstruction
    tensor([0., 0., 0., 0., 0.], grad_fn=<MulBackward0>)
    """

    def __init__(
        self,
        shape: Shape,
        link: Callable[[Tensor], Tensor] | None = None,
        beside: Sequence[Penalty] = (),
        weight: float | Schedule = 1.0,
    ) -> None:
        super().__init__(weight)
        found = [penalty for penalty in beside if isinstance(penalty, DataCritic)]
        self.own = None if found else DataCritic(shape, link, weight=0.0)
        self._found = tuple(found[:1])  # in a tuple: the objective holds it already

    @property
    def watcher(self) -> DataCritic:
        """The critic whose features count."""
        return self._found[0] if self.own is None else self.own

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        watcher = self.watcher
        f = watcher.critic.features
        with torch.no_grad():
            wanted = f(watcher.seen(batch.target, batch))
        difference = f(watcher.seen(watcher.data(out.recon), batch)) - wanted
        return 0.5 * difference.flatten(1).square().sum(1)


def prior_like(module: AutoencoderModule, z: Float[Tensor, "b *p d"], batch: Batch) -> Float[Tensor, "b *p d"]:
    """As many draws from the prior as there are codes. Raises `UsageError` if the model has none."""
    if module.prior is None:
        raise UsageError("an adversarial penalty needs a prior to draw from, such as prior 'normal'.")
    density = module.prior(module, batch.cond)
    own = len(density.batch_shape) + len(density.event_shape)
    return density.sample(z.shape[: z.ndim - own])


def blank(x: Float[Tensor, "b *s"], batch: Batch) -> Float[Tensor, "b *s"]:
    """Nothing to see where a row of the batch is padded or a cell is missing, in real rows and in made ones alike."""
    for known in (batch.mask, batch.scored):
        if known is not None and known.shape == x.shape[: known.ndim]:
            x = torch.where(known.reshape(known.shape + (1,) * (x.ndim - known.ndim)), x, 0.0)
    return x


def real_positions(cost: Float[Tensor, " b *p"], batch: Batch) -> Float[Tensor, " b *p"]:
    """Nothing to pay at padded positions."""
    if batch.mask is not None and batch.mask.shape == cost.shape:
        return torch.where(batch.mask, cost, 0.0)
    return cost
