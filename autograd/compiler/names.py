"""Names for the arguments of a function in the source that is made of it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 50
"""The number of characters to keep of a name. A C compiler may ignore all after the 63rd; prefix and number join them."""


def distinct(wanted: Iterable[str], reserved: re.Pattern[str]) -> list[str]:
    """Return a name for each of ``wanted``: the same name if possible, or a similar one that is still free.

    Characters other than letters, digits and underscores become underscores, and several underscores become one. A name that
    is ``reserved`` for the source itself gets an underscore at its end. A name that begins with an underscore, or with ``d_``
    as derivatives do, gets ``x_`` at its beginning. A name that another argument already has gets a number. If the result is
    not an identifier, the name is ``input_`` and the argument's place. Names in the source itself never end in an underscore,
    so the new names differ from them.

    >>> distinct(["x", "new", "new", "_a", "d_x", "x[0]", "1st"], re.compile("new|old"))
    ['x', 'new_', 'new_2_', 'x_a', 'x_d_x', 'x_0_', 'input_6']
    """
    names: dict[str, None] = {}
    times = Counter[str]()
    for place, text in enumerate(wanted):
        stem = re.sub(r"[\W_]+", "_", unicodedata.normalize("NFKC", text))[:_LONGEST]  # Python normalizes identifiers so
        if not stem.isidentifier():
            stem = f"input_{place}"
        if stem.startswith(("_", "d_")):
            stem = f"x_{stem.lstrip('_')}"
        name = f"{stem}_" if reserved.fullmatch(stem) else stem
        while name in names:
            times[stem] += 1
            name = f"{stem.rstrip('_')}_{times[stem] + 1}_"
        names[name] = None
    return list(names)
