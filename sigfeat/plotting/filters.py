"""Plots of filters over lags, and of their spectra."""

import numpy as np

from sigfeat.plotting._axes import axes_or_new, colours, labels_of, plain


def plot_filters(taps, *, lags=None, labels=None, color=None, axes=None):
    """Plot the values of filters against the lag.

    Parameters
    ----------
    taps : array-like of shape (n_lags,) or (n_filters, n_lags)
        Values of filters, such as those of Hyena, S4 or intervals.
    lags : array-like of shape (n_lags,) or None, default=None
        Lags in steps; None for 0, 1, .... Two-sided filters have negative lags.
    labels : list of str or None, default=None
        Label of each filter, for a legend.
    color : matplotlib colour or None, default=None
        Colour of all lines; None for different colours.
    axes : matplotlib.axes.Axes or None, default=None
        Axes to draw on; None for those of a new figure.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the taps are not an array of filters of one length, or the number of lags or labels does not match.

    Examples
    --------
    >>> import torch
    >>> from sigfeat.nn import S4
    >>> from sigfeat.plotting import plot_filters
    >>> taps = S4(2, d_state=8, generator=torch.Generator().manual_seed(0)).taps(50)
    >>> axes = plot_filters(taps[0].detach(), labels=["channel 1", "channel 2"])
    >>> axes.get_xlabel(), len(axes.lines)
    ('lag, steps', 2)
    """
    taps = _checked(taps)
    lags = np.arange(taps.shape[1]) if lags is None else np.asarray(lags)
    if lags.shape != taps.shape[1:]:
        raise ValueError(f"lags must have an entry for each of {taps.shape[1]} taps, got shape {lags.shape}")
    axes = plain(axes_or_new(axes))
    for own, label, colour in zip(taps, labels_of(labels, len(taps)), colours(color), strict=False):
        axes.plot(lags, own, color=colour, linewidth=1.2, label=label)
    axes.set_xlabel("lag, steps")
    axes.set_ylabel("value of the filter")
    return axes


def plot_spectra(taps, *, n_fft=None, labels=None, color=None, axes=None):
    """Plot the absolute values of the Fourier transforms of filters against the frequency.

    Parameters
    ----------
    taps : array-like of shape (n_lags,) or (n_filters, n_lags)
        As for `plot_filters`. Absolute values do not depend on the first lag.
    n_fft : int or None, default=None
        Length of the transform; None for four times the number of lags, which gives smooth lines.
    labels : list of str or None, default=None
        Label of each filter, for a legend.
    color : matplotlib colour or None, default=None
        Colour of all lines; None for different colours.
    axes : matplotlib.axes.Axes or None, default=None
        Axes to draw on; None for those of a new figure.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the taps are not an array of filters of one length, the number of labels does not match, or the transform is
        shorter than the filters.

    Examples
    --------
    A mean over four steps removes the frequency at a quarter of the sampling rate.

    >>> from sigfeat.plotting import plot_spectra
    >>> axes = plot_spectra([0.25, 0.25, 0.25, 0.25])
    >>> frequencies, sizes = axes.lines[0].get_data()
    >>> float(frequencies[4]), float(sizes[4].round(6))
    (0.25, 0.0)
    """
    taps = _checked(taps)
    n_fft = 4 * taps.shape[1] if n_fft is None else n_fft
    if n_fft < taps.shape[1]:
        raise ValueError(f"n_fft must be at least the number of lags {taps.shape[1]}, got {n_fft}")
    axes = plain(axes_or_new(axes))
    sizes = np.abs(np.fft.rfft(taps, n_fft))
    for own, label, colour in zip(sizes, labels_of(labels, len(taps)), colours(color), strict=False):
        axes.plot(np.fft.rfftfreq(n_fft), own, color=colour, linewidth=1.2, label=label)
    axes.set_xlabel("frequency, cycles per step")
    axes.set_ylabel("size of the spectrum")
    axes.set_ylim(bottom=0)
    return axes


def _checked(taps):
    taps = np.atleast_2d(np.asarray(taps, float))
    if taps.ndim != 2 or not taps.size:
        raise ValueError(f"taps must have shape (n_filters, n_lags), got {taps.shape}")
    return taps
