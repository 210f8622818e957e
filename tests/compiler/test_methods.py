"""Compiled functions in classes: methods, as plain functions would be, each instance's with recordings of its own."""

from __future__ import annotations

import abc
import copy
import functools
import gc
import inspect
import pickle
import threading
import weakref
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

import nn
from autograd import Value, compile  # noqa: A004 - autograd.compile
from autograd.compiler.methods import KEPT

ONE = [1.0]


def twice(fn: Any) -> Any:
    """A decorator around a compiled method."""

    @functools.wraps(fn)
    def wrapper(self: Any, x: Any) -> Any:
        return 2.0 * fn(self, x)

    return wrapper


class Base:
    shared = Value(7.0)

    def __init__(self, w: float) -> None:
        self.w = Value(w)

    @compile
    def loss(self, x: Any) -> Any:
        """What it says."""
        return self.w * x

    cost: Any = loss  # an alias
    bare: Any = compile(lambda self, x: self.w * x + 1.0)
    of_two: Any = functools.partialmethod(loss, [2.0])  # type: ignore[arg-type]  # mypy knows no such descriptor

    @twice
    @compile
    def wrapped(self, x: Any) -> Any:
        return 1.5 * self.w * x

    @compile
    def __call__(self, x: Any) -> Any:
        return 10.0 * self.w * x

    @classmethod
    @compile
    def inside(cls, x: Any) -> Any:
        return cls.shared * x

    @compile
    @classmethod
    def outside(cls, x: Any) -> Any:
        return cls.shared * x

    @staticmethod
    @compile
    def static_inside(x: Any) -> Any:
        return Base.shared * x

    @compile
    @staticmethod
    def static_outside(x: Any) -> Any:
        return Base.shared * x


class Child(Base):
    shared = Value(8.0)

    @compile
    def loss(self, x: Any) -> Any:
        return 100.0 * self.w * x

    def both(self) -> list[float]:
        through_super: Any = super().loss
        base: Any = Base.loss
        return [self.loss(ONE).data, through_super(ONE).data, base(self, ONE).data, self.loss(ONE).data]  # type: ignore[call-arg, arg-type]

    @compile
    def __call__(self, x: Any) -> Any:
        return self.w * x

    def as_before(self) -> float:
        before: Any = super().__call__
        return float(before(ONE).data)


def test_the_method_of_a_base_class_does_not_replace_the_override() -> None:
    """Mistake: super().loss(x) put the base's method into the instance, where the override was no longer found."""
    child: Any = Child(3.0)
    assert child.both() == child.both() == [300.0, 3.0, 3.0, 300.0]
    assert len(child.loss.recordings) == 1
    assert "loss" not in vars(child)


def test_copies_compute_with_weights_of_their_own() -> None:
    """Mistake: a copy had the original's method, which was bound to the original."""
    one: Any = Base(2.0)
    one.loss(ONE)
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        other.w = Value(5.0)
        assert [other.loss(ONE).data, one.loss(ONE).data] == [5.0, 2.0]


class Slots:
    __slots__ = ("w",)

    def __init__(self, w: float) -> None:
        self.w = Value(w)

    @compile
    def loss(self, x: Any) -> Any:
        return self.w * x


class WeakSlots(Slots):
    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("kind", [Slots, WeakSlots])
def test_classes_with_slots(kind: Any) -> None:
    """Mistake: there was no place in the instance to keep the method."""
    one, other = kind(2.0), kind(3.0)
    for _ in range(2):
        assert [one.loss(ONE).data, other.loss(ONE).data] == [2.0, 3.0]
    assert len(one.loss.recordings) == 1
    assert pickle.loads(pickle.dumps(one)).loss(ONE).data == 2.0


def test_only_some_instances_are_kept_that_cannot_be_held_weakly() -> None:
    class Counted(Slots):
        __slots__ = ()
        alive: ClassVar[int] = 0

        def __init__(self, w: float) -> None:
            super().__init__(w)
            Counted.alive += 1

        def __del__(self) -> None:
            Counted.alive -= 1

    for i in range(KEPT + 5):
        made: Any = Counted(float(i))
        assert made.loss(ONE).data == i
        assert made.loss(ONE).data == i
    del made
    gc.collect()
    assert Counted.alive <= KEPT


@pytest.mark.parametrize("name", ["inside", "outside"])
def test_class_methods(name: str) -> None:
    """Above and below; Python 3.13 no longer binds what is below @classmethod, and passes the class as an argument."""
    assert [getattr(x, name)(ONE).data for x in (Base, Child, Base(1.0), Child(1.0))] == [7.0, 8.0, 7.0, 8.0]
    assert [getattr(x, name)(ONE).data for x in (Base, Child)] == [7.0, 8.0]


def test_class_methods_are_recorded_once() -> None:
    child: Any = Child
    child.outside(ONE)
    child.outside(ONE)
    assert len(child.outside.recordings) == 1


@pytest.mark.parametrize("name", ["static_inside", "static_outside"])
def test_static_methods(name: str) -> None:
    assert [getattr(x, name)(ONE).data for x in (Base, Child, Base(1.0))] == [7.0, 7.0, 7.0]
    assert getattr(Base, name).recordings == getattr(Child(1.0), name).recordings


def test_calling_the_instance_records_once() -> None:
    """Mistake: @compile def __call__ was recorded at each call, as Python looks it up in the class."""
    one: Any = Base(2.0)
    child: Any = Child(3.0)
    assert [one(ONE).data, one(ONE).data, child(ONE).data, child.as_before(), child(ONE).data] == [20.0, 20.0, 3.0, 30.0, 3.0]
    assert len(one.__call__.recordings) == 1


def test_aliases_share_their_recordings() -> None:
    """Mistake: all that was asked for under the other name was recorded anew."""
    one: Any = Base(2.0)
    assert [one.cost(ONE).data, one.cost(ONE).data] == [2.0, 2.0]
    assert len(one.loss.recordings) == 1
    assert one.cost.recordings[0] is one.loss.recordings[0]
    assert one.loss.__name__ == "loss"


def test_methods_are_equal_as_pythons_are() -> None:
    one, other = Base(2.0), Base(2.0)
    assert one.loss == one.loss == one.cost
    assert one.loss != other.loss
    assert one.loss != "loss"
    assert len({one.loss, one.cost, other.loss}) == 2


def test_other_ways_to_make_a_method() -> None:
    """A lambda, partialmethod, in a decorator; what Python would not bind, as another model, is not bound."""
    one: Any = Base(2.0)
    assert one.bare(ONE).data == 3.0
    assert one.of_two().data == 4.0
    assert one.wrapped(ONE).data == 6.0

    class Holder:
        model = compile(nn.Neuron(1, "linear", rng=0))
        bound = compile(one.loss.__wrapped__)
        total = compile(sum)

    holder = Holder()
    assert holder.model is Holder.model
    assert holder.bound([3.0]).data == 6.0
    assert holder.total([[2.0, 1.0]]).data == 3.0


def test_properties() -> None:
    """Which call the function with the instance, as from Python 3.13 on class methods do."""

    class Model:
        def __init__(self, w: float) -> None:
            self.w = Value(w)

        @property
        @compile
        def penalty(self) -> Any:
            return self.w * self.w

        @functools.cached_property
        @compile
        def once(self) -> Any:
            return 3.0 * self.w

    one, other = Model(2.0), Model(3.0)
    assert [one.penalty.data, other.penalty.data, one.once.data] == [4.0, 9.0, 6.0]
    one.w.data = 5.0
    assert one.penalty.data == 25.0


def test_metaclasses() -> None:
    class Meta(type):
        @compile
        def loss(cls, x: Any) -> Any:
            return cls.w * x  # type: ignore[attr-defined]  # its classes have it

    class Model(metaclass=Meta):
        w = Value(3.0)

    model: Any = Model
    assert [model.loss(ONE).data, model.loss(ONE).data] == [3.0, 3.0]
    assert len(model.loss.recordings) == 1


def test_abstract_methods_stay_abstract() -> None:
    class Abstract(abc.ABC):
        @compile
        @abc.abstractmethod
        def loss(self, x: Any) -> Any: ...

    with pytest.raises(TypeError, match="abstract"):
        Abstract()  # type: ignore[abstract]


class Unequal(Base):
    __hash__ = None  # type: ignore[assignment]  # as a list

    def __eq__(self, other: object) -> bool:
        raise RuntimeError


class Everything(Base):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize("kind", [Unequal, Everything])
def test_instances_are_told_apart_by_what_they_are(kind: Any) -> None:
    one, other = kind(2.0), kind(3.0)
    for _ in range(2):
        assert [one.loss(ONE).data, other.loss(ONE).data] == [2.0, 3.0]
    assert len(one.loss.recordings) == 1


@dataclass(frozen=True)
class Frozen:
    w: Value

    @compile
    def loss(self, x: Any) -> Any:
        return self.w * x


class Items(list[Any]):
    @compile
    def loss(self, x: Any) -> Any:
        return self[0] * x


class Table(dict[str, Any]):
    @compile
    def loss(self, x: Any) -> Any:
        return self["w"] * x


class Several(tuple[Any, ...]):
    __slots__ = ()

    @compile
    def loss(self, x: Any) -> Any:
        return self[0] * x


@pytest.mark.parametrize("make", [Frozen, lambda w: Items([w]), lambda w: Table(w=w), lambda w: Several([w])])
def test_instances_that_could_be_arguments(make: Any) -> None:
    """Also where the method is that of the class, and the instance is passed to it."""
    one = make(Value(2.0))
    assert [one.loss(ONE).data, one.loss(ONE).data, type(one).loss(one, ONE).data] == [2.0, 2.0, 2.0]
    assert len(one.loss.recordings) == 1


def test_the_method_of_an_instance_that_nobody_holds() -> None:
    made: Any = Base(9.0)
    loss = made.loss
    del made
    gc.collect()
    assert [loss(ONE).data, loss.__wrapped__(2.0).data, loss.fn(2.0).data] == [9.0, 18.0, 18.0]
    assert [str(inspect.signature(f)) for f in (loss, Base.loss)] == ["(x: 'Any') -> 'Any'", "(self, x: 'Any') -> 'Any'"]
    assert (loss.__doc__, repr(loss)) == ("What it says.", "<compiled loss: reduction='mean', float64, 1 recording>")
    assert not hasattr(type(loss), "__wrapped__")


class Itself(Base):
    def __init__(self, w: float) -> None:
        super().__init__(w)
        self.me, self.step = self, self.loss

    @compile
    def loss(self, x: Any) -> Any:
        return self.me.w * x


class Network(nn.Module):
    def __init__(self, w: float) -> None:
        self.neuron = nn.Neuron(1, "linear", rng=0)
        self.neuron.w[0].data = w

    def forward(self, x: Any) -> Any:
        return self.neuron([x])

    @compile
    def loss(self, x: Any) -> Any:
        return self(x)


@pytest.mark.parametrize("kind", [Base, Child, WeakSlots, Unequal, Itself, Network, lambda w: Frozen(Value(w))])
def test_an_instance_dies_when_it_is_dropped(kind: Any) -> None:
    """Mistake that was near: what was recorded holds what it was recorded from."""
    made = kind(2.0)
    dead = weakref.ref(made)
    made.loss(ONE)
    first = made.loss.recordings[0]
    made.loss(ONE)
    assert made.loss.recordings == [first]
    del made, first
    gc.collect()
    assert dead() is None


class Part:
    def __init__(self, whole: Base) -> None:
        self.whole = whole

    def __call__(self, x: Any) -> Any:
        return self.whole.w * x


class Closure(Base):
    def __init__(self, w: float) -> None:
        super().__init__(w)
        self.f: Any = lambda x: self.w * x

    @compile
    def loss(self, x: Any) -> Any:
        return self.f(x)


class Parts(Base):
    def __init__(self, w: float) -> None:
        super().__init__(w)
        self.f = [Part(self)]

    @compile
    def loss(self, x: Any) -> Any:
        return self.f[0](x)


@pytest.mark.parametrize("kind", [Closure, Parts])
def test_of_instances_whose_parts_refer_back_the_last_ones_are_kept(kind: Any) -> None:
    made = [kind(float(i)) for i in range(KEPT + 3)]
    for i, one in enumerate(made):
        assert one.loss(ONE).data == i
    assert len(made[-1].loss.recordings) == 1
    assert made[0].loss(ONE).data == 0.0  # forgotten, and recorded again
    dead = [weakref.ref(one) for one in made]
    del made, one
    gc.collect()
    assert sum(ref() is not None for ref in dead) == KEPT


def test_what_an_instance_is_given_later_is_noticed() -> None:
    one: Any = Base(2.0)
    assert one.loss(ONE).data == 2.0
    one.w = Value(4.0)
    assert one.loss(ONE).data == 4.0
    assert one.loss.parameters == [one.w]


def test_methods_are_pickled_and_copied_with_their_instance() -> None:
    child: Any = Child(3.0)
    through_super = super(Child, child).loss
    for method, expected in ((child.loss, 300.0), (through_super, 3.0), (child.bare, 4.0), (Child.outside, 8.0)):
        for again in (pickle.loads(pickle.dumps(method)), copy.copy(method), copy.deepcopy(method)):
            assert again(ONE).data == expected
    copied = copy.deepcopy(child.loss)
    child.w.data = 5.0
    assert copied(ONE).data == 300.0


def test_threads_share_the_method_of_an_instance() -> None:
    one: Any = Base(2.0)
    found: list[float] = []
    threads = [threading.Thread(target=lambda: found.append(one.loss(ONE).data)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2.0] * 8
    assert len(one.loss.recordings) == 1


def test_two_threads_that_ask_for_the_first_time() -> None:
    """The second one waits, and then finds what the first one made."""
    one: Any = Base(2.0)
    method: Any = vars(Base)["loss"]
    known = []
    with method._recorder.lock:
        thread = threading.Thread(target=lambda: known.append(vars(one.loss)))
        thread.start()
        known.append(vars(one.loss))
    thread.join()
    assert known[0] is known[1]


def test_a_class_that_has_no_such_method_is_no_instance() -> None:
    loss: Any = Base.loss
    with pytest.raises(TypeError, match="^x must be a list or an array of real numbers, not type"):
        compile(lambda x: Base.shared * x)(int)
    with pytest.raises(TypeError):
        loss(ONE)
