"""What users pass as arrays: what NumPy makes of it, unless that would be less than it was."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autograd import Value, arrays
from autograd.arrays import as_array

MASKED = np.ma.array([1.0, 2.0], mask=[False, True])


@pytest.mark.parametrize(
    "x",
    [
        [1.0, 2],
        (1.0, [2.0][0]),
        [[1, 2], [3, 4]],
        [[[1.0]], [[2.0]]],
        [(1.0, 2.0), [3.0, 4.0]],
        [],
        [[], []],
        [np.float32(1.0), 2.0],
        [np.ones(2), np.ones(2)],
        np.ones((2, 3)),
        range(3),
        memoryview(b"ab"),
        5,
        np.float64(5.0),
        np.ones((1, 2)).view(np.matrix),
        np.ma.array([1.0, 2.0]),
        np.ma.array([1.0, 2.0], mask=[False, False]),
    ],
)
def test_what_loses_nothing_is_what_numpy_makes_of_it(x: Any) -> None:
    array = as_array(x, "x")
    assert type(array) is np.ndarray
    assert array.dtype == np.asarray(x).dtype
    np.testing.assert_array_equal(array, np.asarray(x))


@pytest.mark.parametrize(
    "x",
    [MASKED, [MASKED, MASKED], [[MASKED]], [1.0, np.ma.masked], [[1.0, np.ma.masked], [2.0, 3.0]], ([np.ones(2)], [MASKED])],
)
def test_a_mask_is_not_lost(x: Any) -> None:
    with pytest.raises(ValueError, match=r"^x has masked items.*\.filled\(\), or drop those examples"):
        as_array(x, "x")


def test_missing_numbers_of_pandas_do_not_become_nan() -> None:
    pandas = pytest.importorskip("pandas")
    missing = pandas.array([1, None, 3], dtype="Int64")
    for x in (
        missing,
        pandas.Series(missing),
        pandas.DataFrame({"a": missing, "b": [1.0, 2.0, 3.0]}),
        [pandas.Series(missing)],
    ):
        with pytest.raises(ValueError, match=r"^x has missing numbers \(NA\).*\.fillna\(\), or drop those examples"):
            as_array(x, "x")
    assert as_array(pandas.Series([1.0, np.nan]), "x").tolist()[0] == 1.0  # NaN is a number, to NumPy and to us
    assert as_array(pandas.Series([1, 2], dtype="Int64"), "x").tolist() == [1, 2]
    assert as_array(pandas.DataFrame({"units": [1.0]}), "x").tolist() == [[1.0]]  # no unit, but a column


def test_missing_numbers_of_others_do_not_become_nan() -> None:
    """Arrow's and Polars' columns say how many there are; in a table, in each column."""

    class Arrow:
        null_count = 1

    class Polars:
        def null_count(self) -> Any:
            return [[0, 2]]

    class Whole:
        null_count = 0

        def __array__(self, *_: Any, **__: Any) -> Any:
            return np.ones(2)

    for x in (Arrow(), Polars()):
        with pytest.raises(ValueError, match="^x has missing numbers"):
            as_array(x, "x")
    assert as_array(Whole(), "x").tolist() == [1.0, 1.0]


def test_a_unit_is_not_lost() -> None:
    class Metres:
        units = "metre"

        def __array__(self, *_: Any, **__: Any) -> Any:
            return np.ones(2)

    for x in (Metres(), [Metres(), Metres()]):
        with pytest.raises(TypeError, match=r"^x is in units of metre, which would be lost: pass plain numbers"):
            as_array(x, "x")


def test_whole_numbers_of_any_size_are_numbers() -> None:
    """Mistake: a list of a number beyond 64 bits was said to be no list of real numbers."""
    assert as_array([10**30, 1], "x").tolist() == [1e30, 1.0]
    assert as_array([Fraction(1, 4)], "x").tolist() == [0.25]
    for x in (10**400, [10**400], [[1.0], [10**5000]]):
        with pytest.raises(ValueError, match="^x holds a whole number that is too large for a float"):
            as_array(x, "x")


def test_what_is_no_number_stays_an_array_of_objects() -> None:
    """Who called says what it expects instead."""
    assert as_array([Value(1.0)], "x").dtype == object
    assert as_array([{"a": 1}], "x").dtype == object
    assert as_array(None, "x").dtype == object


class Broken:
    def __array__(self, *_: Any, **__: Any) -> Any:
        msg = "no array today"
        raise RuntimeError(msg)


class NoArray:
    def __array__(self, *_: Any, **__: Any) -> Any:
        return "no array"


class Unasked:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("make", [Broken, lambda: [Broken()], NoArray, Unasked])
def test_an_object_that_cannot_be_read_is_named(make: Any) -> None:
    with pytest.raises(TypeError, match=r"^x cannot be read as an array: .* raises (RuntimeError|ValueError): "):
        as_array(make(), "x")


def test_lists_that_differ_in_shape() -> None:
    with pytest.raises(ValueError, match="^x is ragged: its examples differ in shape"):
        as_array([[1.0], [1.0, 2.0]], "x")


def nested_in_itself(times: int) -> Any:
    x: list[Any] = []
    x += [x] * times
    return x


class Rows(list[Any]):
    """A list of somebody's own."""


def rows_of_rows() -> Rows:
    x = Rows()
    x += [x, x]
    return x


def deep(levels: int) -> Any:
    x: Any = 1.0
    for _ in range(levels):
        x = [x]
    return x


@pytest.mark.parametrize(
    "x", [nested_in_itself(1), nested_in_itself(3), deep(5000), deep(33), tuple(nested_in_itself(2)), rows_of_rows()]
)
def test_lists_without_an_end(x: Any) -> None:
    """NumPy follows a list that holds itself three times to 3 to the power of 64 ends."""
    with pytest.raises(ValueError, match="^x is nested in itself, or more than 32 levels deep"):
        as_array(x, "x")


def test_what_numpy_can_hold_is_not_too_deep() -> None:
    assert as_array(deep(32), "x").ndim == 32
    assert as_array([[[np.float64(1.0)]]], "x").ndim == 3


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError


def test_what_is_shown_of_anything() -> None:
    """Also of what has no end, is too long to be written, or does not want to be seen."""
    assert arrays.shown([1.0, "a"]) == "[1.0, 'a']"
    assert arrays.shown(SimpleNamespace(a=1)) == "namespace(a=1)"
    assert len(arrays.shown("a" * 1000)) <= 60
    assert arrays.shown(nested_in_itself(1)).startswith("[[[[[[[...]]]]]")
    assert arrays.shown(10**5000) == "<int>"
    assert "Silent" in arrays.shown(Silent())
