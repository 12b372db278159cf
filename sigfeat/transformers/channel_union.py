"""Union of augmentations: their outputs side by side as the channels of one panel."""

from collections import Counter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline, make_union
from sklearn.utils import get_tags

from sigfeat._validation import _BaseComposition
from sigfeat.panel import Panel, as_panel, series_lengths
from sigfeat.transformers._contract.base import PanelAugmentation

PASSTHROUGH = "passthrough"


class ChannelUnion(PanelAugmentation, _BaseComposition):
    """Apply several augmentations and put their outputs side by side as the channels of one panel.

    For example, the original channels beside their increments and their cumulative sums. It does for panels what
    `sklearn.pipeline.FeatureUnion` does for features.

    Parameters
    ----------
    transformer_list : list of (str, transformer), default=(("raw", "passthrough"),)
        Names with augmentations or pipelines of them. "passthrough" gives the original series.

    Attributes
    ----------
    transformers_ : list of (str, transformer)
        Names with fitted transformers.
    n_channels_ : int
        Number of channels seen at fit.

    Raises
    ------
    ValueError
        If the list is empty, two parts have the same name, or a part makes series longer.
    TypeError
        If a part is not a transformer, or does not return a panel.

    See Also
    --------
    make_channel_union : Builds the same union and names the parts after their classes.
    sklearn.pipeline.FeatureUnion : The union of feature transformers.

    Notes
    -----
    Parts are fitted without y. Some parts make series shorter, such as `Increments` without a basepoint and
    `DelayEmbedding`. Their values belong to the last points, so the first points of the other parts are dropped.
    Channels have the names that their part gives them, "speed" and "d speed". If several parts give the same name, the
    name of the part is put in front, "raw speed".

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

    def __init__(self, transformer_list: Any = (("raw", PASSTHROUGH),)) -> None:
        self.transformer_list = transformer_list

    @property
    def _allow_missing(self) -> bool:  # type: ignore[override]  # it depends on the parts
        """Whether all parts accept missing values; "passthrough" does."""
        return all(_takes_missing(part) for _, part in self._parts())

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, with `deep` including those of the parts as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the parts.

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = self._get_params("transformer_list", deep=deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters: those of parts as ``name__parameter``, a whole part by its name.

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

    def _parts(self) -> list[tuple[str, Any]]:
        """Names and parts of the well-formed entries of the list."""
        listed = self.transformer_list if isinstance(self.transformer_list, list | tuple) else ()
        pairs = [item for item in listed if isinstance(item, tuple | list) and len(item) == 2]
        return [(name, part) for name, part in pairs if isinstance(name, str)]

    def _check_parts(self) -> None:
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

    def _check_panel(self, X: Any, y: Any = None, *, reset: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
        if reset:
            self._check_parts()
        return super()._check_panel(X, y, reset=reset)

    def _learn(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> None:
        X = self._named(X)
        fitted = [(name, part if part == PASSTHROUGH else clone(part).fit(X, None)) for name, part in self._parts()]
        self._n_out = [panel.shape[1] for panel in self._panels(fitted, X[:1], lengths[:1])]
        self.transformers_ = fitted

    def _augment(self, X: NDArray[Any], lengths: NDArray[np.int64]) -> NDArray[Any]:
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

    def _panels(self, fitted: list[tuple[str, Any]], X: NDArray[Any], lengths: NDArray[np.int64]) -> list[NDArray[Any]]:
        """Output of each part; raises an error if the outputs do not fit together."""
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

    def _named(self, X: NDArray[Any]) -> Panel:
        """The series as a `Panel`, for which parts do not warn about swapped axes."""
        return as_panel(X, names=self.feature_names_in_ if self._has_channel_names() else None)

    def _name_channels(self, names: list[str]) -> list[str]:
        given = [self._names_of(k, part, names) for k, (_, part) in enumerate(self.transformers_)]
        often = Counter(name for part in given for name in part)
        return [
            f"{part} {name}" if often[name] > 1 else name
            for (part, _), own in zip(self.transformers_, given, strict=True)
            for name in own
        ]

    def _names_of(self, k: int, part: Any, names: list[str]) -> list[str]:
        """Channel names of a part; its own name with numbers if it has no channel names."""
        if part == PASSTHROUGH:
            return names
        try:
            return list(part.get_feature_names_out(names))
        except AttributeError:  # the part, or one of its steps, has no names
            return [f"{self.transformers_[k][0]} {c + 1}" for c in range(self._n_out[k])]


def _takes_missing(part: Any) -> bool:
    while isinstance(part, Pipeline):  # a pipeline has no tag of its own for this
        part = next((step for _, step in part.steps if step not in (PASSTHROUGH, None)), PASSTHROUGH)
    return not hasattr(part, "__sklearn_tags__") or get_tags(part).input_tags.allow_nan


def make_channel_union(*transformers: Any) -> ChannelUnion:
    """Build a `ChannelUnion` whose parts are named after their classes.

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
