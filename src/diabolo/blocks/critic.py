"""A critic: a small network that tells two sets of rows apart, and the games it can play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import UsageError, out_of_range, unknown
from ..core.interfaces import Shape
from .layers import Mlp, finish

GAMES = ("nonsaturating", "hinge", "wasserstein")
PICTURE = 8
"""A shape of two or three dimensions whose first two are at least this long is taken as a picture."""


class Critic(nn.Module):
    """One number a row: how real it looks.

        (B, *P, *shape) ──[convolutions, for pictures]── hidden layers ──▶ features ──Linear──▶ logit (B, *P)

    Parameters
    ----------
    shape : what is judged as one: (D,) for codes, a row's shape for data. Dimensions before it are positions.
    hidden : widths of the hidden layers; () is a linear critic.
    image : (H, W) or (H, W, C) of rows that come flattened; None: as ``shape`` says. Pictures pass two strided
        convolutions first (Radford et al. 2016).

    Raises `UsageError` if ``image`` holds another number of values than ``shape``.

    >>> Critic((2,), hidden=(8,))(torch.zeros(3, 2)).shape, Critic((9, 9, 3))(torch.zeros(4, 9, 9, 3)).shape
    (torch.Size([3]), torch.Size([4]))
    """

    def __init__(self, shape: Shape, hidden: Sequence[int] = (128, 64), image: Sequence[int] | None = None) -> None:
        super().__init__()
        self.shape = tuple(shape)
        grid = tuple(image) if image is not None else self.shape
        if prod(grid) != prod(self.shape):
            raise UsageError(f"image={grid} has {prod(grid)} values, a row has {prod(self.shape)}.")
        picture = image is not None or (len(grid) in (2, 3) and min(grid[:2]) >= PICTURE)
        self.look: nn.Module = _Eye((*grid, 1) if len(grid) == 2 else grid) if picture else nn.Flatten(1)
        width = self.look.width if isinstance(self.look, _Eye) else prod(self.shape)
        self.body = Mlp((width, *(int(h) for h in hidden), 1), "leaky-relu")

    def features(self, x: Float[Tensor, "b *s"]) -> Float[Tensor, "b *p f"]:
        """What the last hidden layer makes of rows."""
        positions = x.shape[: x.ndim - len(self.shape)]
        h = self.look(x.reshape(-1, *self.shape))
        for stage in list(self.body.stages)[:-1]:
            h = stage(h)
        return h.unflatten(0, positions)

    def forward(self, x: Float[Tensor, "b *s"]) -> Float[Tensor, "b *p"]:
        logit: Tensor = self.body.stages[-1](self.features(x))
        return logit.squeeze(-1)


class _Eye(nn.Module):
    """(N, *S) as pictures through two strided convolutions, flattened."""

    def __init__(self, grid: Shape, channels: Sequence[int] = (32, 64)) -> None:
        super().__init__()
        self.grid, layers, before = grid, [], grid[-1]
        for after in channels:
            layers.append(finish(nn.Conv2d(before, after, 5, 2, 2), after, "leaky-relu"))
            before = after
        self.stages = nn.Sequential(*layers)
        sides = [-(-side // 2 ** len(channels)) for side in grid[:2]]
        self.width = prod(sides) * before

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.stages(x.reshape(len(x), *self.grid).movedim(-1, 1))
        return maps.flatten(1)


class Game(nn.Module):
    """What a critic D and the one it judges (the generator) pay.

        nonsaturating   D: −log σ(D(real)) − log(1 − σ(D(fake)))     generator: −log σ(D(fake))
        hinge           D: (1 − D(real))₊ + (1 + D(fake))₊           generator: −D(fake)
        wasserstein     D: D(fake) − D(real)                         generator: −D(fake)

    Logarithms are taken as softplus, so that a certain critic costs a finite amount and still has a gradient.
    ``smooth`` is the weight of a penalty on D's gradient: for wasserstein on its distance from slope 1 between real
    and fake (10 unless given), for the others on its square at the real rows, halved (R1; 0 unless given).

    Raises `UsageError` for an unknown game or a negative ``smooth``.

    Goodfellow et al. (2014), "Generative adversarial nets"; Miyato et al. (2018), "Spectral normalization for GANs",
    eq. 16–17; Gulrajani et al. (2017), "Improved training of Wasserstein GANs"; Mescheder et al. (2018), "Which
    training methods for GANs do actually converge?", eq. 9.
    """

    def __init__(self, name: str = "nonsaturating", smooth: float | None = None) -> None:
        super().__init__()
        if name not in GAMES:
            raise unknown("game", name, GAMES)
        if smooth is not None and not smooth >= 0:
            raise out_of_range("smooth", "a number of at least 0, or None", smooth)
        self.name = name
        self.smooth = float(smooth) if smooth is not None else 10.0 if name == "wasserstein" else 0.0

    def deceive(self, fake: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The generator's cost, from the critic's logits of its rows."""
        return functional.softplus(-fake) if self.name == "nonsaturating" else -fake

    def tell_apart(self, real: Float[Tensor, "*n"], fake: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The critic's cost, from its logits."""
        if self.name == "nonsaturating":
            return functional.softplus(-real) + functional.softplus(fake)
        if self.name == "hinge":
            return torch.relu(1 - real) + torch.relu(1 + fake)
        return fake - real

    def loss(self, critic: Callable[[Tensor], Tensor], real: Tensor, fakes: Sequence[Tensor]) -> Float[Tensor, ""]:
        """What the critic minimises; several kinds of fakes count as one, in equal parts."""
        seen = critic(real)
        cost = torch.stack([self.tell_apart(seen, critic(fake)).mean() for fake in fakes]).mean()
        if not self.smooth:
            return cost
        if self.name != "wasserstein":
            return cost + 0.5 * self.smooth * squared_slope(critic, real).mean()
        fake = fakes[int(torch.randint(len(fakes), ()))] if len(fakes) > 1 else fakes[0]
        share = torch.rand(len(real), *(1,) * (real.ndim - 1), device=real.device)
        slope = (squared_slope(critic, torch.lerp(real, fake, share)) + 1e-12).sqrt()
        return cost + self.smooth * (slope - 1).square().mean()


def squared_slope(critic: Callable[[Tensor], Tensor], x: Float[Tensor, "b *s"]) -> Float[Tensor, " b"]:
    """‖∂D/∂x‖² of every row, differentiable.

    >>> squared_slope(lambda x: (x * torch.tensor([3.0, 4.0])).sum(1), torch.zeros(2, 2))
    tensor([25., 25.])
    """
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1)
