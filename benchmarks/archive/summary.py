"""Tables of the records of a run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmarks.archive.pipelines import label
from benchmarks.study.records import Record

SECONDS = ("fit_seconds", "predict_seconds", "fit_cpu_seconds", "predict_cpu_seconds")
SCORES = ("log_loss", "brier")
MULTIVARIATE, UNIVARIATE = "multivariate", "univariate"


def accuracy_tables(records: Sequence[Record]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means and standard deviations over seeds, data sets by classifiers, both in the order of the records.

    A standard deviation is that of a sample, NaN of one seed. What failed is NaN.
    """
    table = _finished(records)
    by_cell = table.groupby(["data_set", "pipeline"], sort=False)["accuracy"]
    rows, columns = table["data_set"].unique(), [label(name) for name in _in_order(records)]
    mean, spread = (values.unstack().rename(columns=label) for values in (by_cell.mean(), by_cell.std()))
    return mean.reindex(rows, columns=columns), spread.reindex(rows, columns=columns)


def kinds(records: Sequence[Record]) -> dict[str, str]:
    """Whether data sets are multivariate or univariate."""
    channels = {record["data_set"]: record["n_channels"] for record in records if "failure" not in record}
    return {name: MULTIVARIATE if number > 1 else UNIVARIATE for name, number in channels.items()}


def cost_table(records: Sequence[Record]) -> pd.DataFrame:
    """What classifiers cost on those data sets that all of them finished.

    Returns
    -------
    costs : DataFrame
        A row for each classifier. "n_sets"; means over data sets, of means over seeds, of all seconds;
        "peak_mib", the mean over data sets of the largest of the seeds, and "largest_mib", the largest of all;
        "n_features", the median over data sets, NaN where it is not known.
    """
    table = _finished(records)
    table["pipeline"] = table["pipeline"].map(label)
    table["n_features"] = pd.to_numeric(table["n_features"])
    n_pipelines = table["pipeline"].nunique()
    table = table[table.groupby("data_set")["pipeline"].transform("nunique") == n_pipelines]
    by_cell = table.groupby(["pipeline", "data_set"], sort=False)
    by_pipeline = by_cell[list(SECONDS)].mean().groupby("pipeline", sort=False)
    costs = by_pipeline.mean()
    peaks = (by_cell["peak_bytes"].max() / 2**20).groupby("pipeline", sort=False)
    costs["peak_mib"], costs["largest_mib"] = peaks.mean(), peaks.max()
    costs["n_features"] = by_cell["n_features"].max().groupby("pipeline", sort=False).median()
    costs.insert(0, "n_sets", by_pipeline.size())
    return costs


def probability_table(records: Sequence[Record]) -> pd.DataFrame:
    """Log loss and Brier score of the probabilities, means over data sets of the means over seeds.

    Returns
    -------
    scores : DataFrame
        A row for each classifier that has probabilities, and the columns "log_loss" and "brier"; over the data sets
        that all of these finished.
    """
    table = _finished(records)
    table["pipeline"] = table["pipeline"].map(label)
    by_cell = table.groupby(["pipeline", "data_set"], sort=False)[list(SCORES)].mean().dropna()
    n_pipelines = by_cell.index.get_level_values("pipeline").nunique()
    shared = by_cell.groupby("data_set")["brier"].transform("size") == n_pipelines
    return by_cell[shared].groupby("pipeline", sort=False).mean()


def time_and_accuracy(records: Sequence[Record]) -> pd.DataFrame:
    """`cost_table` with "accuracy", its mean over the same data sets."""
    costs, (accuracy, _) = cost_table(records), accuracy_tables(records)
    accuracy = accuracy[costs.index].dropna()
    return costs.assign(accuracy=accuracy.mean())


def _finished(records):
    columns = ["data_set", "pipeline", "accuracy", *SCORES, *SECONDS, "peak_bytes", "n_features"]
    rows = [[record.get(name) for name in columns] for record in records if "failure" not in record]
    table = pd.DataFrame(rows, columns=columns)
    numbers = ("accuracy", *SCORES, *SECONDS, "peak_bytes")
    return table.astype({name: float for name in numbers}).replace({None: np.nan})


def _in_order(records):
    return list(dict.fromkeys(record["pipeline"] for record in records if "failure" not in record))
