"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import StrPath


def write(path: StrPath, data: bytes) -> None:
    """Write ``data`` to the file ``path``, which afterwards has its old contents or all of the new ones, whatever happens.

    The data goes to a temporary file in the same folder, which reaches the disk before it takes the place of the old file. A
    symbolic link remains a link, and an existing file keeps its permissions. A process that is killed while it writes may
    leave its temporary file ``.scalar-autograd-*.tmp``, which can be removed. A device or a pipe, such as ``/dev/null``, is
    written to as it is. Raises FileNotFoundError if the folder of the file does not exist, and otherwise what the file system
    raises.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/greeting.txt", b"hello")
    ...     pathlib.Path(folder, "greeting.txt").read_bytes()
    b'hello'
    """
    from pathlib import Path  # noqa: PLC0415 - to import autograd stays cheap

    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "the directory to save to does not exist", str(target.parent))
    if target.exists() and not target.is_file():  # a file must not take the place of a device; open() refuses a folder
        target.write_bytes(data)
        return
    temporary = target.with_name(f".scalar-autograd-{os.urandom(8).hex()}.tmp")  # short, as the name of the file may be long
    try:
        with temporary.open("xb") as file:
            with contextlib.suppress(FileNotFoundError):
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:  # Ctrl-C as well
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: StrPath) -> None:
    """Bring the new name of a file to the disk as well, where the system can: Windows cannot open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
