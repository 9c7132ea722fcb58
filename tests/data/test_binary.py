"""Dynamic binarisation: a new draw in every epoch of training, none when a model is used, resume to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diabolo import VAE, Checkpoint, Trainer, data, load
from diabolo.core import Batch
from diabolo.core.errors import DataError
from diabolo.data import BinaryProcessor, Source, processor_for
from diabolo.train import Callback


def grey(n: int = 60) -> np.ndarray:
    return np.random.default_rng(0).random((n, 6)).astype("float32")


def test_a_redraw_is_binary_has_the_rows_as_its_mean_and_is_input_and_target_alike() -> None:
    rows = torch.tensor([[0.0, 0.2, 0.7, 1.0]]).expand(20_000, 4)
    drawn = BinaryProcessor().redraw(Batch(rows, rows))
    assert drawn.x is drawn.target and set(drawn.x.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.x.mean(0), rows[0], rtol=0, atol=0.02)


def test_zeros_and_ones_stay_what_they_are() -> None:
    rows = torch.randint(0, 2, (50, 6)).float()
    assert torch.equal(BinaryProcessor().redraw(Batch(rows, rows)).x, rows)


def test_it_is_asked_for_by_the_source_and_asks_for_a_bernoulli() -> None:
    processor = processor_for(Source(grey(), "binary")).fit(grey())
    assert processor.part_name == "binary" and processor.defaults()["loss"].name == "bernoulli"  # type: ignore[attr-defined]
    assert torch.equal(processor.collate(processor.encode(grey())).x, torch.from_numpy(grey()))


@pytest.mark.parametrize("rows", [2 * grey(), grey() - 0.5])
def test_numbers_outside_zero_and_one_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"binary data are chances in \[0, 1\]; got values from .* Divide 8-bit"):
        VAE(2).fit(data.Source(rows, "binary"))


class Seen(Callback):
    """Keeps what the first module saw in every step."""

    def __init__(self) -> None:
        self.rows: list[torch.Tensor] = []

    def on_start(self, loop: Any) -> None:
        redraw = loop.stages[0].redraw
        loop.stages[0].redraw = lambda batch: self._note(redraw(batch))

    def _note(self, batch: Batch) -> Batch:
        self.rows.append(batch.x)
        return batch


def trainer(**knobs: Any) -> Trainer:
    return Trainer(**{"epochs": 3, "batch_size": "full", "optimizer": "adam", "validation": 0.0, **knobs})


def test_every_epoch_sees_other_draws_of_the_same_rows_and_using_the_model_none() -> None:
    seen = Seen()
    model = VAE(2, hidden=(8,), trainer=trainer(callbacks=[seen]), random_state=0).fit(data.Source(grey(), "binary"))
    assert len(seen.rows) == 3 and all(set(rows.unique().tolist()) == {0.0, 1.0} for rows in seen.rows)
    assert not torch.equal(seen.rows[0].sum(0), seen.rows[1].sum(0))
    state = torch.get_rng_state()
    np.testing.assert_array_equal(model.transform(grey()), model.transform(grey()))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_run_that_was_cut_ends_with_the_same_bits(tmp_path: Path) -> None:
    class Cut(Callback):
        def on_step(self, loop: Any) -> None:
            if loop.step == 4:
                loop._interrupted = True

    def fit(*callbacks: Callback) -> VAE:
        knobs = trainer(batch_size=16, validation=0.2, callbacks=callbacks)
        return VAE(2, hidden=(8,), trainer=knobs, random_state=0).fit(data.Source(grey(), "binary"))

    whole = fit().transform(grey())
    with pytest.raises(Exception, match="interrupted in epoch"):
        fit(Cut(), Checkpoint(tmp_path / "state"))
    again = fit(Checkpoint(tmp_path / "state", resume=True)).transform(grey())
    np.testing.assert_array_equal(again, whole)


def test_the_model_on_disk_knows_its_kind_of_rows(tmp_path: Path) -> None:
    model = VAE(2, hidden=(8,), trainer=trainer(), random_state=0).fit(data.Source(grey(), "binary"))
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert type(again.processor_) is BinaryProcessor
    np.testing.assert_array_equal(again.score_samples(grey()), model.score_samples(grey()))
    np.testing.assert_array_equal(again.fit(data.Source(grey(), "binary")).transform(grey()), model.transform(grey()))
