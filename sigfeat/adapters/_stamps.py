"""Stamps of files, which differ if a file has changed."""

import hashlib
import os
from pathlib import Path
from typing import Any

from sigfeat.adapters._reading import check_regular, reading, stored_files

WHOLE_BYTES = 2**18  # up to this size, everything is read
PIECE_BYTES, N_PIECES = 2**14, 16


def stamp(file: Path) -> list[Any]:
    """Size, time of the last change and a hash of a file.

    The hash is that of the content of small files, and of 16 pieces of large ones, among them the head and the tail.
    For zarr it is that of the names, sizes and times of all files, and of the contents of 16 of them.
    """
    digest = hashlib.blake2b(digest_size=16)
    with reading(file):
        if not file.is_dir():
            check_regular(file)
            status = os.stat(file)
            _add(digest, file, status.st_size)
            return [status.st_size, status.st_mtime_ns, digest.hexdigest()]
        stored = stored_files(file)
        for entry in stored:
            digest.update(f"{len(entry.name)} {entry.name} {entry.size} {entry.mtime_ns}\n".encode())
        for i in _spaced(len(stored), N_PIECES):
            _add(digest, file / stored[i].name, stored[i].size)
    times = [entry.mtime_ns for entry in stored]
    return [sum(entry.size for entry in stored), max(times, default=0), digest.hexdigest()]


def _add(digest: Any, file: Path, size: int) -> None:
    """Add the content of a file to a hash, or pieces of it if it is large."""
    with file.open("rb", buffering=0) as stream:
        if size <= WHOLE_BYTES:
            digest.update(stream.read(WHOLE_BYTES))
            return
        for start in _spaced(size - PIECE_BYTES + 1, N_PIECES):
            stream.seek(start)
            digest.update(stream.read(PIECE_BYTES))


def _spaced(n: int, n_places: int) -> list[int]:
    """At most `n_places` of the numbers below n, equally spaced, with the first and the last."""
    if n <= n_places:
        return list(range(n))
    return [i * (n - 1) // (n_places - 1) for i in range(n_places)]
