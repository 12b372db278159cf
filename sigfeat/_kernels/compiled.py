"""The decorator of all compiled loops: their disk cache, and one compiled variant for writable and read-only arrays."""

import functools
import hashlib
import threading
import warnings
from pathlib import Path

import numpy as np
from numba.core import config, types
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    NullCache,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)
from numba.core.registry import CPUDispatcher

from sigfeat._kernels.simd.emitter import LANE_BYTES

OPTIONS = {"nopython": True, "nogil": True, "boundscheck": None}
SOURCES = ("_kernels/*.py", "_kernels/*/*.py", "pooling.py", "semirings.py")
_warning = threading.Lock()
_warned = False


def compiled(function):
    """Compile a function on its first call, without the interpreter's lock, and keep the machine code on disk.

    numba alone keeps the old machine code of a function when another file changes from which the function takes code or
    constants. Here a change in any of the `SOURCES` compiles everything again.
    """
    return function if config.DISABLE_JIT else _Kernel(function)


class _Kernel(CPUDispatcher):
    """A function that is compiled for each combination of argument types, of which all arrays are writable."""

    def __init__(self, function, locals=None, targetoptions=OPTIONS, **options):  # noqa: A002
        super().__init__(function, locals or {}, dict(targetoptions), **options)
        self.enable_caching()

    def _compile_for_args(self, *args):
        """The machine code for these arguments; numba asks where no variant has just their types."""
        return super()._compile_for_args(*map(_as_writable, args))

    def get_call_template(self, args, kws):
        """The variant that another compiled function calls: the same for a number that is written out there."""
        return super().get_call_template([types.unliteral(argument) for argument in args], kws)

    def enable_caching(self):
        """Use a folder in which files can be written, or compile in each process where there is none."""
        try:
            self._cache = _DiskCache(self.py_func)
        except RuntimeError:  # no locator found a folder
            self._cache = _NoCache()


def _as_writable(value):
    """The value with all its arrays declared writable: the loops write only to arrays that were made for them.

    numba compiles a function once more for a read-only array, such as a memory map of joblib or of `np.load`.
    """
    if isinstance(value, np.ndarray):
        return np.asarray(value if value.flags.writeable else _Writable(value))
    if isinstance(value, tuple):
        items = map(_as_writable, value)
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


class _Writable:
    """The memory of a read-only array, which NumPy takes as that of a writable one."""

    def __init__(self, array):
        self._array = array  # keeps the memory alive
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


@functools.cache
def source_stamp(package=Path(__file__).parents[1]):
    """Hash of all files of the package whose functions or constants are compiled."""
    stamp = hashlib.sha256()
    for file in sorted(file for pattern in SOURCES for file in package.glob(pattern)):
        stamp.update(file.relative_to(package).as_posix().encode())
        stamp.update(file.read_bytes())
    return stamp.hexdigest()


class _SourceOfAll:
    """A folder of numba's cache, whose entries are valid for one source of all files and one width of registers."""

    def get_source_stamp(self):
        return source_stamp()

    def get_disambiguator(self):
        return f"{self._lineno}.{8 * LANE_BYTES}"


class _UserProvided(_SourceOfAll, UserProvidedCacheLocator):
    pass


class _InTree(_SourceOfAll, InTreeCacheLocator):
    pass


class _UserWide(_SourceOfAll, UserWideCacheLocator):
    pass


class _Folders(CompileResultCacheImpl):
    _locator_classes = (_UserProvided, _InTree, _UserWide)


class _DiskCache(FunctionCache):
    _impl_class = _Folders

    def load_overload(self, sig, target_context):
        """Read machine code; None where there is none."""
        try:
            return super().load_overload(sig, target_context)
        except (OSError, EOFError):
            return None

    def save_overload(self, sig, data):
        """Write machine code; a full disk, or a folder that became read-only, does not stop the caller."""
        try:
            super().save_overload(sig, data)
        except OSError:
            _warn_once()


class _NoCache(NullCache):
    def save_overload(self, sig, cres):
        """Say once that nothing is kept."""
        _warn_once()


def _warn_once():
    global _warned
    with _warning:
        first, _warned = not _warned, True
    if first:
        warnings.warn(
            "sigfeat found no writable folder for compiled code and compiles it again in each process: set the "
            "environment variable NUMBA_CACHE_DIR to a writable folder",
            RuntimeWarning,
            stacklevel=3,
        )
