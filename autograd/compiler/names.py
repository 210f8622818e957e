"""What the arguments of a recorded function are called in the source that is made of it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 50
"""How many characters of a name are kept. A C compiler may look at the first 63 only, and ``d_`` and a number may join them."""


def distinct(wanted: Iterable[str], reserved: re.Pattern[str]) -> list[str]:
    """A name for each of ``wanted``: the same, if it is an identifier that neither another argument nor the source itself has.

    Characters other than letters, digits and underscores become underscores, and several underscores become one. A name that
    is ``reserved`` gets an underscore behind it. One that begins with an underscore, or with ``d_`` as derivatives do, gets
    ``x_`` before it. One that another argument has already gets a number. What is still no identifier is called ``input_``
    and its place. No name of the source's own ends in an underscore, so the new names cannot be among them.

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
