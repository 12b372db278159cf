"""Folders that are read and replaced as a whole, also if a process is killed or several save at the same time."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

KINDS_OF_FILES = (".json", ".safetensors")
ABANDONED = 3600.0  # age in seconds from which on unfinished work is removed where files cannot be locked
N_ATTEMPTS = 10  # to read a folder that is replaced meanwhile
NOT_FOR_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # some file systems cannot flush folders


def write_folder(folder: Path, files: Mapping[str, bytes], is_ours: Callable[[Path], bool], what: str) -> None:
    """Write files into a new folder and rename it into place; if that fails, the old folder stays.

    The new folder is ``.NAME.MARK.new``, and the old one is ``.NAME.MARK.old`` until it is removed. All files and
    folders are flushed to the disk before the old folder is removed. If the process is killed, the next save or load
    finds what is left: without a folder it restores the old one, and a save removes everything else.

    Savers to the same path wait for each other at a lock on the file ``.NAME.lock``, which the system releases when a
    process ends. A saver that has the lock therefore knows that no other one uses what it finds. Where files cannot be
    locked, it removes only what has not changed for an hour.
    """
    _make(folder.parent)
    with _locked(folder) as alone:
        _mend(folder, alone)
        if folder.exists() and not is_ours(folder):
            raise FileExistsError(f"{folder} is there, and is not (only) {what}: choose another path")
        mark = secrets.token_hex(4)
        new, old = (folder.with_name(f".{folder.name}.{mark}.{age}") for age in ("new", "old"))
        try:
            new.mkdir()
            for name, data in files.items():
                _write(new / name, data)
            _flush_folder(new)
            if folder.exists():
                folder.rename(old)
            new.rename(folder)
            _flush_folder(folder.parent)
        except BaseException:
            if old.exists():
                if folder.exists():
                    folder.rename(new)
                old.rename(folder)
            raise
        finally:
            for left in (new, old):
                shutil.rmtree(left, ignore_errors=True)


def read_folder(folder: Path, names: Collection[str]) -> list[bytes]:
    """Contents of the files of these names, all from the same save; restores a folder whose save was killed.

    Raises a FileNotFoundError if one is missing.
    """
    place, found = folder.resolve(), None
    for _ in range(N_ATTEMPTS):
        if not place.exists() and _unfinished(place):
            with contextlib.suppress(OSError), _locked(place) as alone:
                _mend(place, alone)
        before = _identity(place)
        try:
            found = [_read(folder / name) for name in names]
        except FileNotFoundError:
            if _identity(place) == before:
                raise
        if found is not None and _identity(place) == before:
            return found
    raise FileNotFoundError(f"{folder} is replaced again and again while it is read")


def is_saved(folder: Path, values: str, weights: str, parse: Callable[[bytes], object]) -> bool:
    """Whether a folder holds a file of values that can be parsed, perhaps one of weights, and nothing else."""
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if values not in names or names - {values, weights}:
        return False
    try:
        parse((folder / values).read_bytes())
    except (ValueError, OSError):
        return False
    return True


def _mend(folder: Path, alone: bool) -> None:
    """Restore a folder from what a killed save left, and remove the rest; `alone` if no other process saves to it."""
    left = _unfinished(folder)
    if not alone:
        left = [path for path in left if time.time() - _last_change(left, path) > ABANDONED]
    old = [path for path in left if path.suffix == ".old"]
    if old and not folder.exists():
        max(old, key=lambda path: path.stat().st_mtime_ns).rename(folder)
        _flush_folder(folder.parent)
    for path in left:
        shutil.rmtree(path, ignore_errors=True)


def _unfinished(folder: Path) -> list[Path]:
    """Folders that a save to this path has begun and not removed."""
    ours = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]+\.(new|old)")
    try:
        found = [path for path in folder.parent.iterdir() if ours.fullmatch(path.name) and not path.is_symlink()]
        return [path for path in found if all(_is_file_of_ours(entry) for entry in path.iterdir())]
    except OSError:  # no such folder, or it cannot be listed
        return []


def _is_file_of_ours(path: Path) -> bool:
    return path.suffix in KINDS_OF_FILES and path.is_file() and not path.is_symlink()


def _last_change(left: list[Path], path: Path) -> float:
    """Time of the last change of what the same save has left."""
    of_same_save = [other.stat() for other in left if other.stem == path.stem]
    return max(max(stat.st_mtime, stat.st_ctime) for stat in of_same_save)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Wait for the lock of a path and hold it; False if there are no locks here."""
    if fcntl is None:
        yield False
        return
    file = folder.with_name(f".{folder.name}.lock")
    while True:
        descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            alone = True
        except OSError:  # a file system without locks
            alone = False
        if not alone or _is_at(file, descriptor):  # and not one that its last owner has removed since
            break
        os.close(descriptor)
    try:
        yield alone
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


def _is_at(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _identity(folder: Path) -> tuple[int, int, int] | None:
    """What differs between two folders that had the same name at different times."""
    try:
        stat = folder.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns


def _read(file: Path) -> bytes:
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}")
    return file.read_bytes()


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _make(folder: Path) -> None:
    """Make a folder and those above it, so that they last."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        _flush_folder(made.parent)


def _flush_folder(folder: Path) -> None:
    """Write the names of the files of a folder to the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_FOR_FOLDERS:
            raise
    finally:
        os.close(descriptor)
