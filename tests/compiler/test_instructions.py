"""Rows in regular patterns: loops, views, and the shape that several of them have in common."""

from __future__ import annotations

import doctest
import random

import numpy as np
import pytest

from autograd import ops
from autograd.compiler import views
from autograd.compiler.instructions import Map
from autograd.compiler.views import Space, View, common, contiguous, nested

SPACE = Space("v", batched=True, size=100)


def visited(start: int, loops: list[tuple[int, int]]) -> list[int]:
    """The rows that nested loops visit, the slow way."""
    rows = [start]
    for size, stride in loops:
        rows = [row + i * stride for row in rows for i in range(size)]
    return rows


@pytest.mark.parametrize(
    ("rows", "loops"),
    [
        ([7], []),
        ([7, 8, 9], [(3, 1)]),
        ([9, 7, 5], [(3, -2)]),
        ([4, 4, 4], [(3, 0)]),
        ([0, 1, 10, 11, 20, 21], [(3, 10), (2, 1)]),
        ([0, 0, 1, 1], [(2, 1), (2, 0)]),
        ([0, 1, 0, 1], [(2, 0), (2, 1)]),
        ([0, 1, 2, 3, 10, 11, 12, 13], [(2, 10), (4, 1)]),
        ([0, 1, 3], None),
        ([0, 1, 5, 7], None),
        ([0, 1, 2, 10, 11], None),
        ([0, 1, 10, 11, 30, 31], None),
    ],
)
def test_nested(rows: list[int], loops: list[tuple[int, int]] | None) -> None:
    assert nested(np.array(rows)) == loops
    if loops is not None:
        assert visited(rows[0], loops) == rows


def test_no_more_than_five_loops_are_nested() -> None:
    for depth, found in ((5, True), (6, False)):
        loops = [(2, 10**k) for k in reversed(range(depth))]
        assert (nested(np.array(visited(0, loops))) == loops) == found
    assert nested(np.array(visited(0, [(2, 10**k) for k in reversed(range(6))]))) is None


def test_common() -> None:
    assert common([[], []]) == ((1,), [(0,), (0,)])
    assert common([[(1, 0)], [(1, 0)]]) == ((1,), [(0,), (0,)])
    assert common([[(6, 1)], [(6, 2)]]) == ((6,), [(1,), (2,)])
    assert common([[(6, 1)], [(3, 10), (2, 1)]]) == ((3, 2), [(2, 1), (10, 1)])
    assert common([[(3, 5), (2, 1)], [(2, 7), (3, 1)]]) is None
    assert common([[(12, 1)], [(3, 50), (4, 5)], [(6, 10), (2, 0)]]) == ((3, 2, 2), [(4, 2, 1), (50, 10, 5), (20, 10, 0)])


def test_the_common_shape_visits_the_same_rows() -> None:
    rng = random.Random(0)
    found = 0
    for _ in range(200):
        nests = [[(n, rng.randint(-9, 9)) for n in rng.choice([(12,), (3, 4), (6, 2), (2, 6), (3, 2, 2)])] for _ in range(3)]
        if (shape := common(nests)) is not None:
            found += 1
            sizes, strides = shape
            for nest, steps in zip(nests, strides, strict=True):
                assert visited(5, [*zip(sizes, steps, strict=True)]) == visited(5, nest)
    assert found > 50


def test_rows_of_a_view() -> None:
    assert View(SPACE, 5, (3,), (2,)).rows.tolist() == [5, 7, 9]
    assert View(SPACE, 5, (2, 3), (10, -1)).rows.tolist() == [[5, 4, 3], [15, 14, 13]]
    assert View(SPACE, 5, (2, 1, 2), (0, 0, 1)).rows.tolist() == [[[5, 6]], [[5, 6]]]
    assert View(SPACE, 5, (2, 3), (0, 1)).size == 6


def test_contiguous() -> None:
    assert contiguous((2, 3, 4)) == (12, 4, 1)
    assert contiguous((2, 1, 3)) == (3, 0, 1)
    assert contiguous((1,)) == (0,)
    assert View(SPACE, 5, (2, 3), (3, 1)).contiguous
    assert not View(SPACE, 5, (2, 3), (4, 1)).contiguous
    assert not View(SPACE, 5, (2, 3), (1, 2)).contiguous


def test_reshaped() -> None:
    view = View(SPACE, 5, (2, 3), (3, 1)).reshaped((3, 2))
    assert view.rows.tolist() == [[5, 6], [7, 8], [9, 10]]
    with pytest.raises(AssertionError):
        View(SPACE, 5, (2, 3), (4, 1)).reshaped((6,))


def test_space() -> None:
    space = Space("s", batched=False)
    first = space.allocate(3)
    assert (first, space.allocate(1), space.size) == (0, 3, 4)
    space.used = 0  # what was there is needed no more
    assert (space.allocate(2), space.size) == (0, 4)
    assert (space.allocate(3), space.size) == (2, 5)
    assert not View(space, 0, (1,), (0,)).batched
    assert View(SPACE, 0, (1,), (0,)).batched
    assert space != Space("s", batched=False, size=6)  # another array


def test_views_of_an_instruction() -> None:
    one, two = View(SPACE, 0, (3,), (1,)), View(SPACE, 3, (3,), (1,))
    assert Map(two, ops.mul, (2.0, one)).views == [one]
    assert one == View(SPACE, 0, (3,), (1,))
    assert one != two


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(views).attempted >= 4
