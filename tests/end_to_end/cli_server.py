"""Imports torch once, then runs each command in a forked child: a second less for each test.

What the child runs is `sparring.cli.app.main` with its own arguments, folder, environment, streams,
signals and exit, as if it had been started from a shell. `commands.py` is the other end.
"""

import array
import fcntl
import json
import os
import pkgutil
import signal
import socket
import sys
import termios
import traceback
import warnings
from importlib import import_module
from typing import Any

import sklearn.datasets  # noqa: F401
import torch

import sparring.api
import sparring.cli.app
import sparring.cli.commands
import sparring.cli.terminal
import sparring.runs.device
from sparring.build import build_state, with_depths
from sparring.kinds.images.spec import ImageSpec
from sparring.recipes.recipe import resolve

STREAMS = 3
LAZY = ("matplotlib.backends.backend_agg", "matplotlib.font_manager", "pandas", "soxr", "jinja2")


def serve(address: str) -> socket.socket:
    """Fork a child for each connection; in that child, return the connection."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(64)
    listener.settimeout(1)
    print("ready", flush=True)  # noqa: T201
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # attendants are not waited for
    parent = os.getppid()
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        if os.fork() == 0:
            listener.close()
            connection.settimeout(None)
            return connection
        connection.close()
    raise SystemExit


def attend(connection: socket.socket) -> dict[str, Any]:
    """Return the request in the child that is to run it; stay behind to tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size = array.array("i").itemsize * STREAMS
    content, ancillary, _, _ = connection.recvmsg(1 << 20, socket.CMSG_SPACE(size))
    streams = array.array("i", ancillary[0][2][:size])
    child = os.fork()
    if child == 0:
        connection.close()
        os.setsid()  # signals of the terminal that runs the tests are not meant for it
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        request: dict[str, Any] = json.loads(content)
        return request
    for stream in streams:
        os.close(stream)
    _tell(connection, child)
    _, status = os.waitpid(child, 0)
    _tell(connection, os.waitstatus_to_exitcode(status))
    os._exit(0)


def _tell(connection: socket.socket, number: int) -> None:
    connection.sendall(f"{number:12}".encode())


def become(request: dict[str, Any]) -> None:
    """Take on the request's arguments, folder, environment and streams."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["sparring", *request["arguments"]]
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # The descriptors stay open for the interpreter's own streams, which are never used.
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", 1 if os.isatty(1) else -1, encoding, "strict", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, encoding, "backslashreplace", closefd=False)  # noqa: SIM115
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("error")
    sparring.runs.device.PROBE_SECONDS = 0.02  # only the estimate of speed is the worse for it


def warm_up() -> None:
    """Import what commands load when they first use it, and let the optimiser do so too."""
    for module in pkgutil.walk_packages(sparring.__path__, "sparring."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in LAZY:
        import_module(name)
    torch.set_num_threads(1)  # a pool of threads would not survive the fork
    spec = ImageSpec(8, 8, 1)
    build_state(with_depths(resolve(), spec), spec)


def run_command(prelude: str) -> int:
    """Run the command line and return what its process would exit with."""
    try:
        exec(compile(prelude, "<prelude>", "exec"), {})
        sparring.cli.app.main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else end.code is not None
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    warm_up()
    wanted = attend(serve(sys.argv[1]))
    become(wanted)
    code = run_command(wanted["prelude"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # the interpreter would take a second to tear torch down
