"""Names for parameters in a program, after the labels of their Values."""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np

from autograd.compiler.instructions import Product

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autograd.compiler.instructions import Instruction
    from autograd.compiler.views import Space, View


_LOOKED_AT = 100
"""The number of labels of an array that are looked at: those of its first row, of its last row, and evenly between."""
_LONGEST = 100
"""The number of characters to keep of a name."""


def named(labels: Sequence[str], stem: str) -> str:
    """An identifier for an array of numbers with these ``labels``; "" if they have no beginning in common.

    >>> named(["attention.query[0][0]", "attention.query[15][7]"], "W")
    'attention_query'

    Where they are attributes of an object, or of objects in a list, as of a layer's neurons, the name begins with ``stem``:

    >>> named(["neuron.w[0]", "neuron.w[1]", "neuron.b"], "W")
    'W_neuron'
    >>> named(["layers.0.neurons.0.w[0]", "layers.0.neurons.0.b", "layers.0.neurons.7.w[0]"], "W")
    'W_layers_0'
    """
    first, last = min(labels), max(labels)
    common = "".join([a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))])
    if first != last:
        common = common[: max(map(common.rfind, ".[]")) + 1]  # "w1" and "w12" have no word in common
        rest = first[len(common) :]
        if re.match(r"\d+\.", rest):
            common = f"{stem}.{common.rstrip('.').rpartition('.')[0]}"
        elif re.match(r"[^\W\d]", rest):
            common = f"{stem}.{common}"
    common = unicodedata.normalize("NFKC", common)  # as Python normalizes identifiers
    name = re.sub(r"[\W_]+", "_", common).strip("_")[:_LONGEST].rstrip("_")
    return name if not name or name.isidentifier() else f"{stem}_{name}"


def names(instructions: Sequence[Instruction], theta: Space, label: Callable[[int], str]) -> dict[View, str]:
    """The names of the squeezed views of ``theta`` that ``instructions`` read; ``label`` gives that of a row."""
    views = dict.fromkeys([view.squeezed for i in instructions for view in i.views if view.space is theta])
    factors = {view.squeezed for i in instructions if isinstance(i, Product) for view in (i.a, i.b)}
    found = {}
    for view in views:
        stem = "W" if view in factors or len(view.shape) > 1 else "b"
        rows = view.rows.ravel()
        if rows.size > _LOOKED_AT:
            rows = rows[np.linspace(0, rows.size - 1, _LOOKED_AT).astype(int)]
        if name := named([label(row) for row in rows.tolist()], stem):
            found[view] = name
    return found
