"""Panels in every layout, of every dtype and of values of every size, as hypothesis strategies."""

import dataclasses
import importlib.util
import tempfile

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from sigfeat import to_panel
from sigfeat.panel import series_lengths
from tests.panels import KINDS, df_list, multiindex, nested


def stacked(series):
    """One array, with NaN behind the ends; whole numbers become float64 where there is something to fill."""
    if len({s.shape[1] for s in series}) == 1:
        return np.stack(series)
    dtype = series[0].dtype if series[0].dtype.kind in ("f", "O") else np.float64
    panel = np.full((len(series), len(series[0]), max(s.shape[1] for s in series)), np.nan, dtype)
    for i, s in enumerate(series):
        panel[i, :, : s.shape[1]] = s
    return panel


def mapped(series):
    X = stacked(series)
    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file, X.dtype, "r", shape=X.shape)


def torch_tensor(series):
    import torch

    return torch.from_numpy(stacked(series))


def masked(series):
    X = stacked(series)
    return np.ma.MaskedArray(X, np.isnan(X)) if X.dtype.kind == "f" else np.ma.MaskedArray(X)


def channels(series):
    """Names and values of the channels of a series."""
    return {f"channel{c + 1}": np.ascontiguousarray(channel) for c, channel in enumerate(series)}


def times(series):
    """Names and values of the columns of a wide table."""
    return {f"t{t}": np.ascontiguousarray(column) for t, column in enumerate(stacked(series)[:, 0].T)}


def polars_frame(columns):
    import polars

    return polars.DataFrame(columns)


def arrow_table(columns):
    import pyarrow

    return pyarrow.table(columns)


def permuted(series):
    """A pd-multiindex of instances in no order, one of its level without rows, whose points come last first."""
    names = [f"run {(5 * i) % 9}" for i in range(len(series) + 1)]
    frame = pd.concat(df_list([*series, series[0]]), keys=names)
    return frame[frame.index.get_level_values(0) != names[-1]][::-1].loc[names[:-1]]


def dated(series):
    """Cells whose time stamps are dates, the last point first."""
    frame = nested(series)
    return frame.map(lambda cell: cell.set_axis(pd.date_range("2020", periods=len(cell)))[::-1])


def long_table(series):
    return to_panel(multiindex(series).reset_index(), series="instance", time="time")


ARRAYS = {
    "C": stacked,
    "Fortran": lambda series: np.asfortranarray(stacked(series)),
    "time first": lambda series: np.ascontiguousarray(stacked(series).transpose(2, 0, 1)).transpose(1, 2, 0),
    "backward in time": lambda series: stacked(series)[:, :, ::-1].copy()[:, :, ::-1],
    "backward": lambda series: stacked(series)[::-1, ::-1].copy()[::-1, ::-1],
    "every other": lambda series: stacked(series).repeat(2, axis=2).repeat(2, axis=0)[::2, :, 1::2],
    "memmap": mapped,
    "masked": masked,
    "torch": torch_tensor,
}
FRAMES = {
    "pd-multiindex, permuted": permuted,
    "nested_univ, dates": dated,
    "panel of a pd-multiindex": lambda series: to_panel(permuted(series)),
    "panel of nested_univ": lambda series: to_panel(nested(series)),
    "panel of a long table": long_table,
}
COLUMNS = {"polars": polars_frame, "pyarrow": arrow_table}  # libraries that other frames come from
COLUMNS = {library: COLUMNS[library] for library in COLUMNS if importlib.util.find_spec(library)}
FRAMES |= {
    f"list of {library} frames": lambda series, frame=frame: [frame(channels(s)) for s in series]
    for library, frame in COLUMNS.items()
}
OTHERS = FRAMES | {name: KINDS[name] for name in KINDS if name not in ("numpy3D", "torch")}
TABLES = {
    "table": lambda series: stacked(series)[:, 0],
    "Fortran table": lambda series: np.asfortranarray(stacked(series)[:, 0]),
    "frame": lambda series: pd.DataFrame(stacked(series)[:, 0]),
    "lists": lambda series: stacked(series)[:, 0].tolist(),
} | {f"wide {library} frame": lambda series, frame=frame: frame(times(series)) for library, frame in COLUMNS.items()}
LAYOUTS = ARRAYS | OTHERS | TABLES
DTYPES = ["float64", "float32", "float16", "int64", "int8", "uint8", "bool"]
FOREIGN = {name: [">f8", ">f4"] for name in ["C", "Fortran", "memmap", "list", "object array", "table"]}
VALUES = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "positive": lambda rng, shape: rng.uniform(0.1, 2.0, shape),
    "few": lambda rng, shape: rng.integers(-1, 2, shape).astype(float),
    "zeros": lambda rng, shape: np.zeros(shape),
    "minus zeros": lambda rng, shape: np.copysign(0.0, rng.standard_normal(shape)),
    "constant": lambda rng, shape: np.full(shape, rng.standard_normal()),
    "constant channels": lambda rng, shape: np.repeat(rng.standard_normal((*shape[:2], 1)), shape[2], axis=2),
    "alternating": lambda rng, shape: np.broadcast_to(1.0 - 2.0 * (np.arange(shape[2]) % 2), shape).copy(),
    "offset": lambda rng, shape: 1e9 + 1e-6 * rng.standard_normal(shape),
    "nearly constant": lambda rng, shape: 1.0 + np.finfo(float).eps * rng.integers(0, 3, shape),
    "steps": lambda rng, shape: (rng.random((*shape[:2], 1)) < np.linspace(0, 1, shape[2])).astype(float),
    "scales of channels": lambda rng, shape: rng.standard_normal(shape) * scales(rng, (1, shape[1], 1)),
    "scales of series": lambda rng, shape: rng.standard_normal(shape) * scales(rng, (shape[0], 1, 1)),
    "scales of points": lambda rng, shape: rng.standard_normal(shape) * scales(rng, shape),
    "spike": lambda rng, shape: rng.standard_normal(shape) * np.where(rng.random(shape) < 0.1, 1e300, 1.0),
    "denormal": lambda rng, shape: 5e-324 * rng.integers(-3, 4, shape),
    "largest": lambda rng, shape: np.finfo(float).max * rng.choice([-1.0, 0.5, 1.0], shape),
}
TAME = ["normal", "positive", "few"]
POWERS = [0, 0, 0, 3, -3, 8, -8, 18, -18, 37, -37, 38, -38, -44, 75, 100, -100, 150, -150, 154, 200, -200, 300, -300]


def scales(rng, shape):
    return 10.0 ** rng.integers(-300, 300, shape)


@dataclasses.dataclass(frozen=True)
class Panel:
    """All that a panel of a case is made from."""

    layout: str
    dtype: str
    values: str
    power: int
    shape: tuple[int, int, int]
    ragged: bool
    spoilt: str
    seed: int

    def series(self):
        """List of arrays (n_channels, n_timepoints_i) of the dtype."""
        rng = np.random.default_rng(self.seed)
        X = VALUES[self.values](rng, self.shape)
        if self.power:
            with np.errstate(over="ignore"):
                X = np.nan_to_num(X * 10.0**self.power)
        X, lengths = self._cast(X), np.full(len(X), self.shape[2])
        if self.ragged:
            lengths = rng.integers(rng.choice([1, self.shape[2] // 2 + 1]), self.shape[2] + 1, len(X))
        if self.spoilt and X.dtype.kind in ("f", "O"):
            bad = [np.nan] if self.spoilt == "nan" else [np.inf, -np.inf]
            places = rng.random(X.shape) < rng.choice([0.02, 0.3])
            X[places] = rng.choice(bad, np.count_nonzero(places))
        return [X[i, :, :length] for i, length in enumerate(lengths)]

    def build(self):
        """What is given to a transformer."""
        return LAYOUTS[self.layout](self.series())

    def plain(self):
        """The same as a C-contiguous array of float64 or float32, and the own lengths of its series."""
        panel = stacked(self.series())
        single = self.dtype in ("float32", ">f4") and self.layout != "lists"
        panel = panel.astype(np.float32 if single else np.float64, order="C")
        return panel, series_lengths(panel)

    def _cast(self, X):
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return np.clip(X, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)
        if dtype.kind in "iu":
            bounds = np.iinfo(dtype)
            return np.clip(np.round(10 * np.clip(X, -1e17, 1e17)), bounds.min, bounds.max).astype(dtype)
        return X > 0 if dtype.kind == "b" else X.astype(dtype)

    def looks_swapped(self):
        """Whether it has more channels than time points, and no frame says that these are channels."""
        in_columns = ("df-list", "pd-multiindex", "pd-multiindex, interleaved", "nested_univ", "nested_univ as array")
        longest = max(s.shape[1] for s in self.series())
        return self.shape[1] > longest and self.layout not in FRAMES and self.layout not in in_columns

    def is_tame(self):
        """Whether there is no excuse to refuse it, unless it holds negative values."""
        own = series_lengths(stacked(self.series()).astype(float))
        return self.values in TAME and not self.power and not self.spoilt and own.min() >= 8


@st.composite
def panels(draw, n_channels, wild):
    """Panels of any kind with so many channels, of any values if wild, else of moderate ones."""
    layout = draw(st.sampled_from(list(ARRAYS | OTHERS | (TABLES if n_channels == 1 else {}))))
    dtypes = DTYPES + FOREIGN.get(layout, [])
    if layout not in ("torch", "list of tensors", "memmap", "masked") and not any(name in layout for name in COLUMNS):
        dtypes.append("object")
    shape = draw(st.integers(1, 8)), n_channels, draw(st.integers(1, 50))
    return Panel(
        layout=layout,
        dtype=draw(st.sampled_from(["float64", "float64", "float32", *dtypes])),
        values=draw(st.sampled_from(list(VALUES) if wild else TAME)),
        power=draw(st.sampled_from(POWERS if wild else [0])),
        shape=shape,
        ragged=draw(st.booleans()),
        spoilt=draw(st.sampled_from([""] * 8 + ["nan", "inf"] if wild else [""])),
        seed=draw(st.integers(0, 2**16)),
    )


def pairs():
    """A panel to fit on and another one to transform."""
    kinds = st.tuples(st.integers(1, 4), st.sampled_from([False, True, True]))
    return kinds.flatmap(lambda kind: st.tuples(panels(*kind), panels(*kind)))
