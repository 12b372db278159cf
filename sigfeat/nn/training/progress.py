"""Progress bars: by themselves in a terminal for long training, always, or never."""

import multiprocessing
import time

from tqdm import tqdm

LONG = 10.0  # seconds of a training from which on a bar appears by itself


class Progress:
    """Progress bar of a training, on standard error.

    Parameters
    ----------
    title : str
        Title of the bar; empty for none.
    verbose : int or None
        Whether to show the bar. None for one if standard error is a terminal and the training takes more than `LONG`
        seconds; processes that another one started, such as those of a grid search, then show none.
    n_steps : int or None
        Number of steps; None if unknown.
    n_done : int, default=0
        Number of steps that were done before.
    seconds : float, default=inf
        Time after which training ends in any case.
    """

    def __init__(
        self,
        title: str,
        verbose: int | None,
        n_steps: int | None,
        n_done: int = 0,
        seconds: float | int = float("inf"),
    ) -> None:
        is_hidden = not title or (verbose == 0 if verbose is not None else multiprocessing.parent_process() is not None)
        self.begun, self.n_done, self.n_steps, self.seconds = time.monotonic(), n_done, n_steps, seconds
        self.bar = tqdm(
            total=n_steps,
            initial=n_done,
            desc=title,
            unit="step",
            delay=0 if verbose else LONG,
            disable=True if is_hidden else False if verbose else None,  # None: unless in a terminal
        )

    def step(self) -> None:
        """Note that a step is done."""
        self.bar.update()

    def epoch(self, loss: float) -> None:
        """Show the loss of an epoch, and decide whether the training is a long one."""
        if self.bar.disable:
            return
        if self.bar.delay and self._duration() > LONG:
            self.bar.delay = 0
        self.bar.set_postfix(loss=f"{loss:.3g}", refresh=not self.bar.delay)

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()

    def _duration(self) -> float:
        """Seconds that the training will probably take."""
        elapsed, n_new = time.monotonic() - self.begun, int(self.bar.n) - self.n_done
        if self.n_steps is None or not n_new:
            return self.seconds
        return min(self.seconds, elapsed * (self.n_steps - self.n_done) / n_new)
