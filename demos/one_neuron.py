"""Shows the chain rule in numbers that you can check by hand: every gradient of one neuron, tanh(w1 x1 + w2 x2 + b)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autograd import Value, draw, gradcheck, math, topological_sort
from autograd.symbols import derivatives
from demos import stage

if TYPE_CHECKING:
    from collections.abc import Sequence

NUDGE = 0.001


def neuron(x1: Value, x2: Value, w1: Value, w2: Value, b: Value) -> Value:
    """Return the output, o."""
    x1w1 = x1 * w1
    x2w2 = x2 * w2
    s = x1w1 + x2w2
    n = s + b
    o: Value = math.tanh(n)
    x1w1.label, x2w2.label, s.label, n.label, o.label = "x1w1", "x2w2", "s", "n", "o"
    return o


def explain(node: Value) -> None:
    """Print what ``node`` passes on to each argument: its gradient times the derivative in the table."""
    arrives = f"∂o/∂{node.label} = {node.grad:.6g} arrives at {formula(node)} = {node.data:.6g}"
    if node.op is None:
        print(f"{arrives}, a variable, which keeps it")
        return
    print(f"\n{arrives}")
    partials = node.op.partials(node.data, *[arg.data for arg in node.args])
    for arg, rule, partial in zip(node.args, derivatives(node.op), partials, strict=True):
        by = f"∂{node.label}/∂{arg.label}"
        print(
            f"    {by:<9} = {rule:^15} = {partial:<3.6g}  so ∂o/∂{arg.label} = {node.grad:.6g} × {partial:.6g} = {arg.grad:.6g}"
        )


def formula(node: Value) -> str:
    """Return how ``node`` was computed, such as ``n = s + b``."""
    if node.op is None:
        return node.label
    names = [arg.label for arg in node.args]
    return f"{node.label} = " + (f"{node.op.label}({names[0]})" if len(names) == 1 else f" {node.op.label} ".join(names))


def nudged(variables: Sequence[Value], k: int) -> float:
    """Return the slope of the output as variable ``k`` alone moves a little up and a little down."""
    up, down = [neuron(*[Value(v.data + h * (i == k)) for i, v in enumerate(variables)]) for h in (NUDGE, -NUDGE)]
    return (up.data - down.data) / (2 * NUDGE)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = stage.options("one_neuron", __doc__, argv)
    variables = [
        Value(2.0, "x1"),
        Value(0.0, "x2"),
        Value(-3.0, "w1"),
        Value(1.0, "w2"),
        Value(6.8813735870195432, "b"),  # makes the derivative of tanh 1/2
    ]
    o = neuron(*variables)
    before = draw(o)
    o.backward()
    after = draw(o)

    print("A neuron with", ", ".join([f"{v.label} = {v.data:.6g}" for v in variables]), "computes, step by step:")
    for node in topological_sort(o):
        if not node.is_leaf:
            print(f"    {formula(node)} = {node.data:.6g}")
    print("\nbackward() starts at the output and goes from each node to its arguments. The gradient of an argument is the")
    print("gradient that arrives, times the derivative in the table of operations (y the output, a and b the arguments).")
    for node in reversed(topological_sort(o)):
        explain(node)

    print(f"\nIs this right? Move one variable by ±{NUDGE} and see how o changes:")
    for k, variable in enumerate(variables):
        print(f"    {variable.label:<2}  backward() says {variable.grad:>8.5f}   moving it gives {nudged(variables, k):>8.5f}")
    gradcheck(neuron, variables)  # raises an error that names the wrong rule
    print("gradcheck finds the same by other means: every gradient is right.\n")

    drawings = {"one_neuron_before.svg": before, "one_neuron_after.svg": after}
    paths = [stage.save(drawing, options.out / name) for name, drawing in stage.progress(drawings.items(), "drawing")]
    print("Wrote", *paths)


if __name__ == "__main__":
    main()
