"""What several commands print: rows in words, choices, shapes, the comparison."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any


def describe_rows(processor: Any, source: Any = None) -> str:
    """What one row is, in words: 'pictures of 28x28 pixels', 'rows of 5 columns (3 numeric, 2 categorical)'."""
    from ..data import TableProcessor
    from ..data.process_words import UNITS
    from ..data.sound_windows import SoundProcessor

    if isinstance(processor, TableProcessor):
        kinds = Counter(processor.kinds.values())
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        return f"rows of {sum(kinds.values())} columns ({listed})"
    shape = tuple(processor.shape)
    if isinstance(processor, SoundProcessor):
        window = f"{processor.window_seconds:.3g} s at {processor.hz:,} Hz"
        return f"sounds, as windows of {window} ({by(shape)} values)"
    if processor.part_name == "text":
        return f"texts of up to {shape[0] - 1} tokens ({processor.tokens}, {processor.tokenizer.size} different ones)"
    if processor.part_name == "bag-of-words":
        return f"texts as bags of {shape[0]:,} {UNITS[processor.unit]}"
    picture = processor.part_name == "image" or (source is not None and source.modality == "image")
    if processor.part_name == "series":
        return f"series, as windows of {shape[0]} steps in {shape[1]} channel{'' if shape[1] == 1 else 's'}"
    if processor.part_name == "video":
        colours = " in colour" if len(shape) > 3 else ""
        return f"clips, as windows of {shape[0]} frames of {by(shape[1:3])} (height x width){colours}"
    if picture:
        colours = f" in {shape[2]} channels" if len(shape) > 2 else ""
        return f"pictures of {shape[0]}x{shape[1]} (height x width){colours}"
    if processor.part_name == "interactions":
        return f"users with their interactions, among {shape[0]:,} items"
    return f"rows of {by(shape)} values"


def by(shape: Iterable[int]) -> str:
    """A shape as people write it: 28x28."""
    return "x".join(map(str, shape)) or "1"


def short(value: Any) -> str:
    """A parameter's value for a table: the columns of a mixed loss are counted, not listed."""
    text = str(value)
    if text.startswith("mixed(columns="):
        kinds = Counter(re.findall(r"\['(\w+)', \d+\]", text))
        return f"mixed ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())})"
    return text


def chosen(out: Any, choices: Sequence[dict[str, Any]]) -> None:
    """What was decided, and why."""
    rows = [(choice["name"], short(choice["value"]), choice["why"]) for choice in choices]
    table(out, "Chosen", ("parameter", "value", "why"), rows)


def shapes(out: Any, described: dict[str, Any]) -> None:
    """The plan of shapes: every layer and what it gives for one row."""
    layers = [
        (r["name"], r["layer"], by(r["output"]), f"{r['parameters']:,}")
        for r in described["layers"]
        if not r["layer"].startswith("Identity")
    ]
    first = ("input", "", by(described["shape"]), "")
    table(out, "Shapes", ("layer", "what", "gives", "parameters"), [first, *layers], right=(3,))


def assessed(out: Any, values: dict[str, Any]) -> None:
    """The table at the end of fit --task: the model and the simple methods on held-out rows."""
    table(out, values["title"], values["columns"], values["rows"], right=range(1, len(values["columns"])))
    out.print(f"[bold]{values['verdict']}[/bold]")


def compared(out: Any, values: dict[str, Any]) -> None:
    """The table at the end of fit: model, PCA and mean on held-out rows."""
    names = (
        ("model", f"this model, a code of {values['n_components']}"),
        ("pca", f"PCA, {values['pca_components']} components"),
        ("mean", "predicting the mean"),
    )
    rows = [
        (label, f"{values[name]['value']:.4g}", f"{values[name]['low']:.4g} to {values[name]['high']:.4g}")
        for name, label in names
    ]
    title = f"Squared error on {values['rows']:,} held-out rows (values as encoded)"
    table(out, title, ("", "error a row", "95 % interval"), rows, right=(1,))
    out.print(f"[bold]{values['verdict']}[/bold]")
    out.print(f"training rows: {values['train_error']:.4g}; the gap to held-out rows is {100 * values['gap']:+.0f} %")
    for line in values["advice"]:
        out.print(f"  - {line}")


def compared_labels(out: Any, values: dict[str, Any]) -> None:
    """What the model says of held-out rows, beside a linear model and the simplest guess."""
    guess = "the commonest class" if values["measure"] == "accuracy" else "the mean"
    names = (("model", "this model"), ("rival", f"{values['rival_name']} on the raw rows"), ("baseline", guess))
    rows = [
        (label, f"{values[name]['value']:.4g}", f"{values[name]['low']:.4g} to {values[name]['high']:.4g}")
        for name, label in names
    ]
    unit = "" if values["measure"] == "accuracy" else ", in units of the labels' variance"
    title = f"Labels of {values['rows']:,} held-out rows{unit}; {values['known']:,} were known in training"
    table(out, title, ("", values["measure"], "95 % interval"), rows, right=(1,))
    out.print(f"[bold]{values['verdict']}[/bold]")
    out.print()


def table(out: Any, title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A plain table; ``right``: the columns of numbers."""
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        return
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for place, head in enumerate(heads):
        made.add_column(head, justify="right" if place in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    out.print(made)
    out.print()
