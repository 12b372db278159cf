"""Parameters whose value None stands for a default estimator."""

from typing import Any, Self


class DefaultPartsMixin:
    """Estimators with a parameter whose value None stands for a default estimator with parameters of its own.

    ``student.set_params(teacher__d_model=32)`` replaces None by the default teacher and sets its parameter, so that a
    grid search works. The signature keeps None: an estimator there would be shared by all instances.

    Subclasses return the default estimators from `_default_parts`. They may be estimators of sktime and aeon, so this
    class is not derived from scikit-learn's.
    """

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, and the parameters of estimators among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of estimators among the parameters, also of default estimators.

        Returns
        -------
        params : dict
        """
        estimator: Any = super()
        params: dict[str, Any] = estimator.get_params(deep=deep)
        for name, part in self._default_parts().items() if deep else ():
            params |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, and the parameters of estimators among them.

        Parameters
        ----------
        **params : dict
            Parameters, as ``name`` or ``name__parameter``. If `name` is None, and this changes its default estimator,
            the changed one replaces None.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        estimator: Any = super()
        estimator.set_params(**{key: params.pop(key) for key in list(params) if "__" not in key})
        for name, part in self._default_parts().items():
            start = f"{name}__"
            nested = {key.removeprefix(start): params.pop(key) for key in list(params) if key.startswith(start)}
            default = part.get_params()
            part.set_params(**nested)
            if any(key not in default or value is not default[key] for key, value in part.get_params().items()):
                estimator.set_params(**{name: part})
        estimator.set_params(**params)
        return self

    def _default_parts(self) -> dict[str, Any]:
        """Names of the parameters that are None, and a fresh estimator for each."""
        return {}
