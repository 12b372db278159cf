"""The same series in every form that a panel may take."""

import numpy as np
import pandas as pd
import pytest

LENGTHS = (9, 14, 12, 14, 7, 11)


def ragged(lengths=LENGTHS, n_channels=3, dtype=np.float64, seed=0):
    """List of (n_channels, n_timepoints_i) arrays, positive so that every semiring takes them."""
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.1, 2.0, size=(n_channels, length)).astype(dtype) for length in lengths]


def padded(series):
    shape = (len(series), series[0].shape[0], max(s.shape[1] for s in series))
    panel = np.full(shape, np.nan, dtype=series[0].dtype)
    for i, s in enumerate(series):
        panel[i, :, : s.shape[1]] = s
    return panel


def object_array(series):
    items = np.empty(len(series), dtype=object)
    items[:] = series
    return items


def df_list(series):
    return [pd.DataFrame(s.T, columns=[f"channel{c + 1}" for c in range(len(s))]) for s in series]


def multiindex(series):
    return pd.concat(df_list(series), keys=range(len(series)), names=["instance", "time"])


def interleaved(series):
    """All series at the first time, then all at the second, ..., instances named in no order."""
    names = [f"s{(7 * i) % 11}" for i in range(len(series))]
    frame = pd.concat(df_list(series), keys=names, names=["instance", "time"])
    frame = frame.swaplevel().sort_index(level="time", sort_remaining=False, kind="stable").swaplevel()
    assert list(frame.index.get_level_values(0)[: len(series)]) == names
    return frame


def nested(series):
    columns = {f"channel{c + 1}": [pd.Series(s[c]) for s in series] for c in range(len(series[0]))}
    return pd.DataFrame(columns, index=[f"s{i}" for i in range(len(series))])


def tensor(series):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(padded(series)).requires_grad_()


def tensors(series):
    torch = pytest.importorskip("torch")
    return [torch.from_numpy(s) for s in series]


KINDS = {
    "numpy3D": padded,
    "list": list,
    "tuple": tuple,
    "object array": object_array,
    "df-list": df_list,
    "pd-multiindex": multiindex,
    "pd-multiindex, interleaved": interleaved,
    "nested_univ": nested,
    "nested_univ as array": lambda series: nested(series).to_numpy(),
    "torch": tensor,
    "list of tensors": tensors,
}
