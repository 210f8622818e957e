"""Files are written whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from autograd import files

ROOT = Path(__file__).parents[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_the_data_is_there_and_nothing_else(path: Path) -> None:
    for data in (b"old", b"", b"new" * 100_000):
        files.write(path, data)
        assert path.read_bytes() == data
    files.write(str(path), b"as text")
    assert [*path.parent.iterdir()] == [path]


def test_the_longest_name(tmp_path: Path) -> None:
    """The temporary name is not made of the name of the file, which may have all of the 255 bytes."""
    files.write(tmp_path / ("n" * 255), b"1")
    assert [len(file.name) for file in tmp_path.iterdir()] == [255]


def test_permissions(path: Path) -> None:
    """A new file gets those of any new file, and not 0600 as temporary files; an existing file keeps its own."""
    before = os.umask(0o027)
    try:
        files.write(path, b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        files.write(path, b"2")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_link_stays_a_link(path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = tmp_path_factory.mktemp("elsewhere") / "target"
    path.symlink_to(target)
    for data in (b"1", b"2"):  # a target that does not exist yet, and one that does
        files.write(path, data)
        assert path.is_symlink()
        assert target.read_bytes() == data
    assert [*path.parent.iterdir()] == [path]
    assert [*target.parent.iterdir()] == [target]


def test_errors_of_the_file_system(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="the directory to save to does not exist: .*nowhere"):
        files.write(path.parent / "nowhere" / "file", b"")
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        files.write(path, b"")
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.parametrize("failing", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), PermissionError(13, "Permission denied"), KeyboardInterrupt()]
)
def test_what_fails_leaves_the_old_file_and_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str, error: BaseException
) -> None:
    files.write(path, b"old")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os if failing == "fsync" else Path, failing, fail)
    with pytest.raises(type(error)):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [*path.parent.iterdir()] == [path]


def test_the_data_is_on_the_disk_before_the_name_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut between the two leaves the old file. At the end the folder, which holds the name, is synchronised, too."""
    events = []
    fsync, replace = os.fsync, Path.replace

    def synchronise(descriptor: int) -> None:
        events.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else os.fstat(descriptor).st_size)
        fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synchronise)
    monkeypatch.setattr(Path, "replace", rename)
    files.write(path, b"123")
    assert events == [3, "rename", "folder"]


def test_a_folder_that_cannot_be_opened_is_no_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    files.write(path, b"1")
    assert path.read_bytes() == b"1"


def test_writers_at_the_same_time_leave_a_whole_file(path: Path) -> None:
    contents = [bytes([k]) * 200_000 for k in range(8)]
    threads = [threading.Thread(target=files.write, args=(path, data)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [*path.parent.iterdir()] == [path]


def test_a_full_disk_leaves_the_old_file_and_no_other(path: Path) -> None:
    """A limit on the size of files stands for a disk without space."""
    pytest.importorskip("resource")
    program = """
import resource, signal, sys
from autograd import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
files.write(sys.argv[1], b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    files.write(sys.argv[1], b"n" * 20_000)
except OSError as error:
    print(error.errno)
"""
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "27\n"  # EFBIG
    assert path.read_bytes() == b"old"
    assert [*path.parent.iterdir()] == [path]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_or_a_device_was_replaced_by_a_file(path: Path) -> None:
    """Root would have lost /dev/null. What is written to a pipe goes through it, and nothing takes its place."""
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write(path, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert [*path.parent.iterdir()] == [path]


def test_the_message_for_a_folder_named_a_temporary_file(tmp_path: Path) -> None:
    """It names the folder alone; only on Windows may a folder not be opened for another reason."""
    with pytest.raises((IsADirectoryError, PermissionError)) as caught:
        files.write(tmp_path, b"")
    assert caught.value.filename == str(tmp_path)
    assert caught.value.filename2 is None
