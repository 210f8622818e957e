"""The instruction set of plans, as plain data that any executor can run.

An instruction reads views and numbers, and writes the view ``out``. "F" are instructions of the forward part, "B" of the
backward part, which computes the cotangents d_… of what the forward part computed.

    kind           part  what it writes to out
    Map            F B   the operation ``op`` of ``args``, item by item
    Move           F B   a copy of ``x``; if only out is batched, a copy for each example
    Fill             B   a number
    Seed             B   the cotangent of the result itself: 1, or 1 / (number of examples) if the result is a mean
    Reduce         F     ``op`` of all items along the last axis of ``x``: a sum, a product, an extreme or a norm
    Segments       F B   ``op`` of each run of the items of ``x``, the runs beginning at ``starts``
    Peak           F     the largest item along the last axis of ``x``; infinities become the largest finite number, with
                         their sign. It shifts the arguments of exp, and no gradient flows through it
    Peaks          F     the same of each run of the items of ``x``, the runs beginning at ``starts``
    Sum              B   the sums of ``x`` over ``axes``, and over the examples too if ``over_batch``
    Unfold           B   the cotangents of ``x``, of which ``y`` is the Reduce; ``d_y`` is the cotangent of y
    Chain          F     ``steps``, one after the other, a row for each; the first ones take rows of ``x``
    Sweep            B   the cotangents of x, the argument of a Chain that wrote ``y``. ``d_y`` holds the cotangents that
                         others have handed to steps; those that the steps hand to one another are added there
    Product        F B   the matrix products of ``a`` and ``b``, plus ``bias`` in each column. If a and b are batched and
                         out is not, they are summed over the examples
    Pairwise       F B   the matrix products of ``a`` and ``b``, both batched: each example's own
    Gather         F B   the items ``rows`` of ``x``
    Scatter          B   the items of ``x``, at the items ``rows`` of out; the other items stay as they are
    Take           F     the columns ``index`` of ``table``, which all examples share
    Put              B   the cotangent of the table of a Take: zeros, and the columns of ``d_y`` added at ``index``
    Pick           F     of each row of ``table`` the item at ``index``
    Place            B   the cotangent of the table of a Pick: zeros, and the items of ``d_y`` added at ``index``
    Project        F     nothing. Differentiating it makes cotangents of log-shares more accurate, and plans have none

Shapes. The arguments of Map and Move have the shape of out. Matrices come in stacks: a (g, m, k) and b (g, k, n) make out
(g, m, n), and bias is (g, m). A factor that is ``transposed`` has its last two axes exchanged. A Take of a table (f, n) at p
indices is (f, p); a Pick of a table (p, n) at p indices is (p). What Chain, Sweep, Segments, Gather and Scatter index has one
axis.

Errors. An index of Take, Pick and a step that is no whole number below the length of the table raises IndexError.

Giving up. A Product or a Pairwise may contain zeros that the recorded function does not have, for the sake of a regular
shape: the row of a causal mask, or the cotangent of an item that nothing uses. As 0 times infinity is NaN, the views
``finite`` must hold finite numbers whose squares do not overflow. The executor raises NotFiniteError if they do not, and
the call is then computed node by node.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from autograd.compiler.views import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from autograd import ops
    from autograd.compiler.steps import Steps
    from autograd.compiler.views import Space

    Rows = NDArray[np.int64]

_SHOWN = 12
"""The number of rows that the text of an instruction shows."""


@dataclass(frozen=True, eq=False)
class Base:
    """What all instructions have in common."""

    out: View

    @property
    def kind(self) -> str:
        """The name of the kind in small letters."""
        return type(self).__name__.lower()

    @property
    def views(self) -> list[View]:
        """The views among the arguments."""
        return [arg for field in fields(self)[1:] if isinstance(arg := getattr(self, field.name), View)]

    @property
    def reads(self) -> list[tuple[Space, Rows]]:
        """The rows that the instruction reads, by their spaces."""
        return [(view.space, view.rows.ravel()) for view in self.views]

    @property
    def writes(self) -> Rows:
        """The rows of ``out.space`` that the instruction writes."""
        return self.out.rows.ravel()

    def __str__(self) -> str:
        """One line: ``v[0:3] = sum(v[3:9] as 3x2, axes=(1,))``."""
        given = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        op, args = given.pop("op", None), given.pop("args", ())
        name = op.name if isinstance(self, Map) else f"{self.kind}:{op.name}" if op else self.kind
        turned = dict(zip("ab", given.pop("transposed", ()), strict=False))
        texts = [*map(str, args)]
        for label, x in given.items():
            match x:
                case View():
                    texts.append(f"{x}{'.T' * turned.get(label, False)}")
                case np.ndarray():
                    texts.append(f"{label}=[{', '.join(map(str, x[:_SHOWN].tolist()))}{', …' * (len(x) > _SHOWN)}]")
                case True:
                    texts.append(label)
                case None | False | ():
                    pass
                case (View(), *_):
                    texts.append(f"{label}={', '.join(map(str, x))}")
                case tuple():
                    texts.append(f"{label}={x}")
                case _:
                    texts.append(str(x))
        return f"{self.out} = {name}({', '.join(texts)})"


@dataclass(frozen=True, eq=False)
class Map(Base):
    """An operation, item by item."""

    op: ops.Op
    args: tuple[View | float, ...]

    @property
    def views(self) -> list[View]:
        """The views among the arguments, which numbers may stand between."""
        return [arg for arg in self.args if isinstance(arg, View)]


@dataclass(frozen=True, eq=False)
class Move(Base):
    """A copy."""

    x: View


@dataclass(frozen=True, eq=False)
class Fill(Base):
    """A number, everywhere."""

    number: float


@dataclass(frozen=True, eq=False)
class Seed(Base):
    """The cotangent of the result itself."""


@dataclass(frozen=True, eq=False)
class Reduce(Base):
    """An operation of all items along an axis."""

    op: ops.Op
    x: View


@dataclass(frozen=True, eq=False)
class Segments(Base):
    """An operation of each of some runs of items."""

    op: ops.Op
    x: View
    starts: Rows


@dataclass(frozen=True, eq=False)
class Peak(Base):
    """The largest items along an axis, made finite."""

    x: View


@dataclass(frozen=True, eq=False)
class Peaks(Base):
    """The largest item of each of some runs, made finite."""

    x: View
    starts: Rows


@dataclass(frozen=True, eq=False)
class Sum(Base):
    """Sums over axes, or over the examples."""

    x: View
    axes: tuple[int, ...] = ()
    over_batch: bool = False


@dataclass(frozen=True, eq=False)
class Unfold(Base):
    """The cotangents of items that were reduced."""

    op: ops.Op
    d_y: View
    y: View
    x: View


@dataclass(frozen=True, eq=False)
class Chain(Base):
    """Steps, one after the other."""

    x: View
    steps: Steps


@dataclass(frozen=True, eq=False)
class Sweep(Base):
    """The cotangents of a chain, from its last step to its first."""

    d_y: View
    x: View
    y: View
    steps: Steps

    @property
    def reads(self) -> list[tuple[Space, Rows]]:
        """The rows that the instruction reads: of d_y only those of steps that have received a cotangent."""
        received = self.d_y.rows[self.steps.received]
        return [(self.d_y.space, received), *[(view.space, view.rows.ravel()) for view in (self.x, self.y)]]

    @property
    def writes(self) -> Rows:
        """The rows that something is handed to, in out and in d_y, which lie in one space."""
        steps = self.steps
        cells = np.unique(steps.target[steps.target >= 0])
        inner = cells[cells >= steps.base] - steps.base
        return np.append(self.out.rows[steps.ends], self.d_y.rows[inner])


@dataclass(frozen=True, eq=False)
class _Matrices(Base):
    """Two stacks of matrices."""

    a: View
    b: View
    transposed: tuple[bool, bool] = (False, False)
    finite: tuple[View, ...] = ()


@dataclass(frozen=True, eq=False)
class Product(_Matrices):
    """Matrix products that examples may share, or that are summed over them."""

    bias: View | None = None


@dataclass(frozen=True, eq=False)
class Pairwise(_Matrices):
    """A matrix product for each example."""


@dataclass(frozen=True, eq=False)
class Gather(Base):
    """Some items, in any order."""

    x: View
    rows: Rows

    @property
    def reads(self) -> list[tuple[Space, Rows]]:
        """The rows that the instruction gathers."""
        return [(self.x.space, self.x.rows.ravel()[self.rows.ravel()])]


@dataclass(frozen=True, eq=False)
class Scatter(Base):
    """Items, to some places in any order."""

    x: View
    rows: Rows

    @property
    def writes(self) -> Rows:
        """The rows that the instruction scatters to."""
        return self.out.rows.ravel()[self.rows]


@dataclass(frozen=True, eq=False)
class Take(Base):
    """Columns of a table."""

    table: View
    index: View


@dataclass(frozen=True, eq=False)
class Put(Base):
    """The cotangent of a table from which columns were taken."""

    d_y: View
    index: View


@dataclass(frozen=True, eq=False)
class Pick(Base):
    """An item of each row of a table."""

    table: View
    index: View


@dataclass(frozen=True, eq=False)
class Place(Base):
    """The cotangent of a table from whose rows items were picked."""

    d_y: View
    index: View


@dataclass(frozen=True, eq=False)
class Project(Base):
    """A mark: ``rows`` of out are log-shares, in groups that begin at ``starts``, each of which adds up to 1 after ``exp``."""

    rows: Rows
    starts: Rows

    @property
    def reads(self) -> list[tuple[Space, Rows]]:
        """The log-shares."""
        return [(self.out.space, self.out.rows[self.rows])]


Instruction = (
    Map | Move | Fill | Seed | Reduce | Segments | Peak | Peaks | Sum | Unfold | Chain | Sweep
    | Product | Pairwise | Gather | Scatter | Take | Put | Pick | Place | Project
)  # fmt: skip
"""One of these, so that mypy knows whether a ``match`` has forgotten one."""
