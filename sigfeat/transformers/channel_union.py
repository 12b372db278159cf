"""Several panels of the same series, side by side as channels."""

from collections import Counter

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_union
from sklearn.utils import get_tags

from sigfeat._validation import _BaseComposition
from sigfeat.panel import as_panel, series_lengths
from sigfeat.transformers._contract.base import PanelAugmentation

PASSTHROUGH = "passthrough"


class ChannelUnion(PanelAugmentation, _BaseComposition):
    """Series as several augmentations make them, side by side as the channels of one panel.

    The channels of the series themselves, say, beside their increments and their cumulative sums: what
    `sklearn.pipeline.FeatureUnion` is for features this is for panels.

    Parameters
    ----------
    transformer_list : list of (str, transformer), default=(("raw", "passthrough"),)
        Names, and augmentations or pipelines of them; "passthrough" stands for the series themselves.

    Attributes
    ----------
    transformers_ : list of (str, transformer)
        The same, fitted.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ValueError
        If there are no parts, two of them have one name, or a part makes series longer.
    TypeError
        If a part is no transformer, or does not give a panel.

    See Also
    --------
    make_channel_union : The same, with names made from the classes of the parts.
    sklearn.pipeline.FeatureUnion : Features side by side.

    Notes
    -----
    Parts are fitted without y. A part that makes series shorter, as `Increments` without a basepoint and
    `DelayEmbedding` do, gives values of their last points, so the first points of the other parts are cut off. Channels
    are called as the parts call them, "speed" and "d speed"; where several parts give one name, the name of the part is
    put in front, "raw speed".

    Examples
    --------
    >>> from sigfeat import ChannelUnion, CumulativeSum, Increments
    >>> union = ChannelUnion([("raw", "passthrough"), ("steps", Increments(basepoint=True)), ("sums", CumulativeSum())])
    >>> union.fit_transform([[1.0, 3.0, 2.0]])
    array([[[ 1.,  3.,  2.],
            [ 1.,  2., -1.],
            [ 1.,  4.,  6.]]])
    """

    _parameter_constraints = {"transformer_list": [list, tuple]}

    def __init__(self, transformer_list=(("raw", PASSTHROUGH),)):
        self.transformer_list = transformer_list

    @property
    def _allow_missing(self):
        """Whether all parts take missing values; those of the series themselves go through."""
        return all(_takes_missing(part) for _, part in self._parts())

    def get_params(self, deep=True):
        """Parameters, and with `deep` those of the parts as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to give those of the parts too.

        Returns
        -------
        params : dict
        """
        return self._get_params("transformer_list", deep=deep)

    def set_params(self, **params):
        """Set parameters, those of parts as ``name__parameter``, or a whole part by its name.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : ChannelUnion
        """
        self._set_params("transformer_list", **params)
        return self

    def _parts(self):
        """Names and parts, as far as they are written down rightly."""
        listed = self.transformer_list if isinstance(self.transformer_list, list | tuple) else ()
        pairs = [item for item in listed if isinstance(item, tuple | list) and len(item) == 2]
        return [(name, part) for name, part in pairs if isinstance(name, str)]

    def _check_parts(self):
        if not self.transformer_list or len(self._parts()) < len(self.transformer_list):
            raise ValueError(
                "transformer_list must be pairs of a name and a transformer, at least one, "
                f"got {self.transformer_list!r}"
            )
        try:
            self._validate_names([name for name, _ in self._parts()])
        except ValueError as error:
            raise ValueError(f"transformer_list: {error}") from None
        for name, part in self._parts():
            if part != PASSTHROUGH and not (hasattr(part, "fit") and hasattr(part, "transform")):
                raise TypeError(
                    f'transformer_list must hold transformers or "passthrough", got {part!r} of name {name!r}'
                )

    def _check_panel(self, X, y=None, *, reset):
        if reset:
            self._check_parts()
        return super()._check_panel(X, y, reset=reset)

    def _learn(self, X, lengths):
        X = self._named(X)
        fitted = [(name, part if part == PASSTHROUGH else clone(part).fit(X, None)) for name, part in self._parts()]
        self._n_out = [panel.shape[1] for panel in self._panels(fitted, X[:1], lengths[:1])]
        self.transformers_ = fitted

    def _augment(self, X, lengths):
        panels = self._panels(self.transformers_, self._named(X), lengths)
        own = np.array([series_lengths(panel) if panel.shape[2] else lengths for panel in panels])
        kept = own.min(axis=0)
        out = np.full((len(X), sum(self._n_out), kept.max()), np.nan, X.dtype)
        first = 0
        for panel, ends in zip(panels, own, strict=True):
            rows = out[:, first : first + panel.shape[1]]
            first += panel.shape[1]
            for lost in np.unique(ends - kept):
                same = ends - kept == lost
                stop = min(panel.shape[2], lost + out.shape[2])
                rows[same, :, : stop - lost] = panel[same, :, lost:stop]
        return out

    def _panels(self, fitted, X, lengths):
        """What each part makes of the series; a sentence where it does not go together."""
        panels = [np.asarray(X if part == PASSTHROUGH else part.transform(X)) for _, part in fitted]
        for (name, _), panel in zip(fitted, panels, strict=True):
            if panel.ndim != 3 or len(panel) != len(X):
                raise TypeError(
                    f"transformer_list must hold augmentations, which give panels, but {name!r} gives an array of "
                    f"shape {panel.shape}; features stand side by side in a FeatureUnion"
                )
            own = series_lengths(panel)
            if (own > lengths).any():
                i = int((own > lengths).argmax())
                raise ValueError(
                    f"transformer_list must hold transformers that make no series longer, but {name!r} gives {own[i]} "
                    f"points for the {lengths[i]} of series {i}"
                )
        return panels

    def _named(self, X):
        """The series as a `Panel`, whose axes no part calls into question any more."""
        return as_panel(X, names=self.feature_names_in_ if self._has_channel_names() else None)

    def _name_channels(self, names):
        given = [self._names_of(k, part, names) for k, (_, part) in enumerate(self.transformers_)]
        often = Counter(name for part in given for name in part)
        return [
            f"{part} {name}" if often[name] > 1 else name
            for (part, _), own in zip(self.transformers_, given, strict=True)
            for name in own
        ]

    def _names_of(self, k, part, names):
        """Names of the channels of a part; numbers behind its own name if it gives none."""
        if part == PASSTHROUGH:
            return names
        try:
            return list(part.get_feature_names_out(names))
        except AttributeError:  # of the part, or of a step of it
            return [f"{self.transformers_[k][0]} {c + 1}" for c in range(self._n_out[k])]


def _takes_missing(part):
    while isinstance(part, Pipeline):  # which does not say so itself
        part = next((step for _, step in part.steps if step not in (PASSTHROUGH, None)), PASSTHROUGH)
    return not hasattr(part, "__sklearn_tags__") or get_tags(part).input_tags.allow_nan


def make_channel_union(*transformers):
    """`ChannelUnion` of augmentations, named after their classes.

    Parameters
    ----------
    *transformers : transformers or "passthrough"
        Augmentations, or pipelines of them.

    Returns
    -------
    union : ChannelUnion

    Examples
    --------
    >>> import pandas as pd
    >>> from sigfeat import Increments, make_channel_union
    >>> frame = pd.DataFrame({"speed": [1.0, 3.0, 2.0]}, index=pd.MultiIndex.from_product([["a"], range(3)]))
    >>> union = make_channel_union("passthrough", Increments(basepoint=True)).fit(frame)
    >>> union.get_feature_names_out().tolist()
    ['speed', 'd speed']
    """
    return ChannelUnion(make_union(*transformers).transformer_list)
