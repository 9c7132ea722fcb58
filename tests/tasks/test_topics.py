"""The task of topics: found, judged, shown and kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from diabolo import VAE, TopicFinder, TopicModel, Trainer, load
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Source
from diabolo.data.record import objects
from diabolo.tasks.coherence import npmi

THEMES = ("orbit moon rocket shuttle launch", "oven butter flour recipe sugar", "goal team league match coach")


def texts(count: int = 300) -> list[str]:
    """Ten words of one theme each."""
    random = np.random.default_rng(0)
    return [" ".join(random.choice(THEMES[n % 3].split(), 10)) for n in range(count)]


@pytest.fixture(scope="module")
def model() -> TopicFinder:
    return TopicFinder(TopicModel(3), top=4, trainer=Trainer(epochs=40, lr=0.01), random_state=0).fit(texts())


def test_each_theme_is_a_topic_and_each_text_is_of_one(model: TopicFinder) -> None:
    found = [set(words) for words in model.topic_words_]
    assert all(any(words <= set(theme.split()) for theme in THEMES) for words in found) and model.diversity_ == 1
    said = model.predict(texts(30))
    assert all(len(set(said[n::3])) == 1 for n in range(3)) and len(set(said)) == 3
    np.testing.assert_allclose(model.topic_shares_, 1 / 3, atol=0.05)


def test_coherence_is_that_of_the_words_over_the_texts(model: TopicFinder) -> None:
    words = model.model.vocabulary_
    columns = [[words.index(word) for word in topic] for topic in model.topic_words_]
    expected = npmi(columns, model.model.counts(texts()))
    np.testing.assert_allclose(model.coherence_, expected)
    assert (model.coherence_ > 0.5).all() and (model.coherence(["orbit oven goal moon team flour"] * 9) <= 0).all()


def test_it_survives_the_disk(model: TopicFinder, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert isinstance(again, TopicFinder) and again.topic_words_ == model.topic_words_
    np.testing.assert_array_equal(again.coherence_, model.coherence_)
    np.testing.assert_array_equal(again.topics_of(texts(9)), model.topics_of(texts(9)))
    np.testing.assert_array_equal(again.transform(texts(9)), model.transform(texts(9)))


def test_it_is_held_against_lda_and_nmf(model: TopicFinder) -> None:
    rows = objects(texts())
    found = model.assess(Source(rows[:250], "text"), Source(rows[250:], "text"))
    assert found is not None and [line[0] for line in found.rows] == ["this model", "LDA", "NMF of tf-idf"]
    assert all(-1 <= float(value) <= 1 for line in found.rows for value in line[1:])
    assert "coherent" in found.verdict and "NPMI" in found.verdict


def test_what_a_report_shows_names_every_topic_with_a_text_of_it(model: TopicFinder) -> None:
    table, picture = model.exhibits(Source(objects(texts(60)), "text"))
    assert len(table.rows) == 3 and all(len(line) == len(table.columns) for line in table.rows)
    for line in table.rows:
        theme = next(theme for theme in THEMES if line[3].split(", ")[0] in theme)
        assert set(line[4].split()[1:]) <= {*theme.split()}
    drawn = picture.strips[0].pictures[0]
    assert drawn.shape == (3 * 40, 60 * 4) and drawn.dtype == np.uint8
    assert (drawn < 60).mean() == pytest.approx(1 / 3, abs=0.05)  # one dark cell a text


def test_a_clone_and_a_plan_are_not_fitted(model: TopicFinder) -> None:
    assert "models_" not in vars(clone(model)) and clone(model).top == 4
    planned = TopicFinder(trainer=Trainer(epochs=1)).plan(texts())
    with pytest.raises(UsageError, match="planned and not fitted"):
        planned.coherence_  # noqa: B018


def test_the_same_seed_finds_the_same_topics() -> None:
    one, two = (
        TopicFinder(TopicModel(3), trainer=Trainer(epochs=2), random_state=4).fit(texts(90)).topic_words_
        for _ in range(2)
    )
    assert one == two


def test_wrong_use_is_named() -> None:
    with pytest.raises(UsageError, match="autoencoder must be a TopicModel"):
        TopicFinder(VAE(2)).fit(texts(9))
    with pytest.raises(UsageError, match="top must be an int of at least 2"):
        TopicFinder(top=1).fit(texts(9))
    with pytest.raises(DataError, match="no word is in 2 texts or more"):
        TopicFinder().fit(["", "the", "1993"])
