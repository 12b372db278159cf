"""Language models from their definition: from tokens to the logits of the next token."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.reference.encoder import block
from sigfeat.reference.layers import layer_norm, part, sinusoids


def language_model(tokens: NDArray[Any], weights: Mapping[str, NDArray[Any]], spec: Any) -> NDArray[Any]:
    """Logits of each next token of one sequence, in evaluation.

    Token i becomes row i of a matrix E, times sqrt(d_model), and with sinusoidal positions the sinusoids of its
    position are added. Blocks and a norm follow; the logits are products with the rows of the same E.

    Parameters
    ----------
    tokens : integer ndarray of shape (length,)
        One sequence.
    weights : mapping of str to ndarray
        As `sigfeat.nn.HyenaLM` names them: its `state_dict()`, converted to arrays.
    spec : sigfeat.nn.EncoderSpec
        Settings of the blocks: the property `encoder` of the config of the model.

    Returns
    -------
    logits : ndarray of shape (length, n_tokens)

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 4.1.
    .. [2] Press, Wolf, "Using the output embedding to improve language models", 2017, arXiv:1608.05859.

    Examples
    --------
    Without blocks, and with a norm that keeps its input, tokens whose rows are orthogonal predict themselves.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from sigfeat.reference.language_model import language_model
    >>> rows = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    >>> weights = {"embedding.weight": rows, "norm.weight": np.ones(4), "norm.bias": np.zeros(4)}
    >>> spec = SimpleNamespace(positions="none", d_model=4, n_layers=0)
    >>> language_model(np.array([0, 1, 0]), weights, spec).round(2)
    array([[2.83, 0.  ],
           [0.  , 2.83],
           [2.83, 0.  ]])
    """
    embedding = weights["embedding.weight"]
    x = embedding[tokens] * np.sqrt(spec.d_model)
    if spec.positions == "sinusoidal":
        x = x + sinusoids(len(tokens), spec.d_model)
    for n in range(spec.n_layers):
        x = block(x, part(weights, f"blocks.{n}."), spec)
    return layer_norm(x, part(weights, "norm.")) @ embedding.T
