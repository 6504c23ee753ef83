"""Makes this Python refuse what Windows refuses; run as a program, it then uses sparring.

`without_unix()` comes before all other imports: the modules that only Unix has cannot be imported.
`refuse_as_windows()` comes after them, for other packages look for functions while they are loaded.
Not here: how Windows writes paths, and that it does not tell big letters from small ones.
"""

import errno
import os
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from typing import Any

UNIX_MODULES = frozenset({"fcntl", "resource", "pwd", "grp"})
UNIX_FUNCTIONS = ("sysconf", "sched_getaffinity", "getuid", "geteuid", "fork", "uname", "fchmod")
UNIX_SIGNALS = ("SIGHUP", "SIGALRM", "SIGUSR1", "SIGKILL", "SIGCHLD")
REFUSED_NAME = re.compile(
    r'.*[<>:"|?*\\\x00-\x1f].*|.*[. ]|(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?'
)
WRITING = os.O_WRONLY | os.O_RDWR


class _Missing(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name in UNIX_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def without_unix() -> None:
    """Let imports of what only Unix has fail."""
    for name in UNIX_MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _Missing())


def refuse_as_windows() -> None:
    """Take away what only Unix has, and refuse what Windows does not do with files."""
    import shutil
    import signal
    import time

    for owner, names in ((os, UNIX_FUNCTIONS), (signal, UNIX_SIGNALS), (time, ("tzset",))):
        for name in names:
            delattr(owner, name)
    shutil._use_fd_functions = False
    flush, rename = os.fsync, os.rename

    def fsync(handle: int) -> None:
        if not _flags(handle) & WRITING:
            raise OSError(errno.EBADF, "Bad file descriptor")
        flush(handle)

    def rename_to_free_name(source: Any, target: Any, **how: Any) -> None:
        if os.path.exists(target):  # noqa: PTH110
            raise FileExistsError(errno.EEXIST, "File exists", str(target))
        rename(source, target, **how)

    os.fsync, os.rename = fsync, rename_to_free_name
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: Sequence[Any]) -> None:
    match event, arguments:
        case "open", (str() as path, None, int() as flags) if not _nameless(flags):
            if os.path.isdir(path):  # noqa: PTH112
                raise PermissionError(errno.EACCES, "Permission denied", path)
            _refuse_name(path)
        case "open", (str() as path, str(), int()):
            _refuse_name(path)
        case "os.mkdir", (path, *_):
            _refuse_name(os.fspath(path))
        case "os.rename", (source, target, *_):
            for path in map(os.fspath, (source, target)):
                _refuse_name(path)
                _refuse_open(path)
        case "os.remove", (path, *_):
            _refuse_open(os.fspath(path))


def _refuse_name(path: str) -> None:
    if REFUSED_NAME.fullmatch(os.path.basename(path).lower()) and not path.startswith("/dev"):  # noqa: PTH119
        raise OSError(errno.EINVAL, "Invalid argument", path)


def _refuse_open(path: str) -> None:
    """Refuse a file, or a folder with one, that this process has open or mapped."""
    whole = os.path.abspath(path)  # noqa: PTH100
    handles = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))  # noqa: PTH208
    names = {os.readlink(handle) for handle in handles if os.path.islink(handle)}  # noqa: PTH114, PTH115
    with open("/proc/self/maps", encoding="utf-8") as maps:  # noqa: PTH123
        names |= {line.split(maxsplit=5)[-1].rstrip("\n") for line in maps}
    if any(name == whole or name.startswith(f"{whole}/") for name in names):
        raise PermissionError(errno.EACCES, "used by a process", path)


def _nameless(flags: int) -> bool:
    """Tell whether a file without a name is opened in a folder, as Windows can in other words."""
    return flags & os.O_TMPFILE == os.O_TMPFILE


def _flags(handle: int) -> int:
    with open(f"/proc/self/fdinfo/{handle}", encoding="ascii") as about:  # noqa: PTH123
        return next(int(line.split()[1], 8) for line in about if line.startswith("flags:"))
