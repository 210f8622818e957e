"""Parameters as one array of numbers, and back: what optimizers of other libraries work on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import arrays

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from autograd import Value


def parameters_to_vector(parameters: Iterable[Value]) -> NDArray[np.float64]:
    """The numbers of ``parameters``, in their order: a new array of shape (n,).

    >>> from autograd import Value
    >>> parameters_to_vector([Value(1.0), Value(2.5)])
    array([1. , 2.5])
    """
    return np.array([parameter.data for parameter in parameters], float)


def vector_to_parameters(vector: Any, parameters: Iterable[Value]) -> None:
    """Assign the numbers in ``vector``, of shape (n,), to the ``n`` ``parameters``; ValueError for another shape.

    >>> from autograd import Value
    >>> slope, offset = Value(0.0), Value(0.0)
    >>> vector_to_parameters([3.0, -1.0], [slope, offset])
    >>> slope.data, offset.data
    (3.0, -1.0)
    """
    values, array = list(parameters), arrays.as_array(vector, "vector")
    if array.dtype.kind not in "fiub":
        msg = f"vector must be an array of real numbers, not {type(vector).__name__} {arrays.shown(vector)}"
        raise TypeError(msg)
    if array.shape != (len(values),):
        msg = f"vector has the shape {array.shape}, and there are {len(values)} parameters: it must be ({len(values)},)"
        raise ValueError(msg)
    for value, number in zip(values, array.tolist(), strict=True):
        value.data = number
