"""Tables, pictures and arrays go in and come back as what they were; bad rows are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import VAE, Autoencoder, Trainer
from diabolo.core.errors import DataError

QUICK = Trainer(epochs=2, batch_size=16)


def ae(k: int = 2, **params: Any) -> Autoencoder:
    return Autoencoder(k, **{"trainer": QUICK, "random_state": 0, **params})


def array(n: int = 40, width: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, width)).astype("float32")


def people(n: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    age = random.integers(18, 90, n)
    frame = pd.DataFrame(
        {
            "age": age,
            "income": np.exp(random.normal(8 + age / 50, 0.3)),
            "city": random.choice(["Bonn", "Graz", "Lyon"], n),
            "member": random.random(n) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1000, n), "D"),
            "constant": 7,
        }
    )
    frame.loc[3, "income"] = np.nan
    frame.loc[5, "city"] = None
    return frame


# ── tables ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", [Autoencoder, VAE])
def test_a_table_comes_back_with_its_columns_and_types(model: Any) -> None:
    frame = people()
    fitted = model(3, trainer=QUICK, random_state=0).fit(frame)
    for back in (fitted.reconstruct(frame), fitted.inverse_transform(fitted.transform(frame))):
        assert list(back.columns) == list(frame.columns) and len(back) == len(frame)
        assert back.dtypes.astype(str).to_dict() == frame.dtypes.astype(str).to_dict()
        assert not back.isna().any().any()
        assert set(back["city"]) <= {"Bonn", "Graz", "Lyon"} and (back["constant"] == 7).all()


def test_draws_of_a_table_are_a_table() -> None:
    draws = VAE(3, trainer=QUICK, random_state=0).fit(people()).sample(5, random_state=0)
    assert list(draws.columns) == list(people().columns) and len(draws) == 5


def test_what_stands_in_a_missing_cell_does_not_matter_to_the_score() -> None:
    frame = people()
    model = ae(3).fit(frame)
    # a row whose income is unknown is scored on its other columns alone: finite, and no better known than others
    scores = model.score_samples(frame)
    assert np.isfinite(scores).all() and scores.shape == (60,)


def test_columns_are_found_by_name_and_missing_ones_are_named() -> None:
    frame = people()
    model = ae(3).fit(frame)
    shuffled = frame[frame.columns[::-1]]
    with pytest.raises((DataError, ValueError), match=r"income"):
        model.transform(frame.drop(columns="income"))
    try:
        codes = model.transform(shuffled)
    except ValueError as refused:
        assert "order" in str(refused)
    else:
        np.testing.assert_array_equal(codes, model.transform(frame))


# ── pictures ──────────────────────────────────────────────────────────────────────────────────────


def pictures(*shape: int, n: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.mark.parametrize("network", ["dense", "conv(channels=(4, 8))", "conv(channels=(4,), pool='max', norm='batch')"])
@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3), (1, 8, 1)])
def test_pictures_come_back_as_bytes_of_their_size(network: str, shape: tuple[int, ...]) -> None:
    X = pictures(*shape)
    model = ae(3, network=network).fit(X)
    back = model.reconstruct(X)
    assert back.dtype == np.uint8 and back.shape == X.shape
    assert model.transform(X).shape == (len(X), 3)


def test_float_pictures_go_in_as_arrays_and_come_back_as_floats() -> None:
    X = pictures(8, 8, 3).astype("float32") / 255
    for network in ("dense", "conv(channels=(4, 8))"):
        back = ae(3, network=network).fit(X).reconstruct(X)
        assert back.dtype == np.float32 and back.shape == X.shape


def test_codes_that_keep_positions_go_both_ways() -> None:
    X = pictures(12, 8)
    model = ae(2, network="conv(channels=(4, 8), flat=False)").fit(X)
    codes = model.transform(X)
    assert codes.shape == (24, 3, 2, 2) and model.n_components_ == 12
    np.testing.assert_array_equal(model.inverse_transform(codes), model.reconstruct(X))
    with pytest.raises(DataError, match=r"codes must have shape \(N, 3, 2, 2\); got \(24, 12\)"):
        model.inverse_transform(codes.reshape(24, 12))


# ── arrays that are hard ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity"), (1e300, "too large for")]
)
def test_what_is_no_number_is_named_by_row_and_column(value: float, name: str) -> None:
    X = array().astype("float64")
    model = ae().fit(X)
    X[7, 3] = value
    for call in (ae().fit, model.transform, model.score_samples, model.partial_fit):
        with pytest.raises(DataError, match=rf"{name}.*row 7, column 3"):
            call(X)


def test_one_row_is_too_few_to_learn_from_and_enough_to_encode() -> None:
    X = array()
    with pytest.raises(ValueError, match=r"minimum of 2|at least 2 rows"):
        ae().fit(X[:1])
    with pytest.raises(ValueError, match=r"at least 2 rows"):
        ae().fit(pictures(4, 4, n=1))
    with pytest.raises(ValueError, match=r"at least 2 rows"):
        ae().fit(people(60).head(1))
    model = ae().fit(X)
    np.testing.assert_allclose(model.transform(X[:1]), model.transform(X)[:1], rtol=1e-4, atol=1e-5)


def test_no_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"0 sample|minimum of 2"):
        ae().fit(array()[:0])
    model = ae().fit(array())
    with pytest.raises(ValueError, match=r"0 sample"):
        model.transform(array()[:0])


@pytest.mark.parametrize("n", [2, 3, 17])
@pytest.mark.parametrize("model", [Autoencoder, VAE])
def test_fewer_rows_than_a_batch_are_fine(model: Any, n: int) -> None:
    X = array(n)
    fitted = model(1, network="dense", hidden=(4,), trainer=Trainer(epochs=2, batch_size=256)).fit(X)
    assert fitted.transform(X).shape == (n, 1)


def test_a_last_batch_of_one_row_does_no_harm_to_batch_norm() -> None:
    X = array(33)
    model = ae(2, network="dense(norm='batch')", hidden=(8,), trainer=Trainer(epochs=2, batch_size=16)).fit(X)
    assert np.isfinite(model.transform(X)).all()


@pytest.mark.parametrize("model", [Autoencoder, VAE])
def test_constant_columns_come_back_and_do_no_harm(model: Any) -> None:
    X = array(200)
    X[:, 2], X[:, 4] = 3.0, 0.0
    fitted = model(2, trainer=Trainer(epochs=40), random_state=0).fit(X)
    back = fitted.reconstruct(X)
    assert np.isfinite(back).all()
    assert np.abs(back[:, [2, 4]] - X[:, [2, 4]]).max() < 0.3


@pytest.mark.parametrize("value", [0.0, 5.0, -1e4])
@pytest.mark.parametrize("model", [Autoencoder, VAE])
def test_rows_that_are_all_equal_are_learnt(model: Any, value: float) -> None:
    X = np.full((30, 4), value, "float32")
    fitted = model("auto", trainer=QUICK, random_state=0).fit(X)
    np.testing.assert_allclose(fitted.reconstruct(X), X, rtol=0.05, atol=0.2)
    assert fitted.n_components_ == 1


def test_a_wrong_width_is_named() -> None:
    model = ae().fit(array())
    with pytest.raises(ValueError, match=r"X has 4 features, but Autoencoder is expecting 5 features"):
        model.transform(array()[:, :4])
    with pytest.raises(DataError, match=r"pictures have shape \(5, 4\), but the model is expecting \(4, 4\)"):
        ae().fit(pictures(4, 4)).transform(pictures(5, 4))
    with pytest.raises(DataError, match=r"codes must have shape \(N, 2\); got \(3, 5\)"):
        model.inverse_transform(np.zeros((3, 5)))


def test_texts_where_numbers_are_expected_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"could not convert string to float|no number"):
        ae().fit(np.array([["a", "b"], ["c", "d"], ["e", "f"]], dtype=object))


@pytest.mark.parametrize("dtype", ["int64", "bool", "float16", "uint16"])
def test_numbers_of_every_type_go_in(dtype: str) -> None:
    X = (array() > 0).astype(dtype)
    assert ae().fit(X).reconstruct(X).dtype == np.float32


def test_lists_go_in() -> None:
    assert ae(1).fit(array().tolist()).transform(array()[:3].tolist()).shape == (3, 1)


def test_a_file_is_read_as_the_array_in_it(tmp_path: Any) -> None:
    np.save(tmp_path / "x.npy", array())
    np.testing.assert_array_equal(
        ae().fit(str(tmp_path / "x.npy")).transform(array()), ae().fit(array()).transform(array())
    )
