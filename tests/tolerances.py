"""How closely two ways to one number must agree, by dtype."""

import numpy as np

EXACT = {"rtol": 1e-12, "atol": 1e-13}
KERNEL = {
    np.dtype("float64"): {"rtol": 1e-11, "atol": 1e-12},
    np.dtype("float32"): {"rtol": 2e-5, "atol": 2e-4},
}
MATRIX = {np.dtype("float64"): 1e-12, np.dtype("float32"): 3e-5}  # of the largest entry, after a hundred products
