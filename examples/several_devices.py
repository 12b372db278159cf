"""One training on several devices: an embedder of Hyena and its teacher, on synthetic motions.

Run ``python examples/several_devices.py``, which uses one device, or start several processes that divide each batch:

    torchrun --nproc-per-node 2 examples/several_devices.py
    accelerate launch --num_processes 2 examples/several_devices.py

Both start one process on each of two GPUs. Without GPUs, the first starts two processes on the CPU and the second
starts one. All processes end with the same weights, which are those of a single process up to rounding.
"""

import time

import numpy as np
from accelerate import PartialState

from sigfeat import HyenaEmbeddingTransformer, MHAEmbedder


def motions(n_samples, seed):
    """Oscillations of two speeds, measured by three sensors."""
    rng, t = np.random.default_rng(seed), np.linspace(0, 12, 60)
    y = np.arange(n_samples) % 2
    speed, phase = 1 + 0.3 * y + 0.1 * rng.standard_normal(n_samples), rng.uniform(0, 6, (n_samples, 3))
    swings = np.sin(speed[:, np.newaxis, np.newaxis] * t + phase[..., np.newaxis])
    return swings + 0.3 * rng.standard_normal(swings.shape), y


def main():
    """Train, and print the results."""
    X, y = motions(64, seed=0)
    how = {"max_epochs": 2, "batch_size": 16, "device": "accelerate"}  # the processes divide the 16 series
    start = time.perf_counter()
    student = HyenaEmbeddingTransformer(MHAEmbedder(d_model=16, n_layers=1, dropout=0.0, **how), **how)
    student.fit(X, y)
    seconds = time.perf_counter() - start
    state = PartialState()
    features = student.transform(motions(8, seed=1)[0])  # by this process alone
    if state.is_main_process:  # the others have the same
        print(f"processes: {state.num_processes}, on {state.device.type}")
        print(f"{len(student.history_['loss'])} steps, loss {student.history_['loss'][-1]:.4f}, {seconds:.1f} s")
        print(f"fidelity {student.fidelity_['token_r2']:.3f}, features {features.shape}, sum {features.sum():.5f}")
    if state.num_processes > 1:
        state.destroy_process_group()


if __name__ == "__main__":
    main()
