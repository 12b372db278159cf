"""Plots of features, developments, filters and students.

Each function draws arrays on the given axes, or on those of a new figure, and returns the axes, so that the caller can
set titles, limits and sizes. Only these functions need matplotlib, which is imported when they are called.
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
