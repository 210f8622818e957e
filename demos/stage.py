"""What the demos share: the command line, a progress bar, timings of compiled and eager code, and writing pictures."""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

import nn
from autograd import DrawError, Drawing, files, gradient, math

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from autograd import Compiled

T = TypeVar("T")

BLUE, AMBER, INK = "#2f6fb7", "#dd8a1e", "#1f2933"


@contextlib.contextmanager
def extras(*, name: str = "demos") -> Iterator[None]:
    """A block of imports. If a package is missing, the demo exits and prints the command that installs the extra ``name``."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "?").partition(".")[0]
        msg = f'the demos need {package}, which is not installed: python -m pip install -e ".[{name}]"'
        raise SystemExit(msg) from error


with extras():
    from tqdm import tqdm


class Options(argparse.Namespace):
    """The options on the command line."""

    quick: bool
    seed: int
    out: Path
    eager: bool = False


def options(
    demo: str,
    description: str | None,
    argv: Sequence[str] | None,
    *,
    trains: bool = False,
    parents: Sequence[argparse.ArgumentParser] = (),
) -> Options:
    """Parse ``argv``, or the command line if that is None, and create the folder ``out``.

    ``parents`` are parsers with the options of this demo alone.
    """
    parser = argparse.ArgumentParser(f"python -m demos.{demo}", description=description, parents=parents)
    parser.add_argument("--quick", action="store_true", help="take less time, where possible")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="start of the random numbers, if any (default: 0)")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the files that it writes (default: out)"
    )
    if trains:
        parser.add_argument("--eager", action="store_true", help="train without autograd.compile: the same, but slower")
    chosen = parser.parse_args(argv, Options())
    if not 0 <= chosen.seed < 2**32:
        parser.error(f"--seed must be between 0 and {2**32 - 1}, not {chosen.seed}")
    try:
        chosen.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {chosen.out}: {error.strerror}")
    return chosen


def progress(items: Iterable[T], what: str) -> Iterable[T]:
    """Yield ``items`` under a progress bar on stderr that disappears at the end."""
    bar: Iterable[T] = tqdm(items, desc=what, leave=False, disable=None)  # none into files and pipes
    return bar


def say(line: str) -> None:
    """Print a line above the progress bar."""
    tqdm.write(line)


def eager(compiled: Compiled) -> Callable[..., tuple[float, NDArray[np.float64]]]:
    """Return the eager counterpart of ``compiled.value_and_grad``: each call makes a graph of Values and sweeps it."""

    def value_and_grad(theta: NDArray[np.float64], *batch: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
        nn.vector_to_parameters(theta, compiled.parameters)
        results = [compiled.fn(*example) for example in zip(*[array.tolist() for array in batch], strict=True)]
        mean = math.fsum(results) / len(results)
        return mean.data, np.array(gradient(mean, compiled.parameters))

    return value_and_grad


def race(compiled: Compiled, theta: NDArray[np.float64], *batch: NDArray[Any]) -> str:
    """Say how long the mean of a function over ``batch`` and its gradient take, compiled and eager."""
    medians = []
    for value_and_grad, calls in ((compiled.value_and_grad, 200), (eager(compiled), 3)):
        times = []
        for _ in range(calls):
            start = perf_counter()
            value_and_grad(theta, *batch)
            times.append(perf_counter() - start)
        medians.append(median(times))
    fast, slow, ratio = [float(f"{x:.2g}") for x in (1e3 * medians[0], 1e3 * medians[1], medians[1] / medians[0])]
    return f"{fast:g} ms compiled, {slow:g} ms eager: {ratio:g} times faster"


def save(picture: Figure | Drawing, path: Path) -> Path:
    """Write ``picture`` to ``path``, and return the path."""
    if isinstance(picture, Drawing):
        try:
            return picture.save(path)
        except DrawError as error:
            raise SystemExit(str(error)) from error
    written = io.BytesIO()
    picture.savefig(written, format=path.suffix[1:], dpi=150, bbox_inches="tight", pad_inches=0.15)
    files.write(path, written.getvalue())
    return path
