"""Models of series: whatever the network, windows go in and series come back on their own axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diabolo import Autoencoder, MaskedAutoencoder, SequenceAutoencoder, Trainer, data, load
from diabolo.data import Series, SeriesProcessor

QUICK = Trainer(epochs=2, batch_size=16)


def source(processor: Any = "series(window=16)") -> data.Source:
    steps = np.arange(300)
    values = np.stack([np.sin(steps / 5), np.cos(steps / 3)], axis=1)
    rows = [Series(values, steps * 1.0, name="a"), Series(values[:41], None, name="b")]
    return data.open(rows, processor=processor)


@pytest.mark.parametrize(
    "model",
    [
        Autoencoder(3, trainer=QUICK, random_state=0),
        Autoencoder(3, network="conv(dims=1, channels=(4, 8))", trainer=QUICK, random_state=0),
        SequenceAutoencoder(3, trainer=QUICK, random_state=0),
        MaskedAutoencoder(3, trainer=QUICK, random_state=0),
    ],
    ids=["dense", "conv", "sequence", "masked"],
)
def test_series_come_back_on_their_own_axes(model: Any, tmp_path: Path) -> None:
    given = source()
    fitted = model.fit(given)
    assert isinstance(fitted.processor_, SeriesProcessor)
    back = fitted.reconstruct(given)
    assert [row.values.shape for row in back] == [(300, 2), (41, 2)] and back[1].time is None
    assert (back[0].time == given.rows[0].time).all() and all(np.isfinite(row.values).all() for row in back)
    windows = len(fitted.processor_.places(given.rows)[0])
    assert len(fitted.transform(given)) == len(fitted.score_samples(given)) == windows
    fitted.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").transform(given), fitted.transform(given))


@pytest.mark.parametrize("network", ["dense", "conv(dims=1, channels=(4, 8))", "recurrent"])
def test_what_stands_in_a_missing_value_does_not_matter(network: str) -> None:
    row = source().rows[0]
    model = Autoencoder(3, network=network, trainer=QUICK, random_state=0).fit(source())
    row.values[7:9, 0] = np.nan
    scores = model.score_samples([row])
    assert np.isfinite(scores).all() and np.isfinite(model.reconstruct([row])[0].values).all()


def test_a_wave_is_learnt_and_an_odd_stretch_scores_worst() -> None:
    rows = source().rows
    trainer = Trainer(epochs=60, batch_size=16)
    model = Autoencoder(4, trainer=trainer, random_state=0).fit(source())
    error = np.mean((model.reconstruct(rows)[0].values - rows[0].values) ** 2)
    assert error < 0.05 * rows[0].values.var()
    rows[0].values[150:154] = 3.0
    number, first, after = model.processor_.places(rows)
    worst = int(np.argmin(model.score_samples(rows)))
    assert number[worst] == 0 and first[worst] <= 153 and after[worst] > 150
