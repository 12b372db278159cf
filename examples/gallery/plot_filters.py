"""
Filters: S4, Hyena, and those of intervals
==========================================

Three ways to write a filter that is as long as the series with few numbers: a state space model, a small network of
the lag, and pairs of filters for the two ends of an interval. All are taps over lags, and all have a spectrum.
"""

import numpy as np
import torch
from matplotlib import pyplot as plt
from sktime.datasets import load_basic_motions

from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder
from sigfeat.filters import draw_filters
from sigfeat.nn import S4
from sigfeat.plotting import plot_filters, plot_spectra

# %%
# S4: what to see
# ---------------
# Taps of a state space model are sums of decaying waves. Before training, each channel has its own time step dt, from
# slow to fast, so that the layer covers all ranges of lags.

n_lags = 200
with torch.no_grad():
    s4 = S4(4, d_state=16, generator=torch.Generator().manual_seed(0))
    taps = s4.taps(n_lags)[0].numpy()
labels = [f"channel {k + 1}" for k in range(4)]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
plot_filters(taps, labels=labels, axes=left).set_title("S4: taps")
plot_spectra(taps, axes=right).set_title("S4: spectra")
left.legend(fontsize=8)
plt.show()

# %%
# Hyena: what to see
# ------------------
# Four filters of a Hyena that is trained to imitate attention. They are two-sided: a token depends on later and earlier
# points. Before training (grey) they are the waves of a random network. After training they have a sharp dip at lag 0,
# which is the point itself, and their spectra cover more frequencies.

X, y = load_basic_motions(split="train", return_type="numpy3D")
small = {"d_model": 32, "n_layers": 1, "batch_size": 8}
teacher = MHAEmbedder(**small, max_epochs=3)
lags = np.arange(-99, 100)


def hyena_filters(**training):
    """Values of four of the filters of the first block."""
    student = HyenaEmbeddingTransformer(teacher, **small, order=2, **training).fit(X, y)
    (mixer,) = [module for module in student.encoder_.modules() if type(module).__name__ == "Hyena"]
    with torch.no_grad():
        return mixer.filters(torch.from_numpy(lags).float())[::16].numpy()


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
before, after = hyena_filters(max_epochs=1, lr=1e-9), hyena_filters(max_epochs=6)  # the first is hardly trained
plot_filters(before, lags=lags, color="0.7", axes=left)
plot_filters(after, lags=lags, axes=left).set_title("Hyena: two-sided filters, before (grey) and after")
plot_spectra(before, color="0.7", axes=right)
plot_spectra(after, axes=right).set_title("Hyena: spectra")
right.set_xlim(0, 0.2)
plt.show()

# %%
# Intervals: what to see
# ----------------------
# The weight of an interval from s to s' depends on how long ago its ends were: f(t - s) g(t - s'). Exponential weights
# decay, boxes select a range of lags, and random weights cover all lags. (Each is divided by its largest value.)

figure, places = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
for axes, kind in zip(places, ("exponential", "box", "random"), strict=True):
    filters = draw_filters(kind, 1, 1, 50, np.random.RandomState(4))
    begin, end = filters.taps(80)[:, 0, 0]
    both = [begin / abs(begin).max(), end / abs(end).max()]
    plot_filters(both, labels=["beginning", "end"], axes=axes).set_title(kind)
    axes.set_ylabel("")
places[0].legend(fontsize=8)
plt.show()
