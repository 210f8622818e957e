"""``autograd.export``: a function as one file that needs no library, with its gradient. Each language is a module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograd import files
from autograd.compiler.compiled import Compiled
from autograd.compiler.export.c import C
from autograd.compiler.export.function import exported
from autograd.compiler.export.python import Python
from autograd.errors import shown

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from autograd.compiler.export.language import Language

LANGUAGES: dict[str, type[Language]] = {language.suffix: language for language in (Python, C)}


def export(fn: Callable[..., Any], path: str | os.PathLike[str], *example: Any) -> Path:
    """Write ``fn`` as one file that needs no library, and return its path: Python if that ends in .py, C99 if it ends in .c.

    ``fn`` is a function of one example, as ``autograd.compile`` takes it, and ``example`` is what to call it with: numbers, or
    nested lists or arrays of numbers. A tuple or a dict may hold several of these, and each becomes an argument of its own.
    The Values that ``fn`` uses become numbers in the file. C++ compiles the C files as well. A file has two functions:

    ``predict`` takes the arguments and gives what ``fn`` gives: in Python in the same form (dataclasses become dicts), in C one
    number after the other.

    ``gradient`` gives the derivatives of the result, times ``cotangent``, by the arguments. In Python, ``cotangent`` is 1 by
    default. If there are several results, ``gradient`` takes an array ``cotangents``, one number for each result, and gives
    the derivatives of the sum of the results, each times its cotangent. It has no derivatives by arguments that ``fn`` uses
    as an index, in ``select``. In Python, an index out of range raises IndexError; in C, the result is NaN.

    The arguments have the names that they have in ``fn``, except for names that the file or its language uses: ``new`` becomes
    ``new_`` in C, ``_a`` and ``d_a`` become ``x_a`` and ``x_d_a``, and a second ``new_`` becomes ``new_2_``. The comment at the
    head of the file shows them.

    Results and derivatives are those of ``fn``, except for rounding. The file is written whole or not at all. Raises
    RecordingError if ``fn`` cannot be recorded (see ``autograd.compile``), ValueError if it uses an operation that the language
    does not have, and FileNotFoundError if the folder does not exist.

    >>> import runpy, tempfile
    >>> from autograd import Value
    >>> w = Value(3.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     names = runpy.run_path(str(export(lambda x: w * x * x, f"{folder}/parabola.py", 0.0)))
    >>> names["predict"](2.0), names["gradient"](2.0)      # 3x² and 6x
    (12.0, 12.0)
    """
    path = Path(path)
    if path.suffix not in LANGUAGES:
        msg = f"export() writes files that end in {' or '.join(LANGUAGES)}, not {str(path)!r}"
        raise ValueError(msg)
    if not path.parent.is_dir():
        msg = f"export() cannot write {path.name}, because the folder {str(path.parent)!r} does not exist: create it first"
        raise FileNotFoundError(msg)
    if not example:
        msg = "export() needs an example of the arguments, to record what the function does: export(fn, path, [0.0, 0.0])"
        raise TypeError(msg)
    if not callable(fn):
        msg = f"export() expects a function of one example, not {type(fn).__name__} {shown(fn)}"
        raise TypeError(msg)
    language = LANGUAGES[path.suffix]()
    text = language.file(exported(fn.fn if isinstance(fn, Compiled) else fn, example, language), path.name)
    files.write(path, text.encode())
    return path
