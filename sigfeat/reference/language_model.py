"""Language models from their definition: tokens in, logits of the next token out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sigfeat.reference.encoder import block
from sigfeat.reference.layers import layer_norm, part, sinusoids


def language_model(tokens: NDArray[Any], weights: Mapping[str, NDArray[Any]], spec: Any) -> NDArray[Any]:
    """Logits of each next token of one sequence, in evaluation.

    Token i becomes row i of a matrix E, times sqrt(d_model), and for attention the sinusoids of its position are added.
    Blocks and a norm follow; the logits are products with the rows of E again.

    Parameters
    ----------
    tokens : integer ndarray of shape (length,)
        One sequence.
    weights : mapping of str to ndarray
        As `sigfeat.nn.HyenaLM` names them: its `state_dict()`, converted to arrays.
    spec : sigfeat.nn.EncoderSpec
        Of the blocks: the attribute `encoder` of the model's config.

    Returns
    -------
    logits : ndarray of shape (length, n_tokens)

    References
    ----------
    .. [1] Poli et al., "Hyena hierarchy", 2023, arXiv:2302.10866, section 4.1.
    .. [2] Press, Wolf, "Using the output embedding to improve language models", 2017, arXiv:1608.05859: one E for both.
    """
    embedding = weights["embedding.weight"]
    x = embedding[tokens] * np.sqrt(spec.d_model)
    if spec.mixer == "attention":
        x = x + sinusoids(len(tokens), spec.d_model)
    for n in range(spec.n_layers):
        x = block(x, part(weights, f"blocks.{n}."), spec)
    return layer_norm(x, part(weights, "norm.")) @ embedding.T
