"""The compiler: a function of Values, recorded once, becomes the NumPy program that a person would have written.

``record`` makes arrays of a graph, ``simplify`` takes it to fewer nodes, ``pack`` groups these into vectors and matrix
products, ``layout`` chooses where numbers lie and writes the ``instructions``, ``differentiate`` adds those of the gradient,
``emit`` turns them into source, and ``program`` runs it. ``oracle`` does the same as all of them, node by node.
"""

from autograd.compiler.compiled import Compiled, Recording, compile  # noqa: A004 - as the function is called

__all__ = ["Compiled", "Recording", "compile"]
