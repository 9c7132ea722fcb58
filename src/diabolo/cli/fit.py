"""`diabolo fit`: from data to a model, with an honest comparison at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import (
    ArrayOpt,
    AsOpt,
    DataArg,
    ExcludeOpt,
    ForceOpt,
    IncludeOpt,
    KeyOpt,
    NoHeaderOpt,
    OutOpt,
    SizeOpt,
    StrictOpt,
    TargetOpt,
    console,
    read,
    tell,
)


def fit(
    context: typer.Context,
    data: DataArg,
    out: OutOpt,
    model: Annotated[
        str, typer.Option("--model", help="A named model; 'diabolo parts model' lists them.")
    ] = "autoencoder",
    latent: Annotated[str, typer.Option("--latent", help="Size of the code.")] = "auto",
    hidden: Annotated[str, typer.Option("--hidden", help="Widths of hidden layers: 128,64 (empty: linear).")] = "auto",
    network: Annotated[
        str, typer.Option("--network", help="dense, conv, with parameters: 'conv(norm=\"batch\")'.")
    ] = "auto",
    loss: Annotated[str, typer.Option("--loss", help="squared, absolute, huber, bernoulli, gaussian, …")] = "auto",
    corruption: Annotated[str | None, typer.Option("--corruption", help="noise, masking: 'noise(std=0.2)'.")] = None,
    penalty: Annotated[list[str] | None, typer.Option("--penalty", help="One more term (repeatable).")] = None,
    beta: Annotated[float | None, typer.Option("--beta", help="Weight of the KL term (variational models).")] = None,
    epochs: Annotated[str, typer.Option("--epochs")] = "auto",
    batch_size: Annotated[str, typer.Option("--batch-size", help="Rows a step, or 'full'.")] = "auto",
    lr: Annotated[str, typer.Option("--lr", help="Peak learning rate.")] = "auto",
    optimizer: Annotated[str, typer.Option("--optimizer", help="muon, adam, adamw, sgd, lbfgs.")] = "auto",
    schedule: Annotated[str, typer.Option("--schedule", help="one-cycle, constant, cosine, linear.")] = "one-cycle",
    clip: Annotated[float | None, typer.Option("--clip", help="Largest gradient norm.")] = None,
    patience: Annotated[str, typer.Option("--patience", help="Epochs without improvement before stopping.")] = "auto",
    holdout: Annotated[float, typer.Option("--holdout", help="Share of rows kept for the final comparison.")] = 0.1,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda, mps.")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="fp32 or bf16.")] = "fp32",
    seed: Annotated[int, typer.Option("--seed")] = 0,
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file of options; the command line wins.")
    ] = None,
    init: Annotated[Path | None, typer.Option("--init", help="Start from this model's weights.")] = None,
    freeze: Annotated[
        str | None, typer.Option("--freeze", help="With --init: keep encoder or decoder as it is.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an interrupted fit stopped.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and an estimate; train nothing.")] = False,
    max_time: Annotated[
        str | None, typer.Option("--max-time", help="Stop in time with a saved model: 90s, 10m, 1h.")
    ] = None,
    log_dir: Annotated[Path | None, typer.Option("--log-dir", help="Write TensorBoard logs here.")] = None,
    as_: AsOpt = None,
    target: TargetOpt = None,
    key: KeyOpt = None,
    exclude: ExcludeOpt = None,
    array: ArrayOpt = None,
    include: IncludeOpt = None,
    no_header: NoHeaderOpt = False,
    strict: StrictOpt = False,
    size: SizeOpt = None,
    force: ForceOpt = False,
) -> None:
    """Train an autoencoder on DATA and hold it against PCA.

    Everything left on 'auto' is chosen from the data, and the reasons are printed.
    """
    options = {name: value for name, value in locals().items() if name not in ("context", "data", "out", "config")}
    if config is not None:
        from .configuration import merge

        options = merge(config, options, context)
    from . import job

    if job.finished(out, resume=options["resume"], force=options["force"], dry_run=options["dry_run"]):
        tell(f"{out} is finished: nothing to resume. Train anew with --force, or choose another --out.")
        return
    source = read(data, **_data_options(options))
    estimator = job.make_estimator(options)
    if options["dry_run"]:
        job.print_plan(console(), estimator, source)
        return
    job.train(console(), estimator, source, out, options)


def _data_options(options: dict[str, Any]) -> dict[str, Any]:
    names = ("as_", "target", "key", "exclude", "array", "include", "no_header", "strict", "size")
    return {name: options[name] for name in names}
