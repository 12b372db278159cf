"""What each feature of a transformer looks at, as a table with one row per feature."""

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sigfeat._validation import check_is_fitted
from sigfeat.functionals import Functionals, n_parts
from sigfeat.pooling import Windows, threshold_poolings, window_names
from sigfeat.words import Word

WHOLE = "0/1-1/1"

Columns = dict[str, list[Any]]  # one value of each column for each row


class FeatureTableMixin:
    """Method `feature_table` for transformers that return the columns of the table from `_feature_columns`."""

    if TYPE_CHECKING:

        def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
            """Return the names of the features."""

    def feature_table(self) -> pd.DataFrame:
        """Table that describes what each feature depends on.

        Returns
        -------
        table : pandas.DataFrame
            One row per feature, in the order of `transform`, with the names of the features as index. The
            columns, of which a transformer has those that apply to it:

            * "word": the word, functional or entry, as in the name; "level": its number of letters; "weight": the sum
              of their degrees;
            * "channels": tuple of the channels that the feature depends on, by name, or by number from 1 on as text;
            * "semiring", "decay", "pooling" and "window", the last as fractions of the series, "0/1-1/1" for all of it;
            * "threshold": threshold of the pooling, in the units of the scaled series; NaN for poolings without one;
            * "letter_channels", "dilations": channels of each letter of a functional, and steps between the points of
              its window; "n_lags": number of points of a window; "differences": whether letters use differences of the
              series;
            * "representation" of the series whose quantiles are taken, "sums" for iterated sums along "word", and
              "quantile": "q0/4" is the smallest value, "q2/4" the median, and from "q1/4" and "q3/4" the mean of the
              window is subtracted;
            * "kind" of a signature, "filter" of sums over intervals, "development", "row", "column" and "part" ("re" or
              "im") of an entry of a development.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from sigfeat import LowRankISSTransformer
        >>> X = np.random.default_rng(0).standard_normal((10, 3, 50))
        >>> low_rank = LowRankISSTransformer(4, quantiles=1, random_state=1).fit(X)
        >>> low_rank.feature_table().loc["<2.1>|real|ppv", ["channels", "dilations", "differences"]].to_dict()
        {'channels': ('2', '3'), 'dilations': (1,), 'differences': True}
        """
        check_is_fitted(self)
        names = pd.Index(self.get_feature_names_out(), name="feature")
        return pd.DataFrame(self._feature_columns(), index=names)

    def _feature_columns(self) -> Columns:
        raise NotImplementedError


def combined(*tables: Columns) -> Columns:
    """Columns for all combinations of a row of each table; the rows of the last table change fastest."""
    sizes = [len(next(iter(table.values()))) for table in tables]
    places = list(itertools.product(*map(range, sizes)))
    return {
        name: [values[place[k]] for place in places] for k, table in enumerate(tables) for name, values in table.items()
    }


def window_columns(windows: Windows) -> Columns:
    """Column of the windows."""
    return {"window": [name or WHOLE for name in window_names(windows)]}


def word_columns(words: Sequence[Word], labels: Sequence[str]) -> Columns:
    """Columns of words and of the channels that they use."""
    return {
        "word": [word.spell(labels) for word in words],
        "channels": [labels_of(word.channels, labels) for word in words],
        "level": [word.length for word in words],
        "weight": [word.weight for word in words],
    }


def entry_columns(
    label: str, n_developments: int, dim: int, n_parts: int, labels: Sequence[str], *between: Columns
) -> Columns:
    """Columns of the entries of developments, which depend on all channels.

    The rows of the tables `between` change faster than the place of an entry.
    """
    places = list(itertools.product(range(1, dim + 1), repeat=2))
    columns = combined(
        {"development": list(range(1, n_developments + 1))},
        {"row": [row for row, _ in places], "column": [column for _, column in places]},
        *between,
        {"part": ["re", "im"] if n_parts > 1 else ["re"]},
    )
    entries = list(zip(columns["development"], columns["row"], columns["column"], strict=True))
    words = [f"dev{development}[{label}]({row},{column})" for development, row, column in entries]
    described: Columns = {"word": words, "channels": [tuple(labels)] * len(words)}
    return described | columns


def selected(columns: Columns, places: Iterable[int]) -> Columns:
    """The rows of a table at the given places."""
    return {name: [values[place] for place in places] for name, values in columns.items()}


def labels_of(channels: Iterable[int], labels: Sequence[str]) -> tuple[str, ...]:
    """Labels of some channels, in the order of the channels."""
    return tuple(labels[c] for c in sorted(channels))


def only_where_used(columns: Columns) -> Columns:
    """The columns, with NaN as threshold where the pooling has none."""
    pairs, with_threshold = zip(columns["pooling"], columns["threshold"], strict=True), threshold_poolings()
    return columns | {"threshold": [float(value) if name in with_threshold else np.nan for name, value in pairs]}


def functional_columns(
    functionals: Functionals,
    thresholds: NDArray[Any],
    columns: Sequence[tuple[str, int]],
    windows: Windows,
    labels: Sequence[str],
) -> Columns:
    """Columns of the features of functionals of rank one.

    columns: pairs of the name of a pooling and the number of its threshold.
    """
    n_chains, depth = functionals.n_chains, functionals.depth
    rows = [
        (c, run, name, thresholds[c, n_parts(depth) - n_parts(depth - level + 1) + i, q])
        for level in range(1, depth + 1)
        for c, i in itertools.product(range(n_chains), range(depth - level + 1))
        for run in [range(i, i + level)]
        for name, q in columns
    ]
    used: NDArray[np.bool_] = np.any(functionals.taps, axis=-1)
    seen = [[set(functionals.channels[c, j][used[c, j]].tolist()) for j in range(depth)] for c in range(n_chains)]
    table: Columns = {
        "word": ["".join(f"<{c + 1}.{j + 1}>" for j in run) for c, run, *_ in rows],
        "channels": [labels_of(set().union(*(seen[c][j] for j in run)), labels) for c, run, *_ in rows],
        "level": [len(run) for _, run, *_ in rows],
        "letter_channels": [tuple(labels_of(seen[c][j], labels) for j in run) for c, run, *_ in rows],
        "dilations": [tuple(functionals.dilations[c, run].tolist()) for c, run, *_ in rows],
        "n_lags": [functionals.taps.shape[3]] * len(rows),
        "differences": [bool(functionals.differenced[c]) for c, *_ in rows],
        "pooling": [name for *_, name, _ in rows],
        "threshold": [threshold for *_, threshold in rows],
        "semiring": [functionals.semirings[c] for c, *_ in rows],
        "decay": [float(functionals.decays[c]) for c, *_ in rows],
    }
    return combined(only_where_used(table), window_columns(windows))
