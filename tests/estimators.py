"""Values of the parameters of estimators, for tests that change them one by one."""

from sigfeat import MHAEmbedder

HOW_TO_COMPUTE = {"n_jobs", "device", "verbose"}  # may be changed after fit; features do not depend on them
OTHER_VALUES = {  # valid ones, of which at least one is not the value of any transformer of tests.test_contract
    "transformer_list": ([("raw", "passthrough")],),
    **dict.fromkeys(["basepoint", "with_mean", "with_std", "strict", "causal", "gate_norm", "control"], (True, False)),
    **dict.fromkeys(["depth", "n_lags", "dilation", "n_filters", "n_developments", "n_functionals"], (2, 4)),
    **dict.fromkeys(["filter_rank", "filter_length", "d_state", "n_layers", "n_heads"], (2, 1)),
    **dict.fromkeys(["order", "filter_width", "filter_bands"], (2, 1)),
    **dict.fromkeys(["short_filter", "embedding_filter"], (5, 1)),
    **dict.fromkeys(["dim", "d_model", "d_ff", "batch_size", "max_epochs", "patience"], (4, 8)),
    **dict.fromkeys(
        ["lr", "weight_decay", "validation_fraction", "quantile", "decay", "masked_ratio", "dropout"], (0.25, 0.75)
    ),
    "callbacks": ((),),
    "dilations": ((1, 2),),
    "dtype": ("float32",),
    "expansion": (0.5, 2.0),
    "filter": ("random", "box"),
    "fit_mode": ("random", "supervised", "masked"),
    "group": ("SO", "SE"),
    "kind": ("logsignature", "dplr", "signature"),
    "layers": ("hyena", "stack"),
    "max_features": (25, None),
    "method": ("forward", "zero"),
    "n_levels": (2, 1),
    "points_per_quantile": (1, 2),
    "pooling": ("max", "end", "mean"),
    "positions": ("alibi", "sinusoidal"),
    "power": (0.5, 1.0),
    "quantiles": (2, 0.25),
    "random_state": (7,),
    "representations": ("series", ("second_differences",)),
    "scale": (None, "std"),
    "semiring": ("real", "max_plus"),
    "step_size": (0.5, 0.25),
    "task": ("regression",),
    "teacher": (MHAEmbedder(d_model=8, n_heads=1),),
    "unit": ("series", "step"),
    "windows": (3, "whole"),
    "words": ("length", "weight"),
}
