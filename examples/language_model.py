"""Train a small Hyena language model on Python's own help, compare it with NumPy, and generate text.

Run ``python examples/language_model.py``. It trains for two minutes, or for ``--seconds N``, on the bytes of a text
that comes with Python, prints the loss on text that was not trained on, computes the same logits by the definition in
NumPy, and continues a prompt. The cost of each new token hardly grows with the number of tokens before it.
"""

import argparse
import tempfile
import time

import numpy as np
import torch

from sigfeat.datasets import load_python_help
from sigfeat.nn import HyenaLM, LanguageModelConfig, text_loss, train_language_model
from sigfeat.reference.language_model import language_model

CONFIG = LanguageModelConfig(context=512, d_model=96, n_layers=2, d_ff=256)
PROMPT = 'The "yield" expression is used when '


def main():
    """Train, evaluate, compare with NumPy, save and load, and generate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120.0, help="of training (default: 120)")
    seconds = parser.parse_args().seconds
    text = load_python_help()
    known, new = text[: 9 * len(text) // 10], text[9 * len(text) // 10 :]
    model = HyenaLM(CONFIG, generator=torch.Generator().manual_seed(0))
    print(f"{model.param_count:,} weights, {len(known):,} bytes to read, {len(new):,} to be judged by")

    history = train_language_model(model, known, seconds=seconds, verbose=True)
    bits = text_loss(model, new) / np.log(2)
    print(f"{len(history['loss'])} steps; {bits:.2f} bits for each byte of new text (8 would be guessing)")

    passage = new[:256]
    tokens = np.frombuffer(passage, np.uint8).astype(np.int64)
    model.double()  # both in float64, so that they agree to rounding
    with torch.no_grad():
        of_torch = model(torch.from_numpy(tokens)[None])[0].numpy()
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    of_numpy = language_model(tokens, weights, model.config.encoder)
    print("\nlogits of the next byte, by torch and by the definition in NumPy:")
    for t in (0, 100, 255):
        best = of_numpy[t].argsort()[:-4:-1]
        found = "  ".join(f"{bytes([byte])!r} {of_torch[t, byte]:.6f} {of_numpy[t, byte]:.6f}" for byte in best)
        print(f"  after {passage[max(0, t - 12) : t + 1]!r}: {found}")
    print(f"  largest difference {np.abs(of_torch - of_numpy).max():.1e}")
    model.float()

    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model")
        model = HyenaLM.load(f"{folder}/model")
    print("\nsaved and loaded; the likeliest text, and three that are drawn:")
    print(f"  {model.generate(PROMPT, 100, temperature=0)!r}")
    for seed in range(3):
        print(f"  {model.generate(PROMPT, 100, temperature=0.7, top_p=0.95, seed=seed)!r}")

    print("\nmilliseconds for each new byte:")
    for n_new in (64, 448):
        start = time.perf_counter()
        model.generate(PROMPT, n_new)
        print(f"  {1e3 * (time.perf_counter() - start) / n_new:.2f} over {n_new} bytes")


if __name__ == "__main__":
    main()
