"""The recordings of one compiled function: when to record it, which recordings to keep, and when they are out of date."""

from __future__ import annotations

import operator
import threading
import warnings
from collections import Counter
from time import thread_time
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import ops, trees
from autograd.arrays import shown
from autograd.compiler.calls import Call, Reduction, numbers_of
from autograd.compiler.capture import Captured
from autograd.compiler.checks import Check
from autograd.compiler.record import CODE, Graph, as_graph, collector_paused
from autograd.compiler.recording import Recording
from autograd.errors import RecordingError
from autograd.graph import describe
from autograd.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autograd.compiler.capture import Change

_MOST = 64
"""The number of recordings, and of examples, that are kept: those that were used or recorded last."""
_OFTEN = 3
"""After this many changes of one thing, a warning says that each change costs a recording."""
_TRIES, _CHECKED = 50, 10
"""How often to record while other threads change what the function captures, and in how many of these tries a check counts."""


class Recorder:
    """Records a function, anew for each combination of shapes of its arguments, and keeps the recordings."""

    keep: Callable[[Any], None] | None = None
    """For the method of an instance that is held weakly: holds the instance strongly from now on."""

    def __init__(
        self, reduction: Reduction, parameters: Sequence[Value] | None, dtype: np.dtype[Any], argument_names: Sequence[str]
    ) -> None:
        self.reduction = reduction
        self.dtype = dtype
        self.argument_names = argument_names
        self.given = parameters is not None
        """Whether the user said which parameters there are. Otherwise all variables that the function uses are parameters."""
        self.parameters: list[Value] = list(parameters or [])
        """The Values that theta stands for: those that were given, or those of all recordings so far."""
        self.recordings: dict[Any, Recording] = {}
        """By the key of the arguments. The dict is replaced when a recording is forgotten (see ``calls.LastCall``)."""
        self.lock = threading.RLock()
        self._forgotten: dict[Any, Recording] = {}
        self._examples: dict[Any, Any] = {}
        """The example that was recorded last, by key: a batch of 0 examples has none of its own."""
        self._changes: Counter[str] = Counter()
        self._warned = False

    @property
    def settings(self) -> tuple[Reduction, list[Value] | None, np.dtype[Any]]:
        """The options that the function was compiled with."""
        return self.reduction, self.parameters if self.given else None, self.dtype

    def describe(self, fn: Callable[..., Any]) -> str:
        """Return what messages call the compiled ``fn``."""
        name = getattr(fn, "__name__", type(fn).__name__)
        known = f"{len(self.recordings)} recording{'s' * (len(self.recordings) != 1)}"
        return f"<compiled {name}: reduction={self.reduction!r}, {self.dtype}, {known}>"

    def recorded(
        self, fn: Callable[..., Any], key: Any, args: tuple[Any, ...], kwargs: dict[str, Any], batch: int
    ) -> Recording:
        """Return a new recording of ``fn``, for arguments of a ``key`` that has no recording yet."""
        if batch == 0:
            if (example := self._examples.get(key)) is None:
                msg = (
                    f"{self.describe(fn)} cannot be recorded from 0 examples: call it first with at least one, "
                    "of the same shapes and kinds"
                )
                raise ValueError(msg)
            args, kwargs = example
        with self.lock:
            if (recording := self.recordings.get(key)) is not None:
                return recording  # another thread has made it meanwhile
            for known in [*self.recordings.values()]:
                if known.captured.changed():
                    self.is_stale(fn, known)
            call = Call(fn, args, kwargs, reduction=self.reduction, who=self.describe(fn), known=self.argument_names)
            recording = self._as_it_stands(call, self._forgotten.pop(key, None))
            recording.key = key
            self._examples.pop(key, None)
            self._examples[key] = trees.map(lambda array: np.array(np.asarray(array)[:1]), (args, kwargs))
            if len(self._examples) > _MOST:
                del self._examples[next(iter(self._examples))]
            if len(self.recordings) >= _MOST:
                oldest = min(self.recordings.values(), key=lambda known: known.used)
                self.recordings = {k: known for k, known in self.recordings.items() if known is not oldest}
            self.recordings[key] = recording
        return recording

    def is_stale(self, fn: Callable[..., Any], recording: Recording) -> bool:
        """Whether something else is now in the place of what ``recording`` captured. If so, all recordings are forgotten."""
        with self.lock:
            if not any([known is recording for known in self.recordings.values()]):
                return True  # it was forgotten already
            found = recording.captured.difference(fn)
            if found:
                self._forgotten |= self.recordings
                self.recordings = {}
                if not self.given:
                    self.parameters = []
                self._count(fn, *found[0])
        return bool(found)

    def _count(self, fn: Callable[..., Any], place: str, old: Any, new: Any) -> None:
        """Warn, once, if the thing at a ``place`` has changed often."""
        self._changes[place] += 1
        if self._changes[place] == _OFTEN and not self._warned:
            self._warned = True
            msg = (
                f"{self.describe(fn)} was recorded again {_OFTEN} times because {place} had changed, the last time from "
                f"{shown(old)} to {shown(new)}. Recording takes much longer than a call: pass what changes as an argument, "
                "or make it a Value and assign its data"
            )
            warnings.warn(msg, stacklevel=4)

    def _as_it_stands(self, call: Call, known: Recording | None) -> Recording:
        """Record what the function captures now, again if another thread changed that meanwhile."""
        before = Captured(call.fn)
        tries = 0
        while True:
            lenient = tries >= _CHECKED and threading.active_count() > 1
            try:
                known = self._record(call, before, known, lenient=lenient)
            except RecordingError:
                after = before.again(call.fn)
                if not _worth_another(before.compared(after), tries):
                    raise
                before = after
            else:
                if lenient or not _worth_another(known.captured.meanwhile, tries):
                    return known
                before = known.captured
            tries += 1

    def _record(self, call: Call, before: Captured, known: Recording | None, *, lenient: bool) -> Recording:
        """Record the function on the first example of a call, and check the recording on that one and on others.

        ``before`` is what the function captured before. If the graph is that of ``known``, an earlier recording for these
        shapes, no program is made: ``known`` is returned. A ``lenient`` check ignores differences if another thread has put
        variables in the place of others meanwhile.
        """
        start = thread_time()
        with collector_paused():
            recorded = call.record()
            graph = as_graph(recorded.roots, recorded.inputs, recorded.began)
            # At once, before another thread changes what the function captures.
            captured = Captured(call.fn, graph.captured, graph.constants, like=before)
            recording = self._with_program(call, recorded.form, graph, known)
            check = Check(
                call,
                graph,
                recorded.form,
                lambda arrays: recording._run(numbers_of(recording.parameters), arrays, 1, gradient=False),
                recording.program.plan.kinds,
                self.dtype,
            )
            try:
                check.run(thread_time() - start)
            except RecordingError:
                if not (lenient and _puts_variables(before.compared(before.again(call.fn)))):
                    raise
            recording.captured = captured.but_for_what_it_does(call.fn, before, graph.captured)
            if self.keep is not None:
                instance: Any = call.fn.__self__  # type: ignore[attr-defined]  # keep is given for methods alone, which have a __self__
                recording.captured.hold_weakly(instance)
                if recording.captured.leads_to(instance):
                    self.keep(instance)
                    self.keep = None
            if hidden := [value for value in recording.captured.missing if not (self.given and value in self.parameters)]:
                msg = (
                    f"{call.who} uses {describe(hidden[0])}, but autograd.compile cannot see where it takes it from: another "
                    "Value in its place would go unnoticed. Reach it by a name, an attribute, a list or a dict, or give "
                    "compile() parameters=[...]"
                )
                raise RecordingError(msg)
        if not self.given:
            self.parameters = max(self.parameters, recording.parameters, key=len)
        return recording

    def _with_program(self, call: Call, form: Any, graph: Graph, known: Recording | None) -> Recording:
        """Return a recording with the program for ``graph``: ``known``, if that is its program."""
        identity, structure = _identity(graph), trees.flatten(form, lists=True)[1]
        if known is not None and (known.graph, known.structure) == (identity, structure):
            one_begins_with_the_other = all(map(operator.is_, known.parameters, self.parameters))
            if one_begins_with_the_other:
                return known
        self._forgotten = {}
        numbers = {value: i for i, value in enumerate(graph.variables)}
        order = [numbers.get(parameter, -1) for parameter in self.parameters]
        from autograd.compiler.program import Program  # noqa: PLC0415 - half of the time of importing autograd, which programs without compile() are spared

        program = Program(graph, call.inputs, order, self.reduction, self.dtype, frozen=self.given)
        variables = self.parameters + [graph.variables[i] for i in program.plan.parameters[len(order) :]]
        recording = Recording(call.shapes, program, variables, structure)
        recording.graph = identity
        return recording


def _worth_another(changes: list[Change], tries: int) -> bool:
    """Whether to record once more after these ``changes``: up to ``_TRIES`` times while other threads put variables there.

    Values that were computed are the function's own, such as the state of a recurrent network: these get one more try.
    """
    return bool(changes) and tries < (_TRIES if _puts_variables(changes) else 2) - 1


def _puts_variables(changes: list[Change]) -> bool:
    """Whether some of ``changes`` have put variables in the place of others, as threads do."""
    return any([isinstance(new, Value) and not new._args for *_, new in changes])


def _identity(graph: Graph) -> tuple[Any, ...]:
    """Return what is equal for graphs that have the same program: a digest of nodes and constants, and the variables."""
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, which takes a tenth of the time of importing this package

    digest = hashlib.blake2b()
    for array in (graph.code, graph.first, graph.arg, graph.leaf, graph.number[graph.code == CODE[ops.constant]]):
        digest.update(array.tobytes())
    return digest.digest(), graph.roots, [*map(id, graph.variables)]
