"""Texts: what is read, what stops, and that tokens and bags come back as the texts they were."""

import io
import json
import tarfile
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

from diabolo import data
from diabolo.core.errors import DataError, UsageError
from diabolo.data import BagOfWords, SparseRows, TextProcessor

TEXTS = ["the cat sat on the mat", "a dog, a cat", "", "the dog sat 😀", "天气预报 明天有雨", "two\nlines\there"] * 6
KINDS = ("bpe", "unigram", "words", "characters")


def fitted(tokens="bpe", **more):
    return TextProcessor(tokens, **{"vocabulary": 400, "length": 60, **more}).fit(TEXTS)


# reading ------------------------------------------------------------------------------------------------------


def test_lines_keep_empty_ones_and_every_sign(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("one\r\n\ntab\there\u2028same line\nend".encode())
    source = data.open(path)
    assert source.rows.tolist() == ["one", "", "tab\there\u2028same line", "end"]
    assert source.modality == "text" and any("1 of 4 texts are empty" in note for note in source.notes)


def test_a_field_like_a_label_stops_until_it_is_named(tmp_path):
    path = tmp_path / "titles.txt"
    path.write_text("".join(f"headline number {n}\t{n % 3}\n" for n in range(30)))
    with pytest.raises(UsageError, match=r"last field .* 3 values .*--target last"):
        data.open(path)
    source = data.open(path, target="last")
    assert source.rows[4] == "headline number 4" and source.target[4] == "1"
    assert data.open(path, target="none").rows[4] == "headline number 4\t1"
    with pytest.raises(UsageError, match="'class' is unknown"):
        data.open(path, target="class")


def test_a_label_may_come_first(tmp_path):
    path = tmp_path / "sms.txt"
    path.write_text("".join(f"{'spam' if n % 4 else 'ham'}\tmessage {n}\n" for n in range(30)))
    with pytest.raises(UsageError, match="--target first"):
        data.open(path)
    assert data.open(path, target="first").target[:2].tolist() == ["ham", "spam"]


def test_columns_of_a_table_are_joined(tmp_path):
    path = tmp_path / "news.csv"
    path.write_text('"3","Title, one","Text one"\n"4","NA",""\n')
    source = data.open(path, column="x1,x2", target="x0", header=False)
    assert source.rows.tolist() == ["Title, one Text one", "NA"] and source.target.tolist() == ["3", "4"]
    with pytest.raises(UsageError, match=r"no column 'x1'.*--no-header"):
        data.open(path, column="x1")


def test_a_parquet_column_with_missing_cells(tmp_path):
    path = tmp_path / "news.parquet"
    pd.DataFrame({"id": [1, 2], "text": ["one", None]}).to_parquet(path)
    source = data.open(path, column="text", key="id")
    assert source.rows.tolist() == ["one", ""] and source.keys["id"].tolist() == [1, 2]
    assert any("1 missing" in note for note in source.notes)


def test_a_tar_of_latin_files_without_suffix(tmp_path):
    path = tmp_path / "posts.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for name in ("train/a/1", "train/b/2", "test/a/3"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO("café".encode("latin-1")))
    with pytest.raises(UsageError, match="training and test texts apart"):
        data.open(path)
    source = data.open(path, include="train/*")
    assert source.rows.tolist() == ["café", "café"] and source.target.tolist() == ["a", "b"]
    assert source.keys["file"].tolist() == ["train/a/1", "train/b/2"]
    assert any("Latin-1" in note for note in source.notes)


def test_files_that_are_no_texts_are_named(tmp_path):
    path = tmp_path / "posts.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("good.txt", "text")
        archive.writestr("bad.txt", b"\0\1")
    with pytest.raises(DataError, match=r"1 of 2 files are no texts.*bad\.txt"):
        data.open(path)


# tokens -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tokens", KINDS)
def test_texts_come_back_and_padding_is_masked(tokens):
    texts = fitted(tokens)
    tensors = texts.encode(TEXTS)
    batch = texts.collate(tensors)
    wanted = [" ".join(text.replace(",", " ,").split()) for text in TEXTS] if tokens == "words" else TEXTS
    assert texts.invert(batch.target) == wanted
    assert tensors["x"].dtype == torch.int32 and batch.x.dtype == torch.long
    assert not batch.target[~batch.mask].any(), "padding is the end token"
    assert (batch.target.gather(1, tensors["lengths"][:, None] - 1) == 0).all(), "the last real step is the end"
    chances = torch.nn.functional.one_hot(batch.target, texts.defaults()["loss"].params["classes"]).float()
    assert texts.invert(chances) == wanted
    assert texts.invert(chances.masked_fill(~batch.mask[..., None], torch.nan)) == wanted


@pytest.mark.parametrize("tokens", KINDS)
def test_state_is_json_and_encodes_the_same(tokens):
    texts = fitted(tokens)
    again = TextProcessor.from_state(json.loads(json.dumps(texts.state())))
    for name, tensor in texts.encode([*TEXTS, "new: žluťoučký"]).items():
        assert torch.equal(again.encode([*TEXTS, "new: žluťoučký"])[name], tensor)
    assert again.shape == texts.shape and again.defaults() == texts.defaults()


@pytest.mark.parametrize("tokens", ("bpe", "unigram"))
def test_bytes_write_what_was_never_seen(tokens):
    texts = fitted(tokens)
    strange = ["žluťoučký kůň", "", "👩‍👩‍👧", "<end>", " blank ", "\x07"]
    assert texts.invert(texts.encode(strange)["x"]) == strange
    assert not (texts.encode(strange)["x"] == 1).any()


def test_learning_twice_gives_the_same_tokens():
    assert fitted().state() == fitted().state()


def test_long_rows_are_cut_and_counted():
    texts = TextProcessor("characters", length=3).fit(TEXTS)
    assert texts.invert(texts.encode(["abcdef".replace("e", "a")])["x"])[0][0] == "a" and texts.shape == (4,)
    assert "1 of 2 texts have more than 3 tokens" in (texts.encode(["a dog", "cat"]), texts.notices[0])[1]
    texts.encode(["cat"])
    assert texts.notices == []


def test_what_is_no_text_is_refused():
    with pytest.raises(DataError, match="row 1 is no text but an int"):
        fitted().encode(["a", 3])
    with pytest.raises(DataError, match="row 0 holds half a character"):
        fitted().encode(["\ud800"])
    with pytest.raises(UsageError, match="at least 300 for 'bpe'"):
        TextProcessor(vocabulary=100)
    with pytest.raises(UsageError, match="did you mean 'words'"):
        TextProcessor("word")


# bags ---------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_the_words():
    bags = BagOfWords(min_count=1).fit(["red red fish", "blue fish"])
    tensors = bags.encode(["red fish red RED", ""])
    assert isinstance(tensors["x"], SparseRows)
    batch = bags.collate(tensors)
    assert batch.target.tolist() == [[0, 1, 3], [0, 0, 0]]
    np.testing.assert_allclose(batch.x[0].norm().item(), 1, rtol=1e-6)
    assert any("1 of 2 texts hold no word" in note for note in bags.notices)


def test_tf_idf_is_scikit_learns():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["the cat sat on the mat", "a dog and a cat", "the dog sat", "nothing of it"]
    ours = BagOfWords(weight="tf-idf", min_count=1).fit(texts)
    theirs = TfidfVectorizer(sublinear_tf=True).fit(texts)
    assert ours.words == theirs.get_feature_names_out().tolist()
    np.testing.assert_allclose(
        ours.collate(ours.encode(texts)).x.numpy(), theirs.transform(texts).toarray(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("weight", ("counts", "tf-idf", "binary"))
def test_bags_come_back_as_their_words_and_state_is_json(weight):
    texts = ["the cat sat on the mat", "dog and cat", ""]
    bags = BagOfWords(weight=weight, min_count=1).fit(texts)
    back = bags.invert(bags.collate(bags.encode(texts)).target)
    assert [set(row.split()) for row in back] == [set(text.split()) for text in texts]
    again = BagOfWords.from_state(json.loads(json.dumps(bags.state())))
    assert torch.equal(again.encode(texts)["x"].dense(len(bags.words)), bags.encode(texts)["x"].dense(len(bags.words)))


def test_chinese_is_counted_by_characters_and_pairs():
    bags = BagOfWords(min_count=1).fit(["天气好", "天气"])
    assert bags.unit == "characters" and bags.words == ["天", "天气", "好", "气", "气好"]


def test_a_vocabulary_of_nothing_is_refused():
    with pytest.raises(DataError, match="take a smaller min_count"):
        BagOfWords(min_count=5).fit(["one", "two"])
    with pytest.raises(UsageError, match="did you mean 'tf-idf'"):
        BagOfWords(weight="tfidf")


# writing ------------------------------------------------------------------------------------------------------


def test_texts_are_written_one_a_line_or_as_a_column(tmp_path):
    rows = data.record.objects(["one", "two\nlines", ""])
    data.write(tmp_path / "out.txt", rows)
    assert (tmp_path / "out.txt").read_text() == "one\ntwo\\nlines\n\n"
    data.write(tmp_path / "out.parquet", rows, keys=pd.DataFrame({"id": [1, 2, 3]}))
    frame = pd.read_parquet(tmp_path / "out.parquet")
    assert frame["text"].tolist() == rows.tolist() and frame["id"].tolist() == [1, 2, 3]
    with pytest.raises(UsageError, match=r"cannot write 'out\.npy'"):
        data.write(tmp_path / "out.npy", rows)


def test_twenty_newsgroups(data_dir):
    path = data_dir / "newsgroups20" / "20news-bydate.tar.xz"
    with pytest.raises(UsageError, match=r"20news-bydate-test \(7532\), 20news-bydate-train \(11314\)"):
        data.open(path)
    source = data.open(path, include="20news-bydate-train/*")
    assert len(source) == 11314 and len(set(source.target)) == 20 and source.modality == "text"


def test_thucnews_and_ag_news(data_dir):
    with pytest.raises(UsageError, match="--target last"):
        data.open(data_dir / "thucnews_titles" / "dev.txt")
    source = data.open(data_dir / "ag_news" / "test.csv", column="x1,x2", target="x0", header=False)
    assert len(source) == 7600 and source.rows[0].startswith("Fears for T N pension after talks Unions")
