"""A grid search and a large transform on a cluster of dask, here two processes of this machine.

Run ``python examples/cluster.py``. The same lines run on a real cluster: give its address to `Client`.
"""

import argparse
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from dask import array as da
from dask.distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

from sigfeat.adapters.dask import read_features, transform_blocks, transform_files
from sigfeat.classifiers import iss_classifier
from sigfeat.datasets import make_coincidence


def main():
    """Search, then transform an array and files with the best features."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", help="of a scheduler; without one two processes are started here")
    parser.add_argument("--series", type=int, default=20_000, help="to transform")
    options = parser.parse_args()
    if options.address:
        with Client(options.address) as client:
            run(client, options.series)
    else:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            run(client, options.series)


def run(client, n_series):
    """Search and transform; this is the part that a user writes."""
    print(f"{len(client.scheduler_info()['workers'])} workers")
    X, y = make_coincidence(200, random_state=0)
    grid = {
        "features__lowrankisstransformer__pooling": ["ppv", ("ppv", "max"), ("ppv", "mipv")],
        "features__lowrankisstransformer__quantiles": [1, 3],
    }
    search = GridSearchCV(iss_classifier(n_functionals=200), grid, cv=3)
    start = time.perf_counter()
    with joblib.parallel_config(backend="dask"):
        search.fit(X, y)
    print(f"grid search, 18 fits: {time.perf_counter() - start:.1f} s, accuracy {search.best_score_:.3f}")

    features = search.best_estimator_[:-1]
    many = da.tile(da.from_array(X), (-(-n_series // len(X)), 1, 1))[:n_series].rechunk((2000, -1, -1))
    start = time.perf_counter()
    mean = transform_blocks(features, many).mean(axis=0).compute()
    print(f"{n_series:,} series of an array, mean of {len(mean):,} features: {time.perf_counter() - start:.1f} s")

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "series.npy", many.compute())
        for attempt in ("made", "there already"):
            start = time.perf_counter()
            transform_files(features, folder / "series.npy", folder / "features", part_size=2000)
            print(f"{n_series:,} series of a file, {attempt}: {time.perf_counter() - start:.1f} s")
        on_disk = read_features(folder / "features")
        print(f"on disk: {on_disk.shape[0]:,} x {on_disk.shape[1]:,} in {on_disk.numblocks[0]} parts")
        assert np.allclose(on_disk.mean(axis=0).compute(), mean, rtol=1e-4, atol=1e-5)


if __name__ == "__main__":
    main()
