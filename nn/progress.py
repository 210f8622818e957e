"""What a person sees of a training that is under way, and how Ctrl-C ends it."""

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
"""How many lines there are, at most, where no bar can be drawn."""


class Progress:
    """A bar on a terminal (stderr), if tqdm is installed, or else a line now and then; nothing unless ``shown``."""

    def __init__(self, epochs: int, steps_per_epoch: int, done: int, *, shown: bool) -> None:
        self.epochs = epochs
        self.steps_per_epoch = steps_per_epoch
        self.total = epochs * steps_per_epoch
        self.shown = shown and sys.stderr is not None  # as under pythonw
        self._began = perf_counter(), done
        self._next_line = (done * _LINES // self.total + 1) * self.total / _LINES
        self._bar: Any = None
        with self._whatever_becomes_of_it():
            self._bar = self._new_bar(done) if self.shown and sys.stderr.isatty() else None

    @contextlib.contextmanager
    def _whatever_becomes_of_it(self) -> Iterator[None]:
        """A block that shows something. If stderr does not take it, as when it is closed, nothing more is shown."""
        try:
            yield
        except (OSError, ValueError, AttributeError):  # closed is a ValueError, and so is a character that it does not know
            if self._bar is not None:
                self._bar.disable = True  # or it would try once more when it is forgotten
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
        """Show that so many steps are done, and what the ``losses`` are."""
        if not self.shown:
            return
        epoch = -(-done // self.steps_per_epoch)
        if self._bar is not None:
            with self._whatever_becomes_of_it():
                self._bar.n = done
                self._bar.set_description_str(f"epoch {epoch}/{self.epochs}", refresh=False)
                self._bar.set_postfix_str(losses.replace("validation", "val"))
        elif done >= self._next_line:
            start, before = self._began
            rate = (done - before) / (perf_counter() - start)
            self.say(f"epoch {epoch}/{self.epochs}  step {done:,}/{self.total:,}  {losses}  {rate:,.0f} steps/s")
            self._next_line = (done * _LINES // self.total + 1) * self.total / _LINES

    def say(self, line: str) -> None:
        """Show a line, above the bar if there is one."""
        with self._whatever_becomes_of_it():
            if self._bar is not None:
                self._bar.write(line, file=sys.stderr)
            elif self.shown:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()

    def close(self) -> None:
        """Leave the bar as it is."""
        with self._whatever_becomes_of_it():
            if self._bar is not None:
                self._bar.close()


class Interrupt:
    """Whether Ctrl-C was pressed."""

    asked = False


@contextlib.contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Until the end of the block, the first Ctrl-C asks for an end in good order; the second is Python's own.

    A KeyboardInterrupt could come in the middle of a step, when half of the optimizer's numbers have moved. Where Ctrl-C
    means something else already, or in another thread than the main one, it is left as it is.
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
