"""What ``import autograd`` gives, what it costs to begin with, and what it says beside another package of the same name."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import autograd
import nn

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", [autograd, nn])
def test_public_names_are_there(package: object) -> None:
    names = package.__all__  # type: ignore[attr-defined]
    assert len(set(names)) == len(names)
    for name in names:
        assert hasattr(package, name)


def test_the_version_stands_in_one_place() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", autograd.__version__)
    assert "version = attr: autograd.__version__" in (ROOT / "setup.cfg").read_text()


def test_nothing_heavy_is_imported_with_it() -> None:
    """Drawing, plotting and subprocesses are imported where they are used: NumPy is most of what an import takes."""
    program = "import sys, numpy; before = set(sys.modules); import autograd, nn; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"graphviz", "pygraphviz", "subprocess", "matplotlib", "sklearn", "tqdm", "scipy", "hypothesis"})


@pytest.mark.parametrize("foreign", [["tracer.py"], ["tracer.py", "differential_operators.py"]])
def test_files_of_the_other_autograd_are_noticed(tmp_path: Path, foreign: list[str]) -> None:
    shutil.copytree(ROOT / "autograd", tmp_path / "autograd")
    for name in foreign:
        (tmp_path / "autograd" / name).touch()
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import autograd"], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert f"RuntimeWarning: {tmp_path / 'autograd'} holds files of another package named autograd" in done.stderr
    assert f"({', '.join(foreign)})" in done.stderr
    assert "pip install --force-reinstall --no-deps scalar-autograd" in done.stderr


@pytest.mark.parametrize(("module", "name", "content"), [(autograd, "scipy", "minimize"), (nn, "sklearn", "ValueClassifier")])
def test_what_others_packages_are_needed_for_is_imported_when_asked_for(module: ModuleType, name: str, content: str) -> None:
    pytest.importorskip(name)
    assert hasattr(getattr(module, name), content)
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'missing'"):
        module.missing  # noqa: B018 - to ask is enough
