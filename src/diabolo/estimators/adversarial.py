"""Autoencoders with a critic: on the code, on what is decoded, on the samples of a generator beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils import ClassifierTags

from ..blocks.critic import Game
from ..core import Spec, register
from ..core.errors import ModelError, UsageError, out_of_range, unknown
from ..core.interfaces import Shape
from ..penalties.known_label import KnownLabel
from ..train import Trainer
from . import choose
from .base import BaseAutoencoder
from .composed import compose, network_of
from .generator import FORMS, Energy, assemble
from .recipe import Choice, Recipe

TRAINING = (
    Choice("optimizer", "adam(beta1=0.5)", "players chase each other: short momentum"),
    Choice("lr", 1e-3, "as fast as the critic"),
)
"""What these models ask of the trainer (Radford et al. 2016), unless the user says otherwise."""


@register("model", "adversarial")
class AdversarialAutoencoder(BaseAutoencoder):
    """Adversarial autoencoder: a critic makes the codes of all rows together look like draws from the prior.

        x ──encoder──▶ z ──decoder──▶ p(x | z)        encoder, decoder: -log p(x | z) - weight · log σ(D(z))
                       │                              critic: -log σ(D(z')) - log(1 - σ(D(z)))
        prior ──▶ z' ──┴──▶ critic D

    The code is deterministic and needs no posterior; ``sample`` decodes draws from the prior. With
    labels, ``fit(X, y)``, some of them unknown (-1), the code is [class probabilities | style]: one critic makes the
    first half one-hot, another makes the style normal, and known labels pay their cross-entropy; `predict` and
    `predict_proba` give the class (Makhzani et al., section 5).

    Parameters
    ----------
    n_components : int >= 1 or "auto"; values of the code, of the style where there are labels.
    network, hidden, loss : as `Autoencoder`; ``loss`` "auto" is a Gaussian with a learned scale.
    prior : normal, or another by name, which is drawn from as it is made: the critic moves the codes to it, nothing
        moves it. With labels it is a class beside a normal style.
    weight : of the critic's word beside the reconstruction in nats, >= 0, or a schedule.
    critic : widths of the critics' hidden layers.
    trainer, random_state : as `Autoencoder`.

    Reference: Makhzani et al. (2015), "Adversarial autoencoders".

    >>> import numpy as np
    >>> from diabolo import AdversarialAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = AdversarialAutoencoder(2, trainer=Trainer(epochs=2), random_state=0)
    >>> model.fit(X).sample(3, random_state=0).shape, model.fit(X, X[:, 0] > 0).predict(X).shape
    ((3, 5), (64,))
    """

    _label_role = "label"
    _optional_labels = True

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        prior: Any = "normal",
        loss: Any = "auto",
        weight: Any = 10.0,
        critic: Sequence[int] = (128, 64),
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.prior, self.loss = n_components, network, hidden, prior, loss
        self.weight, self.critic, self.trainer, self.random_state = weight, critic, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        critic: Any = Spec("adversarial", weight=self.weight, hidden=tuple(self.critic))
        neck: Any = "identity"
        prior, penalties = self.prior, [critic]
        if (classes := self._classes) is not None:
            neck = prior = Spec("class-style", classes=classes)
            halves = ((0, classes), (classes, None))
            penalties = [*(critic.with_defaults(part=half) for half in halves), KnownLabel(classes, self.weight)]
        recipe = compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, bottleneck=neck, prior=prior, penalties=penalties,
        )  # fmt: skip
        recipe.training = TRAINING
        return recipe

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))

    @property
    def _classes(self) -> int | None:
        """How many classes the labels have; None: there are no labels."""
        return self.labels_.size if "labels_" in vars(self) else None

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes (N, K), in the order of ``labels_.classes``.

        Raises `ModelError` if the model was fitted without labels.
        """
        codes = self.transform(X)
        if self._classes is None:
            raise ModelError("this model was fitted without labels and knows no class; give y to fit.")
        return codes[..., : self._classes]

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of every row (N,)."""
        best = self.predict_proba(X).argmax(-1)
        return self.labels_.classes[best]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags()  # of `predict_proba`; it is a transformer all the same
        return tags


@register("model", "vae-gan")
class VAEGAN(BaseAutoencoder):
    """VAE-GAN: a variational autoencoder whose reconstruction error is taken in the features of a critic.

        x ──encoder──▶ q(z | x) ──▶ z ──decoder──▶ x̂ ──▶ critic: features f, real?
                                    ▲
        prior ──▶ z' ───────────────┘

        encoder   KL(q ‖ p) + ½ ‖f(x̂) - f(x)‖²
        decoder   ½ ‖f(x̂) - f(x)‖² - weight · log σ(D(x̂)), over reconstructions and draws from the prior
        critic    tells x from both

    The encoder never feels the critic's verdict, the critic never the error in its features. The critic pays for steep
    slopes at the data (R1), or its features would grow without end and drown the KL term.

    Parameters
    ----------
    n_components, network, hidden, loss : as `Autoencoder`; of the loss its output range is used and, with ``pixel``,
        its value.
    beta : weight of the KL term, >= 0, or a schedule.
    weight : of the critic's verdict for the decoder (1/γ of the paper), >= 0, or a schedule.
    pixel : weight of the ordinary loss beside the one in features, >= 0; the paper has none.
    critic : widths of the critic's hidden layers; the last one gives the features.
    trainer, random_state : as `Autoencoder`.

    Reference: Larsen et al. (2016), "Autoencoding beyond pixels using a learned similarity metric", algorithm 1.

    >>> import numpy as np
    >>> from diabolo import VAEGAN, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> VAEGAN(2, trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        beta: Any = 1.0,
        weight: Any = 1.0,
        pixel: float = 0.0,
        critic: Sequence[int] = (256, 128),
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.loss = n_components, network, hidden, loss
        self.beta, self.weight, self.pixel, self.critic = beta, weight, pixel, critic
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        if not self.pixel >= 0:
            raise out_of_range("pixel", "a number of at least 0", self.pixel)
        penalties = [
            Spec("kl", weight=self.beta),
            Spec("data-critic", weight=self.weight, hidden=tuple(self.critic), smooth=1.0),
            Spec("feature-matching"),
        ]
        recipe = compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, bottleneck="gaussian", prior="normal", penalties=penalties, reconstruction=self.pixel,
        )  # fmt: skip
        recipe.training = TRAINING
        return recipe


@register("model", "ae-gan")
class AEGAN(BaseAutoencoder):
    """A generative adversarial network with an autoencoder's help, in three forms, and without.

        noise ──▶ G ──────────────────────────▶ critic ◀── x            form "none": the plain network
        noise ──▶ G ──▶ autoencoder ──▶ x̂' ───▶ critic ◀── x̂            form "filter"
        noise ──▶ G ──▶ code ─────────────────▶ critic ◀── code(x)      form "codes"; the decoder makes the row
        noise ──▶ G ──▶ x' ──▶ ‖autoencoder(x') - x'‖²                  form "energy"

    "filter": the critic sees what the autoencoder makes of samples, and of data. "codes": the generator learns the
    distribution of the codes of real rows, and the decoder is the last part of it. "energy": the autoencoder is the
    critic (`Energy`) and pays for its margin with some of its reconstruction. In form "none" the autoencoder learns
    beside the network and neither feels the other.
    In all of them the autoencoder gives `transform`, `reconstruct` and `score_samples`; ``sample`` draws from the
    generator. A generator of rows is built like the autoencoder's decoder.

    Parameters
    ----------
    n_components, network, hidden, loss : as `Autoencoder`.
    form : filter, energy, codes or none.
    noise : int >= 1; normal values a sample is made from.
    critic : widths of the critic's hidden layers.
    margin : of form "energy", above 1: up to how many times the error of data the autoencoder pushes that of samples.
    trainer, random_state : as `Autoencoder`.

    Raises `UsageError` for another form, or a table with missing cells in the forms "filter" and "energy".

    Reference: Goodfellow et al. (2014), "Generative adversarial nets"; Zhao et al. (2016), "Energy-based generative
    adversarial network"; Zhao et al. (2018), "Adversarially regularized autoencoders", for a generator of codes.

    >>> import numpy as np
    >>> from diabolo import AEGAN, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> AEGAN(2, form="codes", trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        form: str = "codes",
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        noise: int = 16,
        critic: Sequence[int] = (256, 128),
        margin: float = 2.0,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.form, self.network, self.hidden, self.loss = n_components, form, network, hidden, loss
        self.noise, self.critic, self.margin = noise, critic, margin
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        self._check(shape, target_shape)
        recipe = compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, penalties=[Energy(self.margin)] if self.form == "energy" else [],
        )  # fmt: skip
        base, cost = recipe.module, recipe.objective.loss
        with torch.no_grad():
            code_shape = tuple(base.eval().code(torch.zeros(1, *shape)).shape[1:])
        net, width = network_of(self.network, self.hidden), cost.recon_shape(target_shape)
        recipe.module = assemble(
            base.train(), self.form, cost.link, target_shape, lambda code: net.build(shape, code, code, width)[1],
            code_shape, self.noise, (128, 128), tuple(self.critic), Game(),
        )  # fmt: skip
        recipe.training = TRAINING
        return recipe

    def _check(self, shape: Shape, target_shape: Shape) -> None:
        if self.form not in FORMS:
            raise unknown("form", self.form, FORMS)
        if not self.noise >= 1:
            raise out_of_range("noise", "an int of at least 1", self.noise)
        if not self.margin > 1:
            raise out_of_range("margin", "a number above 1", self.margin)
        if self.form in ("filter", "energy") and shape != target_shape:
            raise UsageError(
                f"form {self.form!r} reads samples with the encoder, which here is also told what cells are missing; "
                "use form 'codes' or 'none', or fill the cells first."
            )
