"""
Hyena against attention in one page
===================================

A Hyena is trained to reproduce the tokens of attention and then replaces it, at a cost that grows almost linearly with
the length. How close is the reproduction, which order does it need, and from which length on is it faster?

This page is a small version of the study, `python -m benchmarks.hyena_vs_mha`.
"""

import time

import numpy as np
import torch
from matplotlib import pyplot as plt
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.metrics.pairwise import cosine_similarity
from sktime.datasets import load_basic_motions

from sigfeat import HyenaEmbeddingTransformer, LeaveOneOutRidgeClassifier, MHAEmbedder
from sigfeat.nn import Attention, Hyena, HyenaFilter
from sigfeat.plotting import plot_fidelity, plot_similarity

torch.set_num_threads(1)
X, y = load_basic_motions(split="train", return_type="numpy3D")
X_test, y_test = load_basic_motions(split="test", return_type="numpy3D")

# %%
# The teacher is trained to predict the classes. The students are trained to reproduce its tokens on augmented series.

small = {"d_model": 32, "n_layers": 1, "batch_size": 8}
teacher = MHAEmbedder(**small, max_epochs=8).fit(X, y)
frozen = FrozenEstimator(teacher)
orders = (1, 2, 4)
students = {order: HyenaEmbeddingTransformer(frozen, order=order, **small, max_epochs=8).fit(X) for order in orders}

# %%
# What to see: on test series, order 2 reproduces the teacher about as well as order 4. R2 is stricter than accuracy: a
# ridge classifier on these embeddings has the same accuracy for all of them.

axes = plot_fidelity({order: student.fidelity(X_test) for order, student in students.items()})
axes.set_ylim(top=1)
axes.set_title("Fidelity on test series")
plt.show()

for name, embedder in {"attention": teacher, **{f"Hyena {order}": students[order] for order in orders}}.items():
    ridge = LeaveOneOutRidgeClassifier().fit(embedder.transform(X), y)
    print(f"{name:10} test accuracy {ridge.score(embedder.transform(X_test), y_test):.3f}")

# %%
# The embeddings. Circles are attention, and dots are the Hyena of order 2 that imitates it. On the right: the
# similarity of the mean embeddings of the classes.

wanted, found = teacher.transform(X_test), students[2].transform(X_test)
plane = PCA(2).fit(wanted)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for k, label in enumerate(np.unique(y)):
    own = y_test == label
    left.scatter(*plane.transform(wanted[own]).T, s=60, facecolors="none", edgecolors=f"C{k}")
    left.scatter(*plane.transform(found[own]).T, s=12, color=f"C{k}", label=label)
left.set(title="Attention (rings) and Hyena (dots)", xlabel="component 1", ylabel="component 2")
left.legend(fontsize=8)
labels = np.unique(y)
means = [np.stack([part[y_test == label].mean(axis=0) for label in labels]) for part in (wanted, found)]
center = means[0].mean(axis=0)
plot_similarity(
    cosine_similarity(means[0] - center, means[1] - center), labels=list(labels), limits=(-1, 1), axes=right
)
right.set(title="Cosine of classes' means", xlabel="Hyena, order 2", ylabel="attention")
right.tick_params(axis="x", rotation=30)
plt.show()

# %%
# The cost: one layer, width 64, forward, one thread.

how = {"generator": torch.Generator().manual_seed(0), "dtype": torch.float32}
layers = {
    "attention": Attention(64, n_heads=4, **how),
    "Hyena, order 2": Hyena(64, order=2, filter=HyenaFilter(time_scale=1000.0), **how),
}
lengths, seconds = [128, 256, 512, 1024, 2048, 4096], {name: [] for name in layers}
with torch.no_grad():
    for length in lengths:
        tokens = torch.randn(2, length, 64)
        for name, layer in layers.items():
            layer.eval()(tokens)
            runs = []
            for _ in range(3):
                start = time.perf_counter()
                layer(tokens)
                runs.append(time.perf_counter() - start)
            seconds[name].append(min(runs))

figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
for (name, values), colour in zip(seconds.items(), ("#d55e00", "#0072b2"), strict=True):
    axes.loglog(lengths, values, "o-", color=colour, label=name)
axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
axes.minorticks_off()
axes.set(xlabel="length of the series", ylabel="seconds", title="Time of one layer")
axes.legend()
plt.show()
