"""Nested tuples, dicts and dataclasses: their forms, their leaves, and the same with other leaves."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import Counter, OrderedDict, defaultdict
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

from autograd import trees


class AB(NamedTuple):
    a: Any
    b: Any


class BA(NamedTuple):
    b: Any
    a: Any


@dataclass
class Open:
    x: Any
    y: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    x: Any
    y: Any


@dataclass(eq=False)
class Computed:
    """With a field that is computed, one that is never assigned, one of the class, and one that is no field."""

    x: Any
    scale: InitVar[float]
    norm: Any = field(init=False)
    missing: Any = field(init=False)
    shared: ClassVar[int] = 3

    def __post_init__(self, scale: float) -> None:
        self.norm = scale * self.x
        self.extra = "not a field"


@dataclass
class Empty:
    """Without fields."""


class Attributes(dict[str, Any]):
    """Whose items are its attributes, as people like to write."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__ = self


class Named(dict[str, Any]):
    """A dict that expects a name when it is made."""

    def __init__(self, name: Any, items: dict[str, Any]) -> None:
        super().__init__(items)
        self.name = name


def form(x: Any, *, lists: bool = False) -> Any:
    return trees.flatten(x, lists=lists)[1]


TREES = [
    (1, 2),
    {"x": 1, "y": 2},
    {"y": 1, "x": 2},
    {1: 1},
    {True: 1},
    {1.0: 1},
    {"1": 1},
    AB(1, 2),
    BA(1, 2),
    OrderedDict(x=1, y=2),
    OrderedDict(y=1, x=2),
    defaultdict(list, x=1, y=2),
    defaultdict(int, x=1, y=2),
    Counter(x=1, y=2),
    Attributes(x=1, y=2),
    Named("one", {"x": 1}),
    Named("other", {"x": 1}),
    Named(["one"], {"x": 1}),
    Named(["other"], {"x": 1}),
    Open(1, 2),
    Closed(x=1, y=2),
    Computed(1, 2.0),
    Empty(),
    ((1, 2), {"x": AB(1, Open({"x": 1}, 2))}),
    ((1, 2), {"x": AB(1, Open({"y": 1}, 2))}),
    (),
    {},
    1,
]


def test_trees_that_a_function_can_tell_apart_have_different_forms() -> None:
    """Mistake: two NamedTuples with swapped fields had one form, and a namedtuple and a tuple, too."""
    forms = [form(x) for x in TREES]
    assert len(set(forms)) == len(TREES)  # as keys of recordings, too


@pytest.mark.parametrize("x", TREES, ids=lambda x: f"{type(x).__name__}")
def test_the_same_with_other_leaves(x: Any) -> None:
    """The type, the order and what else there is to see stay; what there was before is not touched."""
    y = trees.map(lambda leaf: leaf * 10, x)
    assert form(y) == form(x)
    assert type(y) is type(x)
    before, structure = trees.flatten(x)
    after, _ = trees.flatten(y)
    assert after == [leaf * 10 for leaf in before]
    assert [leaf for _, leaf in trees.paths(y)] == after
    again = trees.unflatten(pickle.loads(pickle.dumps(structure)), before)
    assert type(again) is type(x)
    assert trees.flatten(again) == (before, structure)


@pytest.mark.parametrize("kind", [dict, OrderedDict, Attributes, lambda **items: Named("n", items), Open])
def test_a_structure_keeps_no_leaf(kind: Any) -> None:
    """It is the key of a recording, which must not keep the batch that it was recorded with."""
    array = np.zeros(3)
    seen = weakref.ref(array)
    structure = trees.flatten(kind(x=array, y=array) if kind is Open else kind(x=array))[1]
    del array
    gc.collect()
    assert seen() is None
    assert structure is not None


def test_unflatten_counts_the_leaves() -> None:
    _, structure = trees.flatten({"a": 1, "b": (2, 3)})
    with pytest.raises(ValueError, match="more places than there are leaves"):
        trees.unflatten(structure, [1, 2])
    with pytest.raises(ValueError, match="fewer places than there are leaves"):
        trees.unflatten(structure, [1, 2, 3, 4])


def test_map_of_several_trees() -> None:
    x, y = {"a": (1, 2), "b": Open(3, 4)}, {"a": (10, 20), "b": Open(30, 40)}
    assert trees.map(lambda a, b: a + b, x, y) == {"a": (11, 22), "b": Open(33, 44)}
    assert trees.map(max, [1, 5], [2, 4], [0, 9], lists=True) == [2, 9]
    for other in ({"a": (10, 20)}, {"b": Open(3, 4), "a": (1, 2)}, {"a": AB(1, 2), "b": Open(3, 4)}, {"a": 1, "b": Open(3, 4)}):
        with pytest.raises(ValueError, match="expects trees of the same structure"):
            trees.map(lambda a, b: a + b, x, other)


def test_what_a_dict_of_another_kind_keeps() -> None:
    items = trees.map(str, defaultdict(list, a=1))
    assert items["b"] == []
    named = trees.map(str, Named("n", {"a": 1}))
    assert (named.name, named["a"]) == ("n", "1")
    attributes = trees.map(str, Attributes(a=1))
    assert attributes.a == "1"
    attributes.b = "2"
    assert attributes["b"] == "2"
    ordered = trees.map(str, OrderedDict([("b", 1), ("a", 2)]))
    ordered.move_to_end("b")
    assert list(ordered.items()) == [("a", "2"), ("b", "1")]


def test_a_dataclass_is_its_fields() -> None:
    """No __init__ runs, which might compute one from the others."""
    made = trees.map(lambda x: x + 1, Computed(1.0, 2.0))
    assert (made.x, made.norm) == (2.0, 3.0)
    assert not hasattr(made, "missing")
    assert not hasattr(made, "extra")
    assert made.shared == 3


def test_an_array_that_is_a_dataclass_is_a_leaf() -> None:
    @dataclass
    class Column:
        items: list[float]

        def __array__(self, *_: Any, **__: Any) -> Any:
            return np.array(self.items)

    assert form(Column([1.0])) is None


def test_lists_are_leaves_unless_they_are_asked_for() -> None:
    assert form([1, (2,)]) is None
    assert trees.flatten([1, (2, [])], lists=True)[0] == [1, 2]
    assert trees.map(str, [1, (2, [])], lists=True) == ["1", ("2", [])]
    assert [*trees.paths([1, (2, [3])], "x", lists=True)] == [("x[0]", 1), ("x[1][0]", 2), ("x[1][1][0]", 3)]
    assert form([1, 2], lists=True) != form((1, 2), lists=True)
    assert form((np.ones(2), 1.0), lists=True) == form((np.ones(2), 1.0))


def test_paths_are_what_a_program_would_write() -> None:
    x = {"a b": (1, AB(2, 3)), 3: Open(4, {"c": 5})}
    assert [*trees.paths(x, "x")] == [
        ("x['a b'][0]", 1),
        ("x['a b'][1].a", 2),
        ("x['a b'][1].b", 3),
        ("x[3].x", 4),
        ("x[3].y['c']", 5),
    ]
    for path, leaf in trees.paths(x, "x"):
        assert eval(path, {"x": x}) == leaf


def deep(levels: int) -> Any:
    x: Any = (1.0,)
    for _ in range(levels - 1):
        x = (x,)
    return x


def nested_in_itself() -> Any:
    x: dict[str, Any] = {}
    x["a"], x["b"] = x, (x, x)
    return x


@pytest.mark.parametrize("x", [deep(5000), deep(trees.DEEPEST + 1), nested_in_itself()], ids=["5000", "101", "itself"])
def test_a_tree_that_contains_itself_is_refused(x: Any) -> None:
    with pytest.raises(ValueError, match="^it is nested in itself, or more than 100 levels deep"):
        trees.flatten(x, name="it")
    with pytest.raises(ValueError, match="^it is nested in itself, or more than 100 levels deep"):
        trees.paths(x, "it")
    with pytest.raises(ValueError, match="^the tree is nested in itself, or more than 100 levels deep"):
        trees.map(len, x)


def test_a_hundred_levels_are_few_enough() -> None:
    x = deep(trees.DEEPEST)
    assert form(trees.map(lambda leaf: leaf + 1, x)) == form(copy.deepcopy(x))


class Row(list[Any]):
    """A list of another type."""


def test_a_list_of_another_type_became_a_plain_list() -> None:
    row = Row([1, (2, Row())])
    copied = trees.map(lambda leaf: leaf, row, lists=True)
    assert copied == row
    assert (type(copied), type(copied[1][1])) == (Row, Row)
    assert trees.flatten(copied, lists=True) == trees.flatten(row, lists=True)
