from __future__ import annotations
from typing import Any
import numpy as np
from ..core.errors import require
from ..data import Source, is_frame

def frame(X):
    pandas = require("pandas", "table", "imputation")
    X = X.rows if isinstance(X, Source) else X
    if is_frame(X):
        return X.reset_index(drop=True)
    return pandas.DataFrame(np.asarray(X))

def put(X, frame, filled):
    X = X.rows if isinstance(X, Source) else X
    if is_frame(X):
        out = X.copy()
        for name in X.columns:
            gone = frame[name].isna().to_numpy()
            if gone.any():
                column = frame[name].copy()
                column[gone] = filled[name][gone]
                out[name] = column.to_numpy() if False else column.set_axis(X.index)
        return out
    out = np.array(X, copy=True)
    gone = np.isnan(out)
    out[gone] = filled.to_numpy()[gone]
    return out
