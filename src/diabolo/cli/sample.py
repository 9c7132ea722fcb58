"""Behind `diabolo sample`: new rows, under conditions if asked, and how good they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .options import console, read, tell

MOST = 20_000
"""Real rows that new ones are held against."""


def maker(path: Path) -> Any:
    """What draws: the task's model where it can, else the autoencoder in the folder."""
    from ..estimators.saving import load
    from ..tasks.base import TaskModel

    fitted = load(path)
    return fitted.autoencoder_ if isinstance(fitted, TaskModel) and not _generates(fitted) else fitted


def _generates(fitted: Any) -> bool:
    from ..tasks.generate import AutoencoderGenerator

    return isinstance(fitted, AutoencoderGenerator)


def rows(fitted: Any, n: int, class_: str | None, where: list[str] | None, seed: int) -> Any:
    """New rows: of a generator, or of any model with a prior, there under conditions by rejection alone."""
    if not _generates(fitted):
        told = {} if class_ is None else {"y": _class(fitted, class_)}
        return _rejected(fitted, n, told, where, seed) if where else fitted.sample(n, random_state=seed, **told)
    asked = [*(where or ()), *([] if class_ is None else [_of_class(fitted, class_)])]
    drawn = fitted.draw(n, where=asked, random_state=seed)
    if asked:
        _tell_draws(n, drawn.draws, drawn.near)
    return drawn.rows


def _rejected(fitted: Any, n: int, told: dict[str, Any], where: list[str], seed: int) -> Any:
    from ..core.errors import UsageError
    from ..data import TableProcessor
    from ..tasks.where import conditions, named, rejected

    if not isinstance(fitted.processor_, TableProcessor):
        raise UsageError("--where names columns of a mixed table, which this model does not make; leave it out.")
    found, seeds = named(conditions(where), fitted.processor_.columns), iter(range(seed, seed + 2**31))
    made, draws = rejected(lambda size, few: fitted.sample(size, random_state=next(seeds), **told), n, found)
    _tell_draws(n, draws, False)
    return made


def _tell_draws(n: int, draws: int, near: bool) -> None:
    how = ", some around the real rows nearest to the conditions" if near else ""
    tell(f"  {draws:,} rows drawn{how}, for {n:,} that satisfy the conditions")


def _of_class(generator: Any, class_: str) -> str:
    from ..core.errors import UsageError

    target = generator.facts_["target"]
    if target is None:
        raise UsageError("--class needs a table trained with --target; name the column: --where column=value.")
    return f"{target['name']}={class_}"


def _class(fitted: Any, text: str) -> Any:
    """A class as the model knows it. Raises `UsageError` for one that it does not."""
    import inspect

    from ..core.errors import UsageError, unknown

    if "y" not in inspect.signature(fitted.sample).parameters:
        raise UsageError(f"--class does not apply to model {fitted.part_name!r}: it is told no class; leave it out.")
    known = {str(value): value for value in fitted.labels_.classes.tolist()}
    if text not in known:
        raise unknown("class", text, known)
    return known[text]


def must_generate(fitted: Any) -> None:
    """Raise `UsageError` for a model whose rows --quality cannot judge: of a table, but no generator."""
    from ..core.errors import UsageError
    from ..data import TableProcessor

    if isinstance(fitted.processor_, TableProcessor) and not _generates(fitted):
        raise UsageError(
            "--quality of a table is for a generator: diabolo fit DATA --task generate --out MODEL; "
            "of pictures, sounds, series, texts and arrays it is for any model that samples."
        )


def judge(maker: Any, fitted: Any, made: Any, data: str, seed: int) -> None:
    """Print how the rows compare with the real ones of a file; half of these teach, half test."""
    (_judge_table if _generates(maker) else _judge_rows)(maker, fitted, made, data, seed)


def _judge_rows(maker: Any, fitted: Any, made: Any, data: str, seed: int) -> None:
    import numpy as np

    from ..data import Stored
    from ..tasks.sample_quality import judged_samples
    from .tables import assessed

    source = read(data, model=fitted)
    source = source.rows.sample(MOST) if isinstance(source.rows, Stored) else source
    if len(source) > MOST:
        source = source.take(np.sort(np.random.default_rng(seed).permutation(len(source))[:MOST]))
    assessed(console(), judged_samples(maker, source, made, seed=seed).as_dict())


def _judge_table(generator: Any, fitted: Any, made: Any, data: str, seed: int) -> None:
    """Print how the rows compare with the real ones of a file: half of them teach, half test."""
    import numpy as np

    from ..tasks.quality import compared_tables
    from ..tasks.table_rows import as_table
    from .tables import assessed

    of_frame, target = generator.facts_["rows"] == "frame", generator.facts_["target"]
    real = as_table(read(data, model=fitted) if of_frame else read(data))[0]
    order = np.random.default_rng(seed).permutation(len(real))
    teach, test = (real.iloc[np.sort(part)] for part in np.array_split(order, 2))
    name = target["name"] if target is not None and target["name"] in real.columns else None
    assessed(console(), compared_tables(teach, test, {"these rows": made}, target=name, seed=seed).as_dict())
