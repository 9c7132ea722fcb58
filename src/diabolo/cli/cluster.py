"""The verb that says which cluster every row belongs to."""

from __future__ import annotations

from typing import Any

from .apply import over, prepared
from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, read, reads_data


@reads_data
def cluster(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write the cluster of every row of DATA (0 to K - 1) and its probability; .npy keeps the cluster alone.

    The model is one of: diabolo fit DATA --task cluster --set n_clusters=10 --out MODEL.
    """
    from ..core.errors import require
    from ..data import check_out
    from ..data.write import SUFFIXES
    from ..estimators.saving import load

    check_out(out, force=force, suffixes=SUFFIXES)
    fitted = prepared(load(model), "cluster")
    source = read(data, model=fitted, **reading)

    def found(piece: Any) -> Any:
        shares = fitted.predict_proba(piece)
        names = shares.argmax(1)
        if out.suffix == ".npy":
            return names
        pandas = require("pandas", "table", f"writing {out.suffix}")
        return pandas.DataFrame({"cluster": names, "probability": shares.max(1)})

    over(out, found, source, force, "assignment", fitted)
