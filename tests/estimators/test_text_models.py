"""Models of texts: the code alone gives the text back, every model finds the vocabulary, dropped words are not told."""

import numpy as np
import pytest
import torch

from diabolo import VAE, Autoencoder, SequenceAutoencoder, Trainer, data, load
from diabolo.core import Batch
from diabolo.core.errors import UsageError
from diabolo.networks.recurrent import Recurrent

TEXTS = [f"{a} {b}" for a in ("red", "blue", "green", "old") for b in ("fish", "dog", "cat", "")] * 4
TRAINER = Trainer(epochs=2, validation=0.0)


def test_a_code_alone_gives_its_text_back(tmp_path):
    source = data.open(TEXTS, processor="text(tokens='characters')")
    trainer = Trainer(epochs=120, lr=5e-3, optimizer="adam", batch_size=16, validation=0.0)
    model = SequenceAutoencoder(16, trainer=trainer, random_state=0).fit(source)
    decoded = model.inverse_transform(model.transform(TEXTS))
    assert np.mean([a == b for a, b in zip(decoded, TEXTS, strict=True)]) > 0.9
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").inverse_transform(model.transform(TEXTS)) == decoded


@pytest.mark.parametrize("network", ["auto", "recurrent(teacher=True, width=16)", "transformer(width=16, depth=1)"])
@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_every_model_is_told_the_vocabulary(kind, network):
    model = kind(4, network=network, trainer=TRAINER, random_state=0).fit(TEXTS)
    assert len(model.reconstruct(TEXTS[:3])) == 3 and isinstance(model.reconstruct(TEXTS[:1])[0], str)
    assert np.isfinite(model.score_samples(["a purple fish", ""])).all()
    if kind is VAE:
        assert len(model.sample(2, random_state=0)) == 2
        assert np.isfinite(model.log_likelihood(TEXTS[:3], 5, random_state=0)).all()


@pytest.mark.parametrize("weight", ["counts", "tf-idf", "binary"])
def test_bags_of_words_train_as_any_row(weight):
    source = data.open(TEXTS, processor=f"bag-of-words(weight='{weight}')")
    model = Autoencoder(3, trainer=TRAINER, random_state=0).fit(source)
    assert model.transform(TEXTS).shape == (len(TEXTS), 3)
    assert len(model.reconstruct(TEXTS)) == len(TEXTS)


def test_word_dropout_hides_true_tokens_in_training_only():
    torch.manual_seed(0)
    _, decoder = Recurrent(width=8, vocabulary=5, teacher=True, word_dropout=1.0).build((6,), 4, 3, (6, 5))
    z, one, other = torch.randn(4, 3), torch.randint(5, (4, 6)), torch.randint(5, (4, 6))

    def told(target):
        return decoder(z, Batch(target, target))

    assert torch.equal(told(one), told(other)), "with all words dropped the code alone speaks"
    assert not torch.equal(decoder.eval()(z, Batch(one, one)), told(other))
    with pytest.raises(UsageError, match="teacher=True"):
        Recurrent(vocabulary=5, word_dropout=0.5).build((6,), 4, 3, (6, 5))
