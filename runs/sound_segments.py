"""Where spliced recordings change: boundaries by change of code beside an energy threshold.

    python -m runs.sound_segments --data DIR [--seeds 2] [--rows 1500]

Free Spoken Digit Dataset, 4 speakers x 10 digits x 50 takes, 8 kHz. Each speaker is the test in turn: codes, head and
threshold are learnt from recordings of the three others, the test are 100 splices of six recordings of the fourth, end
to end. F1 of boundaries within 50 ms, over all splices.

Ours: `SoundSegmenter` with its defaults, and Foote's novelty of its codes alone, width and threshold chosen on splices
of the training speakers. Rival: dips of the level below a threshold; smoothing, threshold and distance are chosen on
100 splices of the training speakers. Bar: not below the energy threshold.

Reference: Foote (2000), "Automatic audio segmentation using a measure of audio novelty"; Turnbull, Lanckriet, Pampalk
& Goto (2007), "A supervised approach for detecting boundaries in music" (F1 with a tolerance).
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray

from diabolo import data
from diabolo.tasks.segment_sounds import SoundSegmenter
from diabolo.tasks.sound_segments import boundary_scores
from diabolo.tasks.splices import Splice, energy_boundaries, spliced

SPLICES, PIECES, TOLERANCE, RATE = 100, 6, 0.05, 8000


def f1(found: list[ndarray], splices: list[Splice]) -> float:
    """F1 over all splices."""
    hit, some, true = np.sum(
        [boundary_scores(at, s.joints, TOLERANCE) for at, s in zip(found, splices, strict=True)], 0
    )
    return float(2 * hit / max(1, some + true))


def main() -> None:
    """A table over the four speakers."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=2)
    options.set_defaults(rows=1500)
    args = options.parse_args()
    source = data.open(Path(args.data) / "fsdd" / "recordings.zip")
    speaker = np.array([Path(name).stem.split("_")[1] for name in source.keys["file"]])
    began, every = time.perf_counter(), []
    for seed in range(args.seed, args.seed + args.seeds):
        for test in sorted(set(speaker)):
            random = np.random.default_rng(seed)
            train = source.rows[random.permutation(np.flatnonzero(speaker != test))[: args.rows]]
            known = spliced(train, SPLICES, PIECES, RATE, seed)
            tried = spliced(source.rows[speaker == test], SPLICES, PIECES, RATE, seed + 1)
            model = SoundSegmenter(random_state=seed).fit(data.Source(train, "audio"))
            found = {
                "ours": [one.boundaries for one in model.segment([s.sound for s in tried])],
                "novelty of codes": model._novel(known, tried),
                "energy threshold": energy_boundaries(known, tried, TOLERANCE),
            }
            every.append({name: f1(at, tried) for name, at in found.items()})
            shown = ", ".join(f"{name} {value:.3f}" for name, value in every[-1].items())
            print(f"seed {seed}, {test}: {shown} ({time.perf_counter() - began:.0f} s)", flush=True)
    means = {name: float(np.mean([one[name] for one in every])) for name in every[0]}
    head(f"F1 of boundaries within 50 ms, mean over {len(every)} speakers and seeds")
    bar = f"ours >= {means['energy threshold']:.4g}"
    row("taught by splices, energy threshold", means["ours"], means["energy threshold"], bar)
    row("novelty of codes alone, energy threshold", means["novelty of codes"], means["energy threshold"], bar)
    ahead = sum(one["ours"] >= one["energy threshold"] for one in every)
    print(f"ours ahead in {ahead} of {len(every)}; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
