"""Deep autoencoders that are trained one layer after the other, then as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..blocks.identity import Identity
from ..core import AutoencoderModule, Bottleneck, Corruption, Latent, Objective, ReconstructionLoss, make, register
from ..core.errors import out_of_range
from ..core.interfaces import Shape
from ..networks.levels import Level, levels
from ..train import Stage, Trainer
from .base import BaseAutoencoder
from .composed import compose
from .recipe import Recipe


@register("model", "stacked")
class StackedAutoencoder(BaseAutoencoder):
    """Greedy layer-wise pre-training, unfolding, fine-tuning.

        stage 0     x ──▶ h1 ──▶ x          each layer is the code of a shallow autoencoder …
        stage 1    h1 ──▶ h2 ──▶ h1         … on the codes of the layers below, which stand still
        …
        last        x ──▶ h1 ──▶ h2 ──▶ h1 ──▶ x    the same layers, unfolded, trained as one

    A layer's autoencoder may be denoising (``corruption``: Vincent et al. 2010), sparse or contractive
    (``penalties``). The lowest one pays ``loss``; those above pay the cross-entropy where their codes are
    probabilities (sigmoid), the squared error elsewhere. A code narrower than the layer below is linear; one that is
    not is a layer of features like the others, with their activation. Fine-tuning sees clean rows. For
    classes, put it into an `AutoencoderClassifier`.

    Parameters
    ----------
    n_components, network, hidden, loss : as in `Autoencoder`; networks dense and conv.
    corruption : one for all layers, or a list with one (or None) for each layer.
    penalties : a list for all layers, or a list of lists, one for each layer.
    pretrain_epochs : int >= 1 for each layer, or None: as many as the trainer's for the whole.
    fine_tune : whether the whole is trained after its layers.

    Raises `UsageError` for a list that has not one entry a layer.

    Reference: Bengio et al. (2007), "Greedy layer-wise training of deep networks"; Vincent et al. (2010), "Stacked
    denoising autoencoders".

    >>> import numpy as np
    >>> from diabolo import StackedAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = StackedAutoencoder(2, hidden=(8,), trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> [record["stage"] for record in model.history_]
    [0, 0, 1, 1, 2, 2]
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        corruption: Any = None,
        penalties: Sequence[Any] = (),
        pretrain_epochs: int | None = None,
        fine_tune: bool = True,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.loss = n_components, network, hidden, loss
        self.corruption, self.penalties, self.pretrain_epochs = corruption, penalties, pretrain_epochs
        self.fine_tune, self.trainer, self.random_state = fine_tune, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        epochs = self.pretrain_epochs
        if epochs is not None and (not isinstance(epochs, int) or epochs < 1):
            raise out_of_range("pretrain_epochs", "an int of at least 1, or None", epochs)
        recipe = compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss,
        )  # fmt: skip
        pile = levels(recipe.module.encoder, recipe.module.decoder)
        act = pile[-1].activation
        if len(pile) > 1 and pile[-1].width >= pile[-2].width and act is not None:
            recipe.module.bottleneck = ActiveCode(pile[-1].width, act)
        necks = [*(Identity(level.width) for level in pile[:-1]), recipe.module.bottleneck]
        corruptions = one_each("corruption", self.corruption, len(pile))
        nested = any(isinstance(entry, list | tuple) for entry in self.penalties)
        penalties = one_each("penalties", list(self.penalties) if nested else None, len(pile))
        stages = []
        for k, level in enumerate(pile):
            terms = (penalties[k] if nested else self.penalties) or ()
            context = {"features": level.width, "shape": (pile[k - 1].width,) if k else shape}
            objective = Objective(
                layer_loss(level, recipe.objective.loss), [make("penalty", p, **context) for p in terms]
            )
            module = AutoencoderModule(level.down, necks[k], level.up)
            below = Below(recipe.module, pile[:k]) if k else None
            corruption: Corruption | None = make("corruption", corruptions[k], shape=context["shape"])
            stages.append(Stage(module, objective, corruption, epochs=epochs, inputs=below))
        recipe.stages = [*stages, Stage(recipe.module, recipe.objective)] if self.fine_tune else stages
        return recipe


class Below:
    """The frozen layers below a stage: rows to the codes it learns from."""

    def __init__(self, module: AutoencoderModule, pile: Sequence[Level]) -> None:
        self.module, self.downs = module, [level.down for level in pile]

    def __call__(self, x: Tensor) -> Tensor:
        if self.module.shift is not None:
            x = (x - self.module.shift) * (1 / self.module.scale)
        for down in self.downs:
            x = down(x)
        return x


class ActiveCode(Bottleneck):
    """A code that is one more hidden layer: z = activation(h)."""

    def __init__(self, features: int, activation: nn.Module) -> None:
        super().__init__()
        self.in_features = self.out_features = features
        self.activation = activation

    def code(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        out: Tensor = self.activation(h)
        return out

    def forward(self, h: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Latent:
        code = self.code(h)
        return Latent(code, code)


class Activated(ReconstructionLoss):
    """A squared error after the activation that the deep network has at this place."""

    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.activation = activation

    def elementwise(self, recon: Tensor, target: Tensor) -> Tensor:
        return (self.link(recon) - target).square()

    def link(self, recon: Tensor) -> Tensor:
        out: Tensor = self.activation(recon)
        return out


def layer_loss(level: Level, loss: ReconstructionLoss) -> ReconstructionLoss:
    """What one layer pays: the data's own loss at the bottom, above it what fits the range of the codes."""
    if level.activation is None:
        return loss
    if isinstance(level.activation, nn.Sigmoid):
        bernoulli: ReconstructionLoss = make("loss", "bernoulli")
        return bernoulli
    return Activated(level.activation)


def one_each(name: str, given: Any, layers: int) -> list[Any]:
    """One entry a layer, of one for all or a list. Raises `UsageError` for a list of another length."""
    if not isinstance(given, list | tuple):
        return [given] * layers
    if len(given) != layers:
        raise out_of_range(name, f"one for all layers or a list of {layers}, one for each", given)
    return list(given)
