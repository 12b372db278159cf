"""The same series in every form that a panel may take."""

import numpy as np
import pandas as pd

LENGTHS = (9, 14, 12, 14, 7, 11)


def ragged(lengths=LENGTHS, n_channels=3, dtype=np.float64, seed=0):
    """List of (n_channels, n_timepoints_i) arrays, positive so that every semiring takes them."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.1, 2.0, size=(n_channels, length)).astype(dtype) for length in lengths]


def padded(series):
    panel = np.full((len(series), series[0].shape[0], max(s.shape[1] for s in series)), np.nan, dtype=series[0].dtype)
    for i, s in enumerate(series):
        panel[i, :, : s.shape[1]] = s
    return panel


def object_array(series):
    items = np.empty(len(series), dtype=object)
    items[:] = series
    return items


def df_list(series):
    return [pd.DataFrame(s.T, columns=[f"channel{c}" for c in range(len(s))]) for s in series]


def multiindex(series):
    return pd.concat(df_list(series), keys=range(len(series)), names=["instance", "time"])


def nested(series):
    return pd.DataFrame({f"channel{c}": [pd.Series(s[c]) for s in series] for c in range(len(series[0]))})


def tensor(series):
    import torch

    return torch.from_numpy(padded(series))


KINDS = {
    "numpy3D": padded,
    "list": list,
    "tuple": tuple,
    "object array": object_array,
    "df-list": df_list,
    "pd-multiindex": multiindex,
    "nested_univ": nested,
    "torch": tensor,
}
