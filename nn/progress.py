"""The progress of a training, as it is shown on stderr, and how Ctrl-C ends the training."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINES = 10
"""At most how many lines are written where no bar can be drawn."""


class Progress:
    """Shows a bar if stderr is a terminal and tqdm is installed, or else a line at times. Nothing unless ``shown``."""

    def __init__(self, epochs: int, steps_per_epoch: int, done: int, *, shown: bool) -> None:
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.total = epochs * steps_per_epoch
        self.shown = shown and sys.stderr is not None  # it is None under pythonw
        self._began = perf_counter(), done
        self._next_line = (done * _LINES // self.total + 1) * self.total / _LINES
        self._bar: Any = None
        with self._ignoring_failures():
            self._bar = self._new_bar(done) if self.shown and sys.stderr.isatty() else None

    @contextlib.contextmanager
    def _ignoring_failures(self) -> Iterator[None]:
        """Run a block that writes to stderr. If that fails, as it does where stderr is closed, show nothing from then on."""
        try:
            yield
        except (OSError, ValueError, AttributeError):  # ValueError if it is closed, or cannot encode a character
            if self._bar is not None:
                self._bar.disable = True  # or tqdm would write once more when the bar is deleted
            self.shown, self._bar = False, None

    def _new_bar(self, done: int) -> Any:
        try:
            from tqdm import tqdm  # noqa: PLC0415 - an extra
        except ModuleNotFoundError:
            return None
        size = shutil.get_terminal_size()  # 80 columns where the terminal does not say
        return tqdm(
            total=self.total,
            initial=done,
            unit=" steps",
            unit_scale=True,
            file=sys.stderr,
            ncols=size.columns,
            nrows=size.lines,
            bar_format="{desc} |{bar}| {remaining} {rate_noinv_fmt}{postfix}",
        )

    def update(self, done: int, losses: str) -> None:
        """Show the number of steps that are ``done`` in all epochs, and the ``losses``."""
        if not self.shown:
            return
        epoch = -(-done // self.steps_per_epoch)
        if self._bar is not None:
            with self._ignoring_failures():
                self._bar.n = done
                self._bar.set_description_str(f"epoch {epoch}/{self.epochs}", refresh=False)
                self._bar.set_postfix_str(losses.replace("validation", "val"))
        elif done >= self._next_line:
            start, before = self._began
            rate = (done - before) / (perf_counter() - start)
            self.say(f"epoch {epoch}/{self.epochs}  step {done:,}/{self.total:,}  {losses}  {rate:,.0f} steps/s")
            self._next_line = (done * _LINES // self.total + 1) * self.total / _LINES

    def say(self, line: str) -> None:
        """Write a line, above the bar if there is one."""
        with self._ignoring_failures():
            if self._bar is not None:
                self._bar.write(line, file=sys.stderr)
            elif self.shown:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()

    def close(self) -> None:
        """End the bar, which stays on the screen."""
        with self._ignoring_failures():
            if self._bar is not None:
                self._bar.close()


class Interrupt:
    """Whether Ctrl-C was pressed."""

    asked = False


@contextlib.contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Run a block in which the first Ctrl-C only sets ``asked``. The second raises KeyboardInterrupt, as usual.

    A KeyboardInterrupt in the middle of a step would leave the optimizer with half of its numbers changed. Nothing happens if
    the program has a handler of its own for Ctrl-C, or outside the main thread.
    """
    interrupt = Interrupt()

    def ask(*_: object) -> None:
        interrupt.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    ours = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, ask)
    try:
        yield interrupt
    finally:
        if ours and signal.getsignal(signal.SIGINT) is ask:
            signal.signal(signal.SIGINT, signal.default_int_handler)
