"""The compiler: a function of Values, recorded once, becomes the NumPy program that a person would have written.

``record`` makes arrays of a graph. ``lower`` runs the passes: ``simplify`` takes the graph to fewer nodes, ``pack``
finds ``operations`` on vectors and matrices, ``selection`` writes these in terms of fewer kinds, ``allocate`` chooses where
numbers lie and writes the ``instructions``, and ``differentiate`` adds those of the gradient. The result is a ``Plan``, which
any of the ``executors`` can run: a ``Program`` is a plan, an executor and its buffers. ``oracle`` does the same as all of them,
node by node.
"""

from autograd.compiler.compiled import Compiled, compile  # noqa: A004 - the public name; this module does not use Python's compile
from autograd.compiler.recording import Recording

__all__ = ["Compiled", "Recording", "compile"]
