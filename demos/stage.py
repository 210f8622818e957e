"""What the demos share: a command line, a progress bar, and pictures that are written whole or not at all."""

from __future__ import annotations

import argparse
import contextlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from autograd import DrawError, Drawing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.figure import Figure

T = TypeVar("T")

BLUE, AMBER, INK = "#2f6fb7", "#dd8a1e", "#1f2933"


@contextlib.contextmanager
def extras() -> Iterator[None]:
    """Imports of what only the demos need: if one is missing, the demo ends with the command that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "?").partition(".")[0]
        msg = f'the demos need {package}, which is not installed: python -m pip install -e ".[demos]"'
        raise SystemExit(msg) from error


with extras():
    from tqdm import tqdm


class Options(argparse.Namespace):
    """What the command line said."""

    quick: bool
    seed: int
    out: Path


def options(demo: str, description: str | None, argv: Sequence[str] | None) -> Options:
    """What ``argv``, or failing that the command line, says; the folder ``out`` exists from then on."""
    parser = argparse.ArgumentParser(f"python -m demos.{demo}", description=description)
    parser.add_argument("--quick", action="store_true", help="take less time, where there is any to save")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="start of the random numbers, if any (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="folder for the pictures (default: out)")
    chosen = parser.parse_args(argv, Options())
    if not 0 <= chosen.seed < 2**32:
        parser.error(f"--seed must be between 0 and {2**32 - 1}, not {chosen.seed}")
    try:
        chosen.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {chosen.out}: {error.strerror}")
    return chosen


def progress(items: Iterable[T], what: str) -> Iterable[T]:
    """The same ``items``, under a progress bar (on stderr) that goes away when they are done."""
    bar: Iterable[T] = tqdm(items, desc=what, leave=False)
    return bar


def say(line: str) -> None:
    """Print a line above the progress bar."""
    tqdm.write(line)


def save(picture: Figure | Drawing, path: Path) -> Path:
    """The path, after writing ``picture`` there."""
    if isinstance(picture, Drawing):
        try:
            return picture.save(path)
        except DrawError as error:
            raise SystemExit(str(error)) from error
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        picture.savefig(temporary, format=path.suffix[1:], dpi=150, bbox_inches="tight", pad_inches=0.15)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
