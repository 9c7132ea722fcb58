"""`diabolo fit`: from data to a model, with an honest comparison at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import DataArg, ForceOpt, OutOpt, Reading, console, read, read_whole, reads_data, tell

MODEL, TRAINING, RUN = "What is trained", "How it is trained", "Running"


def _option(panel: str, name: str, text: str, **more: Any) -> Any:
    return typer.Option(name, help=text, rich_help_panel=panel, **more)


@reads_data
def fit(
    context: typer.Context,
    data: DataArg,
    out: OutOpt,
    reading: Reading,
    task: Annotated[
        str | None,
        _option(MODEL, "--task", "What it is for: classify, regress, or a task that 'diabolo parts task' lists."),
    ] = None,
    model: Annotated[
        str, _option(MODEL, "--model", "A named model ('diabolo parts model' lists them); auto: what suits the task.")
    ] = "auto",
    latent: Annotated[str, _option(MODEL, "--latent", "Values in a code.")] = "auto",
    hidden: Annotated[str, _option(MODEL, "--hidden", "Widths of hidden layers: 128,64 (empty: linear).")] = "auto",
    network: Annotated[
        str, _option(MODEL, "--network", "dense or conv, also with parameters: 'conv(norm=\"batch\")'.")
    ] = "auto",
    loss: Annotated[str, _option(MODEL, "--loss", "squared, absolute, huber, bernoulli, gaussian, …")] = "auto",
    corruption: Annotated[
        str | None, _option(MODEL, "--corruption", "What the encoder is denied: noise, masking, 'noise(std=0.2)'.")
    ] = None,
    penalty: Annotated[list[str] | None, _option(MODEL, "--penalty", "One more term (repeatable).")] = None,
    beta: Annotated[float | None, _option(MODEL, "--beta", "Weight of the KL term (variational models).")] = None,
    set_: Annotated[
        list[str] | None,
        _option(MODEL, "--set", "Any parameter of the model: k=20, 'levels=(8, 8)' (repeatable)."),
    ] = None,
    init: Annotated[Path | None, _option(MODEL, "--init", "Start from this model's weights.")] = None,
    freeze: Annotated[str | None, _option(MODEL, "--freeze", "With --init: keep encoder or decoder as it is.")] = None,
    epochs: Annotated[str, _option(TRAINING, "--epochs", "Most passes over the rows.")] = "auto",
    batch_size: Annotated[str, _option(TRAINING, "--batch-size", "Rows a step, or 'full'.")] = "auto",
    lr: Annotated[str, _option(TRAINING, "--lr", "Peak learning rate.")] = "auto",
    optimizer: Annotated[str, _option(TRAINING, "--optimizer", "muon, adam, adamw, sgd, lbfgs.")] = "auto",
    schedule: Annotated[str, _option(TRAINING, "--schedule", "one-cycle, constant, cosine, steps, …")] = "one-cycle",
    clip: Annotated[float | None, _option(TRAINING, "--clip", "Largest gradient norm.")] = None,
    patience: Annotated[
        str, _option(TRAINING, "--patience", "Epochs without improvement before stopping, or 'none'.")
    ] = "auto",
    seed: Annotated[int, _option(TRAINING, "--seed", "All randomness comes from it.", min=0)] = 0,
    device: Annotated[str, _option(TRAINING, "--device", "auto, cpu, cuda, mps.")] = "auto",
    precision: Annotated[str, _option(TRAINING, "--precision", "fp32 or bf16.")] = "fp32",
    holdout: Annotated[float, _option(RUN, "--holdout", "Share of rows kept for the final comparison; 0: none.")] = 0.1,
    config: Annotated[Path | None, _option(RUN, "--config", "TOML file of options; the command line wins.")] = None,
    resume: Annotated[bool, _option(RUN, "--resume", "Go on where an interrupted fit stopped.")] = False,
    dry_run: Annotated[bool, _option(RUN, "--dry-run", "Print the plan and an estimate; train nothing.")] = False,
    max_time: Annotated[
        str | None, _option(RUN, "--max-time", "Stop in time with a saved model: 90s, 10m, 1h30m.")
    ] = None,
    log_dir: Annotated[Path | None, _option(RUN, "--log-dir", "Write TensorBoard logs here.")] = None,
    force: ForceOpt = False,
) -> None:
    """Train an autoencoder on DATA and hold it against PCA.

    Everything left on 'auto' is chosen from the data, and the reasons are printed.
    """
    aside = ("context", "data", "out", "config", "reading")
    options = {**{name: value for name, value in locals().items() if name not in aside}, **reading}
    if config is not None:
        from .configuration import merge

        options = merge(config, options, context)
    from . import folder, job

    if not dry_run and folder.finished(out, resume=resume, force=force):
        tell(f"{out} is finished: nothing to resume. Train anew with --force, or choose another --out.")
        return
    estimator = job.make_estimator(options)
    told = {name: options[name] for name in reading}
    told["as_"] = told["as_"] or vars(type(estimator)).get("_reads_as")
    holes = vars(type(estimator)).get("_takes_missing", False)
    reader = read_whole if getattr(type(estimator), "_any_size", False) else read
    source = reader(data, allow_missing=holes, **told)
    estimator = job.for_rows(estimator, options, source)
    source = job.with_labels(estimator, source)
    if dry_run:
        job.print_plan(console(), estimator, source, options)
        return
    job.train(console(), estimator, source, out, options)
