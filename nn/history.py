"""The history of a training: its numbers, epoch by epoch, as arrays, a table, or a picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_SHOWN = 10
"""How many epochs the table shows. Of a longer history it leaves out those in the middle."""
_COLUMNS = {"loss": "loss", "validation_loss": "validation loss", "metric": "metric", "lr": "lr"}


@dataclass(repr=False, eq=False)
class History:
    """What :func:`nn.fit` returns: arrays of shape (epochs,), with a number for each epoch that was finished.

    >>> History(loss=np.array([1.0, 0.5]), lr=np.array([0.1, 0.1]), stopped="the loss stopped improving", best_epoch=2)
    History of 2 epochs; the loss stopped improving; best epoch: 2
      epoch         loss           lr
          1            1          0.1
          2          0.5          0.1
    """

    loss: Array = field(default_factory=lambda: np.zeros(0))
    """The mean loss of the training examples, each taken before the step that used it."""
    lr: Array = field(default_factory=lambda: np.zeros(0))
    """The learning rate at the end of the epoch."""
    validation_loss: Array | None = None
    """The loss of the validation examples after the epoch. None if there were no such examples."""
    metric: Array | None = None
    """The metric of the validation examples, or of all examples without validation, after the epoch. None without a metric."""
    step_loss: Array = field(default_factory=lambda: np.zeros(0))
    """The loss of each step's batch, of shape (steps,). This includes the steps of an unfinished epoch."""
    stopped: str = "ran to the end"
    """Why the training ended."""
    best_epoch: int | None = None
    """The epoch, counted from 1, that early stopping found best."""

    def __len__(self) -> int:
        return len(self.loss)

    @property
    def columns(self) -> dict[str, Array]:
        """The arrays with one number for each epoch, by name, without those that are None."""
        return {name: getattr(self, name) for name in _COLUMNS if getattr(self, name) is not None}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the losses over the epochs, and the metric with an axis of its own, and return matplotlib's Axes.

        Without ``ax`` they are drawn in a new figure. ImportError without matplotlib (extra ``[plot]``).
        """
        try:
            from matplotlib.figure import Figure  # noqa: PLC0415 - an extra
            from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            msg = 'History.plot() needs matplotlib: python -m pip install "scalar-autograd[plot]"'
            raise ModuleNotFoundError(msg, name=error.name) from error
        if ax is None:
            ax = Figure(layout="constrained").add_subplot()
        epochs = np.arange(1, len(self) + 1)
        marker = "o" if len(self) == 1 else None
        ax.plot(epochs, self.loss, label="loss", marker=marker)
        if self.validation_loss is not None:
            ax.plot(epochs, self.validation_loss, label="validation loss", marker=marker)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        lines: list[Any] = ax.get_lines()[:]
        if self.metric is not None:
            right = ax.twinx()
            lines += right.plot(epochs, self.metric, label="metric", color="tab:green", linestyle="--", marker=marker)
            right.set_ylabel("metric")
        if self.best_epoch is not None:
            lines.append(ax.axvline(self.best_epoch, label="best epoch", color="grey", linestyle=":"))
        ax.legend(handles=lines, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lines), frameon=False)
        return ax

    def __repr__(self) -> str:
        title = f"History of {len(self)} epoch{'s' * (len(self) != 1)}; {self.stopped}"
        if self.best_epoch is not None:
            title += f"; best epoch: {self.best_epoch}"
        rows = [["epoch", *[_COLUMNS[name] for name in self.columns]]]
        for epoch in range(len(self)):
            if len(self) > _SHOWN and epoch == _SHOWN // 2:
                rows.append(["…"] * len(rows[0]))
            if len(self) <= _SHOWN or not _SHOWN // 2 <= epoch < len(self) - _SHOWN // 2:
                rows.append([str(epoch + 1), *[f"{column[epoch]:.4g}" for column in self.columns.values()]])
        widths = [5, *[max(10, len(name)) for name in rows[0][1:]]]
        table = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
        return "\n  ".join([title, *table]) if len(self) else title
