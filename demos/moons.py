"""Trains a network of 337 parameters to tell two half-moons apart, in a hundred steps of gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import autograd
import nn
from autograd import Drawing, Value, draw
from demos import stage

with stage.extras():
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure
    from sklearn.datasets import make_moons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from autograd import Compiled

    Array = NDArray[np.float64]


def train(model: nn.MLP, points: Array, sides: Array, epochs: int, *, eager: bool = False) -> None:
    """Take ``epochs`` steps on the hinge loss, which wants the score of each point to be at least 1 on its own side of 0."""
    optimizer = nn.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)

    def report(state: nn.TrainingState) -> None:
        if state.epoch % 10 == 0 or state.epoch == 1:
            stage.say(f"epoch {state.epoch:3}   loss {state.loss:.4f}   accuracy {state.metric:4.0%}")

    nn.fit(
        model,
        points,
        sides,
        loss=nn.hinge_loss,
        optimizer=optimizer,
        epochs=epochs,
        batch_size=None,
        metric=nn.accuracy,
        schedule=nn.LinearLR(optimizer, 1.0, 0.0, total_iters=epochs),
        callbacks=[report],
        progress=False,
        compiled=not eager,
    )
    loss_of = autograd.compile(lambda point, side: nn.hinge_loss(model(point), side), parameters=optimizer.parameters)
    times = stage.race(loss_of, nn.parameters_to_vector(optimizer.parameters), points, sides)
    print(f"\nThe loss of {len(points)} points and its gradient take {times}.")


def draw_boundary(predict: Compiled, points: Array, sides: Array, cells: int) -> Figure:
    """Draw the score on a grid of ``cells`` × ``cells``, with its boundary at 0 and its margins at ±1."""
    x, y = points.T
    xs, ys = [np.linspace(numbers.min() - 0.4, numbers.max() + 0.4, cells) for numbers in (x, y)]
    everywhere = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    scores = predict(everywhere).reshape(cells, cells)

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    colours = LinearSegmentedColormap.from_list("moons", [stage.BLUE, "white", stage.AMBER])
    filled = axes.contourf(xs, ys, np.clip(scores, -3, 3), levels=np.linspace(-3, 3, 25), cmap=colours, alpha=0.75)
    axes.contour(xs, ys, scores, levels=[-1, 0, 1], colors=stage.INK, linewidths=[0.8, 2, 0.8], linestyles=["--", "-", "--"])
    paint = [stage.AMBER if side > 0 else stage.BLUE for side in sides]
    axes.scatter(x, y, s=46, c=paint, edgecolors="white", linewidths=1, zorder=3)
    axes.set_aspect("equal")
    axes.set_axis_off()
    bar = figure.colorbar(filled, ax=axes, ticks=range(-3, 4), shrink=0.85, label="score (dashed: the margins at ±1)")
    bar.outline.set_visible(False)
    return figure


def draw_neuron(model: nn.MLP, point: list[float]) -> Drawing:
    """Draw the neuron of the first layer that matters the most to the score of ``point``, with the gradients of that score."""
    first, *others = model.layers
    hidden = first([Value(coordinate, label) for coordinate, label in zip(point, "xy", strict=True)])
    outputs = hidden
    for layer in others:
        outputs = layer(outputs)
    model.zero_grad()
    outputs[0].backward()
    neuron: Value = max(hidden, key=lambda out: abs(out.data * out.grad))
    neuron.label = "output"
    return draw(neuron)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the demo."""
    options = stage.options("moons", __doc__, argv, trains=True)
    points, classes = make_moons(n_samples=100, noise=0.1, random_state=options.seed)
    sides = np.where(classes == 1, 1.0, -1.0)
    model = nn.MLP(2, [16, 16, 1], rng=options.seed)
    print(f"{model}\n")

    train(model, points, sides, epochs=30 if options.quick else 100, eager=options.eager)
    predict = autograd.compile(model, reduction=None)
    right = nn.accuracy(predict(points), sides)
    print(f"The trained network puts {right:.0%} of the {len(points)} points on their own side of its boundary.")

    boundary = draw_boundary(predict, points, sides, cells=30 if options.quick else 80)
    boundary.suptitle(f"Two moons, told apart with {right:.0%} accuracy", color=stage.INK, fontsize=15)
    print("Wrote", stage.save(boundary, options.out / "moons.png"))
    print("Wrote", stage.save(draw_neuron(model, points[0].tolist()), options.out / "moons_neuron.svg"))


if __name__ == "__main__":
    main()
