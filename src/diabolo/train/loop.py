"""The loop: every step is one move per player; its whole state can be written down and taken up again."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..core import Batch, Feed, Output, SelfTrained, StepHook, make
from ..core.errors import Interrupted, TrainingError
from ..core.sparse import is_sparse
from . import state
from .callbacks import Callback
from .closed_form import closed_form
from .device import Device
from .interrupt import ctrl_c
from .optimisers import Player, only
from .stage import Stage, largest_product, training_mode

if TYPE_CHECKING:
    from .trainer import Trainer

CHECK_EVERY = 32
MAX_RESCUES = 3
LOOK_ROWS, LOOK_BYTES = 1024, 64 << 20
"""What an evaluation holds of the data at a time, in float32; activations come on top."""


class Loop:
    """One run of `Trainer.fit`.

    Readable by callbacks: ``stage_index, epoch, epochs, step, total, batch_size, loss, validation_loss,
    progress, history``.
    """

    def __init__(
        self, trainer: Trainer, stages: Sequence[Stage], feed: Feed, validation: Feed | None, seed: int
    ) -> None:
        self.trainer, self.stages, self.feed, self.validation, self.seed = trainer, list(stages), feed, validation, seed
        self._everyone = (feed, validation)
        self.device = Device.of(trainer.device)
        self.schedule = make("schedule", trainer.schedule)
        self.batch_size = len(feed) if trainer.batch_size == "full" else min(int(trainer.batch_size), len(feed))
        self.stage_index = 0
        self._reset()
        self.history: list[dict[str, Any]] = []
        self.sums: dict[str, Tensor] = {}
        self.rows = 0
        self.validation_loss: float | None = None
        self._last = torch.zeros(())
        self._stop: str | None = None
        self._interrupted = False
        self._players: list[tuple[SelfTrained | None, Player]] = []
        self._hooks = [c for c in trainer.callbacks if type(c).on_step is not Callback.on_step]

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in vars(self).items() if name not in _REBUILT}
        return {**kept, "_state": self.state()}

    def __setstate__(self, held: dict[str, Any]) -> None:
        saved = held.pop("_state")
        vars(self).update(held)
        self._enter_stage()
        with torch.random.fork_rng(devices=[]):
            self.restore(saved)
        self._parts.eval()

    # what callbacks read ------------------------------------------------------------------------------------

    @property
    def stage(self) -> Stage:
        """The stage in work."""
        return self.stages[min(self.stage_index, len(self.stages) - 1)]

    @property
    def epochs(self) -> int:
        """Epochs planned for the stage in work."""
        return int(self.stage.epochs if self.stage.epochs is not None else self.trainer.epochs)

    @property
    def peak_rate(self) -> float:
        """The highest learning rate of the stage in work."""
        return self.stage.lr if self.stage.lr is not None else self.trainer.rate()

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.feed) // self.batch_size)

    @property
    def total(self) -> int:
        """Steps planned for the stage in work."""
        return self.epochs * self.steps_per_epoch

    @property
    def loss(self) -> float:
        """The training loss of the last step."""
        return float(self._last)

    @property
    def progress(self) -> float:
        """Share of all planned work that is done, in [0, 1]."""
        done = self.stage_index + self.step / max(1, self.total)
        return min(1.0, done / len(self.stages))

    def stop(self, reason: str) -> None:
        """Ask the loop to end after this step."""
        self._stop = reason

    def tell(self, text: str) -> None:
        """Pass a message to every callback."""
        for callback in self.trainer.callbacks:
            callback.on_message(self, text)

    # running ------------------------------------------------------------------------------------------------

    def run(self) -> list[dict[str, Any]]:
        """All stages from where the state stands. Raises `Interrupted` after Ctrl-C, `TrainingError` on NaN."""
        with self.device.context(largest_product(self.stages, self.batch_size)), ctrl_c(self._interrupt):
            self._enter_stage()
            try:
                for callback in self.trainer.callbacks:
                    callback.on_start(self)
                while self.stage_index < len(self.stages) and not self._stop:
                    self._run_stage()
                    self._leave_stage()
            finally:
                self._let_go()
                for callback in self.trainer.callbacks:
                    callback.on_end(self)
        return self.history

    def begin(self) -> None:
        """Make ready for `online` steps, without a plan of epochs."""
        self._enter_stage()
        self._random = torch.get_rng_state()

    def online(self, feed: Feed) -> None:
        """One pass over rows as they come, one step a batch (online learning)."""
        training_mode(self._parts)
        with torch.random.fork_rng(devices=[]), self.device.context(largest_product(self.stages, self.batch_size)):
            torch.set_rng_state(self._random)
            for batch in feed.batches(self.batch_size):
                self.train_step(batch)
            self._random = torch.get_rng_state()
        self._parts.eval()

    def _enter_stage(self) -> None:
        for stage in self.stages:
            stage.parts().eval()
        self.feed, self.validation = self.stage.rows(*self._everyone)
        parts = self.stage.parts().to(self.device.torch)
        own = [part for part in parts.modules() if isinstance(part, SelfTrained)]
        owned = {id(p) for part in own for p in part.own_parameters()}
        lr = self.peak_rate
        self._frozen = self.stage.freeze()
        main = [p for p in self.stage.parameters() if id(p) not in owned]
        optimizer = self.stage.optimizer if self.stage.optimizer is not None else self.trainer.optimiser()
        self._players = [(None, Player(main, optimizer, lr, self.trainer.clip))]
        for part in own:
            rate = part.lr if part.lr is not None else min(lr, 1e-3)
            self._players.append((part, Player(list(part.own_parameters()), part.optimizer, rate, self.trainer.clip)))
        self._everything = list(parts.parameters())
        self._step_hooks = [part for part in parts.modules() if isinstance(part, StepHook)]
        self._parts = parts
        training_mode(self._parts)
        self._compute = self.device.compiled(self._forward)
        # the closed form leaves no output for other players to look at
        self._closed = closed_form(self.stage) if self.device.exact and not own else None

    def _leave_stage(self) -> None:
        if self.best_tensors:
            for now, best in zip(self.tensors(), self.best_tensors, strict=True):
                now.copy_(best)
        self._let_go()
        self._parts.eval()
        if not self._stop:
            self.stage_index += 1
            self._reset()
            if self.stage_index < len(self.stages):
                self._enter_stage()

    def _reset(self) -> None:
        """Counters at the start of a stage."""
        self.epoch = self.position = self.step = self.rescues = self.wait = 0
        self.lr_scale, self.best, self.best_epoch = 1.0, math.inf, -1
        self.best_tensors: list[Tensor] = []

    def _let_go(self) -> None:
        """Give the stage's parameters back as they were found: storages of their own, all free to train."""
        for _, player in self._players:
            player.release()
        for p in self._frozen:
            p.requires_grad_(True)

    def _run_stage(self) -> None:
        while self.epoch < self.epochs and not self._stop:
            good = self.state()
            began = time.perf_counter()
            if not self._run_epoch():
                self._rescue(good)
                continue
            if self._stop and self.position < self.steps_per_epoch:
                self._partial_best()
                return
            self._close_epoch(time.perf_counter() - began)

    def _run_epoch(self) -> bool:
        """One epoch from ``position``; False if the loss stopped being finite."""
        for batch in self.feed.batches(self.batch_size, seed=self.seed, epoch=self.epoch, start=self.position):
            self.train_step(batch)
            self.position += 1
            if self.step % CHECK_EVERY == 0 and not math.isfinite(self.loss):
                return False
            for hook in self._hooks:
                hook.on_step(self)
            if self._interrupted:
                self._leave_interrupted()
            if self._stop:
                break
        return self._finite()

    def _finite(self) -> bool:
        """Whether the sums of this epoch and the weights after its last step are all finite."""
        numbers = [*self.sums.values(), *(p.sum() for _, player in self._players for p in player.params)]
        return all(math.isfinite(float(number.detach())) for number in numbers)

    def _close_epoch(self, seconds: float) -> None:
        means = {name: float(total) / max(1, self.rows) for name, total in self.sums.items()}
        validation = self.evaluate(self.validation) if self.validation is not None else None
        record = {"stage": self.stage_index, "epoch": self.epoch + 1, "train": means, "validation": validation}
        self.history.append({**record, "lr": self.peak_rate * self._rate(self.step - 1), "seconds": seconds})
        self.sums, self.rows, self.position = {}, 0, 0
        self.validation_loss = validation["loss"] if validation is not None else None
        self.epoch += 1
        self._remember(self.validation_loss)
        for callback in self.trainer.callbacks:
            callback.on_epoch(self)

    def _remember(self, loss: float | None) -> None:
        """Keep the best state; stop when it has not improved for ``patience`` epochs.

        With several players the last state is kept: their losses move against each other and no lowest one is best.
        """
        if loss is None or len(self._players) > 1:
            return
        if loss < self.best:
            self.best, self.best_epoch, self.wait = loss, self.epoch, 0
            self.best_tensors = [tensor.detach().clone() for tensor in self.tensors()]
            return
        self.wait += self._settled()
        patience = self.trainer.patience_for(self.epochs)
        if patience is not None and self.wait >= patience and self.epoch < self.epochs:
            self.tell(
                f"stopped early after epoch {self.epoch}: no improvement on validation data "
                f"since epoch {self.best_epoch}"
            )
            self.epoch = self.epochs

    def _settled(self) -> bool:
        """Whether the rate has come down: while it is high, validation errors wander and say little."""
        return float(self.schedule(self.step, self.total)) <= 0.5 or self.trainer.schedule == "constant"

    def _partial_best(self) -> None:
        """Stopped inside an epoch: the present state competes with the best one."""
        if self.validation is not None:
            self._remember(self.evaluate(self.validation)["loss"])

    def train_step(self, batch: Batch) -> None:
        """One move per player on a batch."""
        stage, device = self.stage, self.device.torch
        if device.type != "cpu":
            batch = batch.map(lambda tensor: tensor.to(device, non_blocking=True))
        batch = stage.prepare(batch)
        seen = stage.corrupted(batch)
        rate = self._rate(self.step)
        main = self._players[0][1]
        with self._only(main):
            main.move(lambda: self._main_loss(seen), rate)
        for part, player in self._players[1:]:
            self._move_own(part, player, seen, rate)  # type: ignore[arg-type]
        for hook in self._step_hooks:
            hook.after_step(self.step, self.total)
        self.step += 1

    def _rate(self, step: int) -> float:
        return self.lr_scale * float(self.schedule(step, self.total))

    def _forward(self, seen: Batch) -> tuple[Tensor, dict[str, Tensor], Output]:
        out = self.stage.module(seen)
        total, terms = self.stage.objective(self.stage.module, seen, out, self.step, self.total)
        return total, terms, out

    def _main_loss(self, seen: Batch) -> Tensor:
        if self._closed is not None and seen.scored is None and not is_sparse(seen.x):
            total = self._closed(seen)
            terms = {"reconstruction": total}
        else:
            total, terms, self._out = self._compute(seen)
            total.backward()
        self._last = total.detach()
        rows = len(seen.x)
        self.rows += rows
        for name, value in {"loss": total, **terms}.items():
            value = value.detach() * rows
            self.sums[name] = self.sums[name] + value if name in self.sums else value
        return self._last

    def _move_own(self, part: SelfTrained, player: Player, seen: Batch, rate: float) -> None:
        out, seen = self._out.detach(), seen.dense()

        def closure() -> Tensor:
            loss = part.own_loss(self.stage.module, seen, out)
            loss.backward()
            return loss

        with self._only(player):
            for _ in range(part.steps):
                player.move(closure, rate)

    def _only(self, player: Player) -> AbstractContextManager[None]:
        """Freeze what the player does not own, if there is more than one player."""
        return nullcontext() if len(self._players) == 1 else only(player.params, self._everything)

    @torch.no_grad()
    def evaluate(self, feed: Feed) -> dict[str, float]:
        """Mean of every term over a feed, in evaluation mode; draws no number from the training stream."""
        self._parts.eval()
        sums: dict[str, Tensor] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            for batch in feed.batches(self._rows_at_once(feed)):
                batch = self.stage.prepare(batch.map(lambda tensor: tensor.to(self.device.torch)))
                if self.stage.corruption is not None and self.stage.corruption.defines_task:
                    batch = self.stage.corrupted(batch)
                out = self.stage.module(batch)
                total, terms = self.stage.objective(self.stage.module, batch, out, self.total, self.total)
                for name, value in {"loss": total, **terms}.items():
                    sums[name] = sums.get(name, torch.zeros(())) + value.cpu() * len(batch.x)
        training_mode(self._parts)
        return {name: float(total) / len(feed) for name, total in sums.items()}

    def _rows_at_once(self, feed: Feed) -> int:
        """Rows of a batch that only looks: 1,024, of wide rows as many as hold 64 MB; never fewer than in training."""
        row = next(iter(feed.batches(1)))
        values = max(row.x.numel(), row.target.numel(), 1)
        return max(self.batch_size, min(LOOK_ROWS, LOOK_BYTES // (4 * values)))

    # state --------------------------------------------------------------------------------------------------

    def tensors(self) -> list[Tensor]:
        """Parameters and buffers of all stages, each once, in a fixed order."""
        parts = nn.ModuleList(part for stage in self.stages for part in stage.parts())
        return [*(p.data for p in parts.parameters()), *parts.buffers()]

    def state(self) -> dict[str, Any]:
        """Everything the rest of training depends on."""
        return state.capture(self)

    def restore(self, held: dict[str, Any]) -> None:
        """Take up a state; the stages before it are done, those after it still to come."""
        state.restore(self, held)

    def _rescue(self, good: dict[str, Any] | None) -> None:
        """The loss is NaN or infinite: back to the start of the epoch, with half the step."""
        rescues = self.rescues + 1
        if good is None or rescues > MAX_RESCUES:
            raise TrainingError(
                f"the loss stopped being finite in epoch {self.epoch + 1}, {MAX_RESCUES} smaller steps did not help; "
                "try a smaller lr, clip=1.0, or look for extreme values in the data."
            )
        scale = self.lr_scale / 2
        self.restore(good)
        self.rescues, self.lr_scale = rescues, scale
        self.tell(
            f"the loss was not finite in epoch {self.epoch + 1}; went back to its start with a learning rate "
            f"{1 / scale:g} times smaller (attempt {rescues} of {MAX_RESCUES})"
        )

    # interruption -------------------------------------------------------------------------------------------

    def _interrupt(self) -> bool:
        """Note a Ctrl-C; False if there was one before."""
        first, self._interrupted = not self._interrupted, True
        return first

    def _leave_interrupted(self) -> None:
        for callback in self.trainer.callbacks:
            callback.on_interrupt(self)
        raise Interrupted(f"interrupted in epoch {self.epoch + 1} of {self.epochs}.")


_REBUILT = {"_players", "_everything", "_step_hooks", "_parts", "_compute", "_closed", "_out"}
"""What a copy or a pickle makes anew: flat buffers share storage with parameters, which a pickle would not keep."""
