"""Views as NumPy expressions that a person would write.

A slice, ``v[0:6:2]``, if there is one; a slice of another shape, ``v[0:6].reshape(2, 3, B)``; or else a call of ``view``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd.compiler.views import contiguous

if TYPE_CHECKING:
    from autograd.compiler.views import View


def expression(v: View, form: str) -> str:
    """The expression of the view ``v`` of the array of its space; the forms are those of ``Source.array``."""
    name = f"{v.space.name}.T" if v.space.examples_first else v.space.name
    merge = form == "matrix"
    text = _slice(name, v, merge=merge) or (_block(name, v, merge=merge) if not v.space.examples_first else "")
    if not text:
        text = f"view({name}, {v.start}, {v.shape}, {v.strides}{', merge=True' if merge else ''})"
    if form == "column":
        text += "[..., None]"
    return f"np.moveaxis({text}, -1, 0)" if form == "examples" and v.batched else text


def _slice(name: str, v: View, *, merge: bool) -> str:
    """The view as a slice, ``v[3:9:2]``; "" unless at most one axis is longer than 1, and its stride is positive."""
    long = [axis for axis, size in enumerate(v.shape) if size > 1]
    if merge or len(long) > 1 or any(v.strides[axis] <= 0 for axis in long):
        return ""
    step = v.strides[long[0]] if long else 1
    stop = v.start + (v.size - 1) * step + 1
    text = f"{name}[{v.start}:{stop}{f':{step}' if step > 1 else ''}]"
    return text if len(v.shape) == 1 else f"{text}.reshape({', '.join(map(str, v.shape))}{', B' if v.batched else ''})"


def _block(name: str, v: View, *, merge: bool) -> str:
    """The view as a slice that is reshaped, and perhaps transposed, or whose rows are cut; "" if there is no such slice."""
    shape, strides = v.shape, v.strides
    if len(shape) == 2 and strides[1] == 1 and strides[0] > shape[1] and not v.batched:  # noqa: PLR2004 - a matrix
        stop = v.start + shape[0] * strides[0]
        return f"{name}[{v.start}:{stop}].reshape({shape[0]}, {strides[0]})[:, 0:{shape[1]}]" if stop <= v.space.size else ""
    order = sorted(range(len(shape)), key=lambda axis: (-strides[axis], axis))
    sizes = tuple([shape[axis] for axis in order])
    if tuple([strides[axis] for axis in order]) != contiguous(sizes) or (merge and order != sorted(order)):
        return ""
    *outer, last = map(str, sizes)
    rows = [*outer, f"{last} * B"] if merge else [*outer, last, *(["B"] if v.batched else [])]
    text = f"{name}[{v.start}:{v.start + v.size}].reshape({', '.join(rows)})"
    if order == sorted(order):
        return text
    back = [order.index(axis) for axis in range(len(order))] + ([len(order)] if v.batched else [])
    return f"{text}.T" if back == [1, 0] else f"{text}.transpose({', '.join(map(str, back))})"


def shape_of(v: View, *, turned: bool) -> str:
    """The text of the shape of a factor of a matrix product, which is transposed if ``turned``."""
    *stack, rows, columns = map(str, v.shape)
    columns = columns if not v.batched else "B" if columns == "1" else f"{columns} * B"
    stack = [] if stack == ["1"] else stack
    return f"({', '.join([*stack, *((columns, rows) if turned else (rows, columns))])})"
