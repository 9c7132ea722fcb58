"""How long `diabolo --help` and `import diabolo` take, and that the latter leaves torch alone.

    python -m benchmarks.start_up

Median of fresh processes, after one that fills the file cache.

Reference: bar of issue 2: 0.4 s.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from .common import head, row, seconds

PROBE = "import sys, diabolo; print('torch' in sys.modules)"


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    args = options.parse_args()
    head("Start-up")
    command = str(Path(sys.executable).parent / "diabolo")
    row("diabolo --help: s", _median([command, "--help"], args.rounds), bar="ours <= 0.4")
    row("import diabolo: s", _median([sys.executable, "-c", "import diabolo"], args.rounds), bar="ours <= 0.4")
    row("python itself: s", _median([sys.executable, "-c", ""], args.rounds))
    out = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout
    row("import diabolo loads torch (0 no, 1 yes)", int(out.strip() == "True"), bar="ours <= 0")


def _median(command: list[str], rounds: int) -> float:
    times = [seconds(lambda: subprocess.run(command, capture_output=True, check=True))[0] for _ in range(rounds + 1)]
    return statistics.median(times[1:])


if __name__ == "__main__":
    main()
