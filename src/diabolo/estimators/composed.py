"""Autoencoder: every axis a parameter."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ..core import AutoencoderModule, Network, Objective, Penalty, Spec, lookup, make, register
from ..core.errors import out_of_range
from ..core.interfaces import Shape
from ..losses.categorical import Categorical
from ..networks.custom import Custom
from ..train import Trainer
from .base import BaseAutoencoder
from .recipe import Recipe


@register("model", "autoencoder")
class Autoencoder(BaseAutoencoder):
    """The composed autoencoder: network x bottleneck x prior x loss x penalties x corruption.

        x ──corruption──▶ encoder ──▶ bottleneck ──▶ z ──▶ decoder ──▶ p(x | z)

    Undercomplete with a small code, linear with ``hidden=()`` (then it spans the PCA subspace, Baldi & Hornik
    1989), overcomplete with a code wider than the data, tied with ``network="dense(tied=True)"``, denoising with
    ``corruption="noise(std=0.1)"`` (Vincent et al. 2008).

    Parameters
    ----------
    n_components : int >= 1 or "auto"; values of a code (of each position, where the network keeps positions).
    network : dense, conv, a text or Spec with parameters, a (encoder, decoder) pair of torch modules, or "auto".
    hidden : widths of the hidden layers, or "auto"; () with a dense network is a linear autoencoder.
    bottleneck, prior, loss, penalties, corruption : parts by name, Spec or instance; None for none.
    trainer : a `Trainer`, or None for the default one; ``set_params(trainer__epochs=5)`` makes one.
    random_state : seed, for the same weights every time.

    Reference: Hinton & Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks".

    >>> import numpy as np
    >>> from diabolo import Autoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> Autoencoder(2, trainer=Trainer(epochs=2), random_state=0).fit(X).transform(X).shape
    (64, 2)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        bottleneck: Any = "identity",
        prior: Any = None,
        loss: Any = "auto",
        penalties: Sequence[Any] = (),
        corruption: Any = None,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden = n_components, network, hidden
        self.bottleneck, self.prior, self.loss, self.penalties = bottleneck, prior, loss, penalties
        self.corruption, self.trainer, self.random_state = corruption, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            bottleneck=self.bottleneck, prior=self.prior, loss=self.loss, penalties=self.penalties,
            corruption=self.corruption,
        )  # fmt: skip


def compose(
    shape: Shape,
    target_shape: Shape,
    *,
    n_components: Any,
    network: Any,
    hidden: Any,
    loss: Any,
    bottleneck: Any = "identity",
    prior: Any = None,
    penalties: Sequence[Any] = (),
    corruption: Any = None,
    importance: Any = None,
    reconstruction: Any = 1.0,
) -> Recipe:
    """Put the parts together for rows of a shape; every variant ends here.

    Parts given by name learn from the composition what their constructors ask for: ``features`` (values of z a
    position) and ``shape`` (of the target; of the data, for priors and corruptions); penalties also ``link`` (of the
    loss: the decoder's output to data) and ``beside`` (the penalties named before). ``reconstruction``: the loss's
    weight.
    """
    if not isinstance(n_components, int) or isinstance(n_components, bool) or n_components < 1:
        raise out_of_range("n_components", "an int of at least 1, or 'auto'", n_components)
    neck = make("bottleneck", bottleneck, features=n_components)
    cost = make("loss", loss, shape=target_shape)
    net = network_of(network, hidden, _vocabulary(cost, shape, target_shape))
    encoder, decoder = net.build(shape, neck.in_features, neck.out_features, cost.recon_shape(target_shape))
    module = AutoencoderModule(encoder, neck, decoder, make("prior", prior, features=neck.out_features, shape=shape))
    terms: list[Penalty] = []
    for penalty in penalties:
        known = {"features": neck.out_features, "shape": target_shape, "link": cost.link, "beside": tuple(terms)}
        terms.append(make("penalty", penalty, **known))
    objective = Objective(cost, terms, importance, reconstruction)
    return Recipe(module, objective, make("corruption", corruption, shape=shape))


def _vocabulary(cost: Any, shape: Shape, target_shape: Shape) -> int | None:
    """The number of tokens, where rows are tokens, one a step: what tells it is the likelihood of tokens."""
    tokens = isinstance(cost, Categorical) and len(shape) == 1 and tuple(shape) == tuple(target_shape)
    return cost.classes if tokens else None


def network_of(network: Any, hidden: Any, vocabulary: int | None = None) -> Network:
    """The network of that name or Spec, told the number of tokens if it takes one, or of a pair of modules."""
    if isinstance(network, tuple) and len(network) != 2:
        raise out_of_range("network", "a name, a Spec or a pair of modules (encoder, decoder)", network)
    if isinstance(network, tuple):
        return Custom(*network)
    known = {} if vocabulary is None else {"vocabulary": vocabulary}
    made: Network = make("network", _with_hidden(network, hidden), **known)
    return made


def _with_hidden(network: Any, hidden: Any) -> Any:
    """The ``hidden`` parameter reaches networks given by name that take one and do not set it themselves."""
    if isinstance(network, str | Spec):
        spec = Spec.of(network)
        takes = "hidden" in inspect.signature(lookup("network", spec.name)).parameters
        return spec.with_defaults(hidden=tuple(hidden)) if takes else spec
    return network
