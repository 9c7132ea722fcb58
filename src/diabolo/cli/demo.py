"""`diabolo demo`: the main job on real handwritten digits, in less than a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import console, tell

SIZES = (8, 16, 32)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the model, codes and the report.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option("--seed", help="All randomness comes from it.", min=0)] = 0,
) -> None:
    """Fit, encode, reconstruct and report on scikit-learn's digits; prints the comparison with PCA for three sizes."""
    from ..data import open as open_source
    from ..data import write
    from ..estimators.composed import Autoencoder
    from ..report.page import write_report
    from ..tasks.reduce import compare
    from ..train import Progress, Trainer
    from . import job
    from .tables import table

    source = open_source("digits")
    learn, held = job.split(source, 0.25, seed)
    if held is None:
        raise typer.Exit(1)
    shown, rows = console(), []
    for size in SIZES:
        tell(f"a code of {size}: training on {len(learn)} digits")
        model = Autoencoder(size, trainer=Trainer(callbacks=[Progress()]), random_state=seed).fit(learn)
        result = compare(model, model.processor_.encode(learn.rows), model.processor_.encode(held.rows), seed=seed)
        model.metrics_ = {"rows": len(learn), "comparison": result.as_dict()}
        change = [f"{100 * (1 - share):.0f}" for share in (result.ratio.value, result.ratio.high, result.ratio.low)]
        rows.append((str(size), f"{result.model}", f"{result.pca}", f"{result.mean.value:.4g}",
                     f"{change[0]} % [{change[1]}, {change[2]}]"))  # fmt: skip
        if size == 16:
            out.mkdir(parents=True, exist_ok=True)
            model.save(out / "digits-16", force=True)
            write(out / "codes.npy", model.transform(held), force=True)
            write_report(
                model,
                held.rows,
                out / "report.html",
                comparison=result,
                labels=held.target,
                title="digits, a code of 16",
            )
    title = f"Squared error of {len(held)} held-out digits (pixels 0 to 16), with 95 % intervals"
    heads = ("code", "autoencoder", "PCA", "mean", "error below PCA's")
    table(shown, title, heads, rows, right=(0, 1, 2, 3, 4))
    tell(f"model -> {out / 'digits-16'}   codes -> {out / 'codes.npy'}   report -> {out / 'report.html'}")
    tell(f"next: diabolo fit YOUR_DATA --out model   (or: diabolo info {out / 'digits-16'})")
