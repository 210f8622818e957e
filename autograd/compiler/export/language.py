"""The protocol of the languages that functions can be exported to.

A language is a class with the methods of :class:`Language`, in a module of its own, and an entry of ``LANGUAGES`` in this
package. What a file is made of is an :class:`~autograd.compiler.export.file.Exported`; its statements are text in the
language already, because :mod:`~autograd.compiler.export.loops` asks the language to spell each number and each operation:

    instruction                language says          statement
    map maximum(v[0:3], 1.0)   maximum({}, {})        v[3 + i] = maximum(v[i], 1.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from autograd import ops
from autograd.compiler.export.file import Loop

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    from autograd.compiler.export.file import Exported, Statement


class Language(Protocol):
    """How a language spells what a file is made of. Each file has an object of its own, which collects what the file needs."""

    suffix: str
    """How the names of files in the language end."""
    reserved: re.Pattern[str]
    """The names that an argument cannot have, because the language or the file uses them."""
    end: str
    """What stands behind a statement."""
    close: str
    """The line that ends a loop; no line if it is empty."""

    def number(self, x: float) -> str:
        """Spell a number."""

    def call(self, op: ops.Op, args: Sequence[str]) -> str:
        """Spell the operation ``op`` of ``args``, which are names, items of arrays or numbers.

        The expression gives what IEEE 754 gives, and never raises. Raises ValueError if the language cannot spell ``op``.
        """

    def item(self, index: str, size: int) -> str:
        """Spell the number ``index`` as an integer from 0 to ``size - 1``, and say what becomes of other numbers."""

    def found(self, x: str) -> str:
        """Spell ``x``, which is an item of a table at the integer ``at``."""

    def when(self, condition: str, statement: str) -> str:
        """Spell a statement that is executed if the condition holds."""

    def loop(self, loop: Loop) -> str:
        """Spell the line that begins a loop."""

    def file(self, function: Exported, name: str) -> str:
        """Return the text of the whole file, which is called ``name``."""


INFIX = {
    ops.add: "{0} + {1}",
    ops.sub: "{0} - {1}",
    ops.mul: "{0} * {1}",
    ops.neg: "-{0}",
    ops.square: "{0} * {0}",
    ops.detach: "{0}",
}
"""Operations that Python and all descendants of C spell alike. Arguments are names, items or numbers, and need no brackets."""
OWN = "predict|gradient|cotangents?|inputs|outputs|total|at|item|[stuvmijkl]|theta|constants|[A-Za-z]+\\d+"
"""The names that files in all languages use: of functions, arguments, arrays, tables and the variables of loops."""
_WIDTH = 100
"""The length of the lines of tables."""


def lines(language: Language, statements: Iterable[Statement], depth: int = 1) -> list[str]:
    """Return the lines of ``statements``, indented by four spaces for each level of ``depth``."""
    indent = "    " * depth
    written = []
    for statement in statements:
        if isinstance(statement, Loop):
            written += [indent + language.loop(statement), *lines(language, statement.body, depth + 1)]
            written += [indent + language.close] if language.close else []
        else:
            written.append(indent + statement + language.end)
    return written


def table(numbers: Iterable[str]) -> list[str]:
    """Return the ``numbers`` with a comma behind each, in indented lines of a readable length.

    >>> table(["0.5", "1.0"])
    ['    0.5, 1.0,']
    """
    written = [""]
    for number in numbers:
        if len(written[-1]) + len(number) + 2 > _WIDTH:
            written.append("")
        written[-1] += f"{' ' if written[-1] else '    '}{number},"
    return written
