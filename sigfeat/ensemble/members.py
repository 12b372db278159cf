"""Members that are fitted to the same series, and their predictions of series that they were fitted without."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sigfeat._messages import plain
from sigfeat._validation import Interval, _BaseComposition, check_is_fitted
from sigfeat.panel import channel_names, computed, is_table, to_panel

LEFT_OUT = "left_out_probabilities_", "left_out_predictions_"  # what a member must have, of classes and of numbers


class MultiView(_BaseComposition, BaseEstimator):
    """Members that are fitted to the same series, and their weights."""

    _left_out: str

    _parameter_constraints: dict[str, Any] = {
        "estimators": [list, tuple],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "tolerance": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self, estimators: Sequence[tuple[str, Any]], *, shrinkage: float = 0.5, tolerance: float | None = 2.0
    ) -> None:
        self.estimators = estimators
        self.shrinkage = shrinkage
        self.tolerance = tolerance

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, with `deep` including those of the members as ``name__parameter``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the members.

        Returns
        -------
        params : dict
        """
        params: dict[str, Any] = self._get_params("estimators", deep=deep)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters: those of members as ``name__parameter``, a whole member by its name.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self : object
        """
        self._set_params("estimators", **params)
        return self

    def _check_members(self) -> None:
        """Raise a ValueError unless there are pairs of a unique name and an estimator."""
        pairs = [item for item in self.estimators if isinstance(item, tuple | list) and len(item) == 2]
        named = [name for name, member in pairs if isinstance(name, str) and hasattr(member, "fit")]
        if not named or len(named) < len(self.estimators):
            raise ValueError(
                f"estimators must be pairs of a name and an estimator, at least one, got {plain(self.estimators)!r}"
            )
        try:
            self._validate_names(named)
        except ValueError as error:
            raise ValueError(f"estimators: {error}") from None

    def _fit_members(self, X: Any, y: Any, sample_weight: Any) -> tuple[list[Any], NDArray[np.float64]]:
        """Fitted clones of the members, and their predictions of the training series that were made without them."""
        fitted, found = [], []
        for name, member in self.estimators:
            one = clone(member)
            weights = {} if sample_weight is None else _routed(one, sample_weight)
            fitted.append(one.fit(X, y, **weights))
            if not hasattr(last_step(one), self._left_out):
                kind = "Classifier" if self._left_out == LEFT_OUT[0] else "Regressor"
                raise TypeError(
                    f"estimators: {name!r} has no {self._left_out}, the predictions of the training series that were "
                    f"made without them, from which weights are fitted: wrap its last step in CrossFitted{kind}"
                )
            found.append(np.asarray(getattr(last_step(one), self._left_out), np.float64))
            if len(found[-1]) != len(y) or found[-1].shape != found[0].shape:
                raise ValueError(
                    f"estimators: {name!r} has {self._left_out} of shape {found[-1].shape} for {len(y)} series, and "
                    f"{self.estimators[0][0]!r} has {found[0].shape}: were they fitted to other series or targets?"
                )
        return fitted, np.stack(found)

    @property
    def n_features_in_(self) -> int:
        """Number of features, or of time points, seen at fit, as the first member has it."""
        check_is_fitted(self)
        seen: int = self.estimators_[0].n_features_in_
        return seen

    @property
    def feature_names_in_(self) -> NDArray[np.object_]:
        """Names of channels or columns seen at fit, if there were any, as the first member has them."""
        check_is_fitted(self)
        names: NDArray[np.object_] = self.estimators_[0].feature_names_in_
        return names

    def __sklearn_is_fitted__(self) -> bool:
        return "weights_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.estimators:
            inputs = [get_tags(member).input_tags for _, member in self.estimators]
            tags.input_tags = inputs[0]
            tags.input_tags.sparse = all(one.sparse for one in inputs)
        return tags


def converted(X: Any) -> Any:
    """The series, of which cells of a frame are converted only once, since this is slow."""
    X = computed(X)
    return to_panel(X) if channel_names(X) is not None and not is_table(X) else X


def last_step(member: Any) -> Any:
    """The last step of a member."""
    while isinstance(member, Pipeline | FrozenEstimator):
        member = member[-1] if isinstance(member, Pipeline) else member.estimator
    return member


def _routed(member: Any, sample_weight: Any) -> dict[str, Any]:
    """Parameters of the `fit` of a member with which the weights reach its last step."""
    if get_config()["enable_metadata_routing"]:
        if hasattr(last_step(member), "set_fit_request"):
            last_step(member).set_fit_request(sample_weight=True)
        return {"sample_weight": sample_weight}
    prefix = ""
    while isinstance(member, Pipeline):
        prefix, member = f"{prefix}{member.steps[-1][0]}__", member[-1]
    return {f"{prefix}sample_weight": sample_weight}
