"""Pictures of features, developments, filters and fits: axes in, axes out.

Each function draws plain arrays on the axes it is given, or on those of a new figure, and returns them, so that titles,
limits and sizes are the caller's. Only these functions need matplotlib, and load it when they are called.
"""

from sigfeat.plotting._names import name_parts
from sigfeat.plotting.developments import plot_development
from sigfeat.plotting.filters import plot_filters, plot_spectra
from sigfeat.plotting.importance import importance_by, plot_importance
from sigfeat.plotting.students import plot_fidelity, plot_similarity

__all__ = [
    "importance_by",
    "name_parts",
    "plot_development",
    "plot_fidelity",
    "plot_filters",
    "plot_importance",
    "plot_similarity",
    "plot_spectra",
]
