"""Plots of paths of matrices, over time or on a sphere."""

import numpy as np

from sigfeat.plotting._axes import GREY, axes_or_new, colours, labels_of, plain

ROUNDING = 1e-3  # tolerance for the orthogonality of the matrices of a path in float32
SHOWN = ("auto", "sphere", "entries")


def plot_development(path, *, show="auto", labels=None, color=None, axes=None):
    """Plot the trajectory of a development: of the north pole on a sphere, or of the entries over time.

    Parameters
    ----------
    path : array-like of shape (n_timepoints, dim, dim) or (n_paths, n_timepoints, dim, dim)
        Matrices X_t, real or complex, as from `sigfeat.nn.development` with ``whole_path=True``.
    show : {"auto", "sphere", "entries"}, default="auto"
        "sphere": the image of the north pole (0, 0, 1) under X_t, which is its last column; for matrices of side 3.
        "entries": a line for each entry of the first path, dashed for imaginary parts. "auto": the sphere for rotations
        in space, unless the given axes are flat.
    labels : list of str or None, default=None
        Label of each path on the sphere, for a legend.
    color : matplotlib colour or None, default=None
        Colour of all lines; None for different colours.
    axes : matplotlib.axes.Axes or None, default=None
        Axes to draw on, with ``projection="3d"`` for the sphere; None for those of a new figure.

    Returns
    -------
    axes : matplotlib.axes.Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If the matrices are not square, `show` is not known, or the sphere is requested for matrices of a side other
        than 3 or on flat axes.

    Examples
    --------
    >>> import numpy as np
    >>> from sigfeat.plotting import plot_development
    >>> angles = np.linspace(0, np.pi / 2, 20)
    >>> cos, sin, zero = np.cos(angles), np.sin(angles), np.zeros(20)
    >>> turns = np.stack([[cos, zero, sin], [zero, zero + 1, zero], [-sin, zero, cos]]).transpose(2, 0, 1)
    >>> axes = plot_development(turns)
    >>> axes.name
    '3d'
    """
    paths = np.asarray(path)
    paths = paths[np.newaxis] if paths.ndim == 3 else paths
    if paths.ndim != 4 or paths.shape[2] != paths.shape[3]:
        raise ValueError(f"path must have shape (n_timepoints, dim, dim), got {np.shape(path)}")
    if show not in SHOWN:
        raise ValueError(f"show must be one of {', '.join(SHOWN)}, got {show!r}")
    flat = axes is not None and axes.name != "3d"
    if show == "auto":
        show = "sphere" if not flat and _rotations(paths) else "entries"
    if show == "entries":
        return _entries(paths[0], color, axes)
    if flat or paths.shape[2] != 3:
        raise ValueError(f'a sphere needs matrices of side 3 and axes with projection="3d", got side {paths.shape[2]}')
    return _sphere(paths, labels_of(labels, len(paths)), color, axes)


def _rotations(paths):
    if paths.shape[2] != 3 or np.iscomplexobj(paths):
        return False
    return np.allclose(paths.swapaxes(2, 3) @ paths, np.eye(3), atol=ROUNDING)


def _sphere(paths, labels, color, axes):
    axes = axes_or_new(axes, projection="3d")
    azimuth, height = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    globe = np.cos(azimuth) * np.sin(height), np.sin(azimuth) * np.sin(height), np.cos(height)
    if not axes.collections:  # draw the sphere only once if further calls add paths
        axes.plot_wireframe(*globe, color=GREY, linewidth=0.4)
    for one, label, colour in zip(paths, labels, colours(color), strict=False):
        poles = one[:, :, 2].real
        axes.plot(*poles.T, color=colour, linewidth=1, label=label)
        axes.plot(*poles[-1:].T, "o", color=colour, markersize=5)
    axes.set_box_aspect((1, 1, 1), zoom=1.4)
    axes.view_init(elev=40)
    axes.set_axis_off()
    return axes


def _entries(path, color, axes):
    axes = plain(axes_or_new(axes))
    for (row, column), colour in zip(np.ndindex(path.shape[1:]), colours(color), strict=False):
        values = path[:, row, column]
        axes.plot(values.real, color=colour, linewidth=1, label=f"({row + 1},{column + 1})")
        if np.iscomplexobj(path):
            axes.plot(values.imag, color=colour, linewidth=1, linestyle="--")
    axes.set_xlabel("time step")
    axes.set_ylabel("entries of the matrix")
    return axes
