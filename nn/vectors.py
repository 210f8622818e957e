"""Parameters as one array of numbers, and back, for the optimizers of other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Value, arrays
from nn.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def parameters_to_vector(parameters: Iterable[Value]) -> NDArray[np.float64]:
    """Return the numbers of ``parameters``, in their order, as a new array of shape (n,).

    >>> from autograd import Value
    >>> parameters_to_vector([Value(1.0), Value(2.5)])
    array([1. , 2.5])
    """
    return np.array([parameter.data for parameter in _values(parameters)], float)


def vector_to_parameters(vector: Any, parameters: Iterable[Value]) -> None:
    """Assign the numbers in ``vector``, of shape (n,), to the ``n`` ``parameters``. ValueError for any other shape.

    >>> from autograd import Value
    >>> slope, offset = Value(0.0), Value(0.0)
    >>> vector_to_parameters([3.0, -1.0], [slope, offset])
    >>> slope.data, offset.data
    (3.0, -1.0)
    """
    values, array = _values(parameters), arrays.as_array(vector, "vector")
    if array.dtype.kind not in "fiub":
        msg = f"vector must be an array of real numbers, not {type(vector).__name__} {shown(vector)}"
        raise TypeError(msg)
    if array.shape != (len(values),):
        msg = f"vector must have the shape ({len(values)},), one number for each parameter, not {array.shape}"
        raise ValueError(msg)
    for value, number in zip(values, array.tolist(), strict=True):
        value.data = number


def _values(parameters: Iterable[Value]) -> list[Value]:
    """Return the parameters in a list. TypeError if they are not Values."""
    try:
        values = list(parameters)
    except TypeError:
        msg = f"parameters must be a list of Values, not {type(parameters).__name__}: pass model.parameters()"
        raise TypeError(msg) from None
    for value in values:
        if not isinstance(value, Value):
            msg = f"parameters must be Values, not {type(value).__name__} {shown(value)}: pass model.parameters()"
            raise TypeError(msg)
    return values
