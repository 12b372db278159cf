"""
Clusters, and arrays larger than memory
=======================================

dask runs the same pipelines on a cluster, and transforms arrays block by block. Here the cluster consists of two
threads of this machine; for a real cluster, pass the address of its scheduler.
"""

import time

import joblib
import numpy as np
from dask import array as da
from dask.distributed import Client
from matplotlib import pyplot as plt
from sklearn.model_selection import GridSearchCV

from sigfeat.adapters.dask import transform_blocks
from sigfeat.classifiers import iss_classifier
from sigfeat.datasets import make_coincidence

client = Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None)
X, y = make_coincidence(120, length=100, random_state=0)

# %%
# A grid search, whose fits are spread over the cluster by one line.

search = GridSearchCV(iss_classifier(n_functionals=50), {"features__lowrankisstransformer__quantiles": [1, 2, 4]}, cv=3)
with joblib.parallel_config(backend="dask"):
    search.fit(X, y)
print(f"cross-validated accuracy {search.best_score_:.3f}")

# %%
# A large array of series: dask computes it block by block when the result is requested, so that only a few blocks are
# in memory at the same time.

iss = search.best_estimator_["features"][0]  # the step before features are scaled
many = da.tile(da.from_array(X), (40, 1, 1)).rechunk((400, -1, -1))
lazy = transform_blocks(iss, many)
lazy

# %%
start = time.perf_counter()
mean, spread = lazy.mean(axis=0), lazy.std(axis=0)
mean, spread = (part.compute() for part in (mean, spread))
print(f"{many.shape[0]:,} series, {lazy.shape[1]:,} features: {time.perf_counter() - start:.1f} s")

# %%
# What to see: each feature is the proportion of time above a threshold; some thresholds are exceeded nearly always and
# others hardly ever. Mean and standard deviation are those of all series, although only a few blocks of features were
# in memory at the same time.

order = np.argsort(mean)
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.fill_between(np.arange(len(mean)), (mean - spread)[order], (mean + spread)[order], color="#56b4e9", alpha=0.5)
axes.plot(mean[order], color="#0072b2")
axes.set(title="Mean and standard deviation of each feature", xlabel="features, sorted", ylabel="value")
plt.show()
client.close()
