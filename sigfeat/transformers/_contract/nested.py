"""Parameters of estimators that stand in for None."""


class DefaultPartsMixin:
    """Estimators with a parameter whose None means a default estimator, and whose own parameters are settable.

    ``student.set_params(teacher__d_model=32)`` puts the default teacher in the place of None and sets its parameter, so
    that a grid search finds it. The signature keeps None: an estimator there would be shared by all instances.

    Subclasses give the default estimators in `_default_parts`.
    """

    def get_params(self, deep=True):
        """Parameters, and those of estimators among them.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parameters, also of the default estimators that None stands for.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=deep)
        for name, part in self._default_parts().items() if deep else ():
            params |= {f"{name}__{key}": value for key, value in part.get_params().items()}
        return params

    def set_params(self, **params):
        """Set parameters, also of estimators among them.

        Parameters
        ----------
        **params : dict
            Parameters, as ``name`` or ``name__parameter``. Where `name` is None, and this changes its default
            estimator, the changed one takes its place.

        Returns
        -------
        self : estimator

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        super().set_params(**{key: params.pop(key) for key in list(params) if "__" not in key})
        for name, part in self._default_parts().items():
            start = f"{name}__"
            nested = {key.removeprefix(start): params.pop(key) for key in list(params) if key.startswith(start)}
            default = part.get_params()
            part.set_params(**nested)
            if any(key not in default or value is not default[key] for key, value in part.get_params().items()):
                super().set_params(**{name: part})
        return super().set_params(**params)

    def _default_parts(self):
        """Names of the parameters that are None, and a fresh estimator for each."""
        return {}
