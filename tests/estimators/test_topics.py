"""The topic model: planted topics are found again, nothing collapses, and rows of any kind are counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix

from diabolo import TopicModel, Trainer, load
from diabolo.core.errors import DataError, UsageError
from diabolo.data import BagOfWords, Source
from diabolo.tasks.coherence import diversity

TOPICS, WORDS, TEXTS = 5, 8, 600
VOCABULARY = [f"{'abcde'[k]}word{chr(97 + w)}" for k in range(TOPICS) for w in range(WORDS)]


def planted() -> tuple[list[str], np.ndarray]:
    """Texts of 30 words, each of one or two of five topics of eight words of their own, and their true shares."""
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.full(TOPICS, 0.1), TEXTS)
    words = np.kron(np.eye(TOPICS), random.dirichlet(np.full(WORDS, 5.0), 1))
    texts = [" ".join(random.choice(VOCABULARY, 30, p=row)) for row in shares @ words]
    return texts, shares


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return planted()[0]


@pytest.fixture(scope="module")
def model(texts: list[str]) -> TopicModel:
    return TopicModel(TOPICS, trainer=Trainer(epochs=60), random_state=0).fit(texts)


def matched(model: TopicModel) -> np.ndarray:
    """Which planted topic each topic is, and that its words are that topic's."""
    true = [set(VOCABULARY[k * WORDS : (k + 1) * WORDS]) for k in range(TOPICS)]
    found = [{word for word, _ in topic} for topic in model.topics(WORDS)]
    same = np.array([[len(a & b) for b in true] for a in found])
    rows, columns = linear_sum_assignment(-same)
    assert same[rows, columns].mean() >= 0.9 * WORDS
    return columns


def test_planted_topics_and_the_shares_of_every_text_are_found_again(model: TopicModel, texts: list[str]) -> None:
    order, true = matched(model), planted()[1]
    shares = model.topics_of(texts)
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    main = true.max(1) > 0.8
    assert (order[shares.argmax(1)] == true.argmax(1))[main].mean() > 0.95


def test_no_topic_dies_and_texts_differ(model: TopicModel, texts: list[str]) -> None:
    """Component collapse: all topics alike, and one posterior for all texts."""
    assert diversity([[word for word, _ in topic] for topic in model.topics(WORDS)]) >= 0.8
    shares = model.topics_of(texts)
    assert (shares.max(0) > 0.5).all() and (shares.std(0) > 0.1).all()
    assert model.history_[-1]["train"]["kl"] > 1


def test_the_order_of_words_does_not_matter(model: TopicModel, texts: list[str]) -> None:
    random = np.random.default_rng(1)
    mixed = [" ".join(random.permutation(text.split())) for text in texts[:50]]
    np.testing.assert_array_equal(model.topics_of(mixed), model.topics_of(texts[:50]))


def test_empty_texts_and_texts_of_other_words_are_alike(model: TopicModel) -> None:
    codes = model.transform(["", "nothing of this was there", ""])
    assert np.isfinite(codes).all() and (codes == codes[0]).all()
    np.testing.assert_allclose(model.topics_of([""]).sum(), 1, rtol=1e-5)


def test_texts_come_back_as_words_of_their_topics(model: TopicModel, texts: list[str]) -> None:
    text = " ".join(VOCABULARY[:WORDS])
    back = model.reconstruct([text])[0].split()
    assert set(back[:5]) <= set(VOCABULARY[:WORDS])
    assert all(set(row.split()) <= set(VOCABULARY) for row in model.sample(3, random_state=0))


def test_saved_and_loaded_to_the_same_bits(model: TopicModel, texts: list[str], tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.topics_of(texts[:9]), model.topics_of(texts[:9]))
    assert again.topics(3) == model.topics(3) and again.vocabulary_ == model.vocabulary_


def test_counts_may_come_as_an_array_a_frame_or_sparse(texts: list[str], model: TopicModel) -> None:
    counts = model.counts(texts)
    made = {}
    for name, rows in {
        "array": counts.toarray(),
        "frame": pd.DataFrame(counts.toarray(), columns=model.vocabulary_),
        "sparse": csr_matrix(counts),
        "named": Source(csr_matrix(counts), "interactions", columns=tuple(model.vocabulary_)),
    }.items():
        fitted = TopicModel(TOPICS, trainer=Trainer(epochs=1), random_state=0).fit(rows)
        assert fitted.topics_of(rows).shape == (TEXTS, TOPICS)
        assert (fitted.counts(rows) != counts).nnz == 0
        made[name] = fitted.vocabulary_
    assert made["frame"] == made["named"] == model.vocabulary_ and made["array"][:2] == made["sparse"][:2] == [
        "x0",
        "x1",
    ]


def test_sparse_rows_are_learnt_from_as_texts_are(texts: list[str]) -> None:
    counts = csr_matrix(BagOfWords(min_count=1).fit(texts).encode(texts)["x"].csr(TOPICS * WORDS))
    fitted = TopicModel(TOPICS, trainer=Trainer(epochs=60), random_state=0).fit(counts)
    top = np.argsort(-fitted.topic_word_, 1)[:, :WORDS] // WORDS
    assert np.mean([np.bincount(row).max() / WORDS for row in top]) > 0.9


def test_chinese_is_cut_into_pairs_without_function_signs() -> None:
    rows = ["银行的利率上调", "利率和银行", "足球的比赛", "足球比赛开始了"] * 5
    fitted = TopicModel(2, trainer=Trainer(epochs=1), random_state=0).fit(rows)
    assert {"银行", "利率", "足球", "比赛"} <= set(fitted.vocabulary_)
    assert not any("的" in word or "了" in word for word in fitted.vocabulary_)


def test_a_processor_that_was_asked_for_is_taken(texts: list[str]) -> None:
    rows = Source(np.array(texts, object), "text", processor="bag-of-words(vocabulary=7)")
    assert len(TopicModel(2, trainer=Trainer(epochs=1), random_state=0).fit(rows).vocabulary_) == 7


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alpha": -1.0}, "alpha must be a number above 0"),
        ({"hidden": ()}, "hidden must be at least one width"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"n_components": 0}, "n_components must be an int"),
    ],
)
def test_parameters_out_of_range(params: dict[str, Any], message: str, texts: list[str]) -> None:
    with pytest.raises(UsageError, match=message):
        TopicModel(**params).fit(texts)


def test_what_cannot_be_learnt_is_named(model: TopicModel) -> None:
    with pytest.raises(DataError, match="no word is in 2 texts or more"):
        TopicModel().fit(["the and of", "of the", "1993 42"])
    with pytest.raises(DataError, match="counts are at least 0"):
        TopicModel().fit(np.array([[1.0, -2.0], [0.0, 1.0]]))
    with pytest.raises(DataError, match="counts are at least 0"):
        TopicModel().fit(csr_matrix([[1.0, -2.0], [0.0, 1.0]]))
    with pytest.raises(DataError, match="row 1 is no text"):
        model.topics_of(["a text", 3])
    with pytest.raises(UsageError, match="top must be an int of at least 1"):
        model.topics(0)
