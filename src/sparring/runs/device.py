"""The machine: devices, threads, memory, and how fast it trains; found out once and recorded."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import torch

from sparring.errors import SparringError

PROBE_SECONDS = 0.4
LONG_STEP_SECONDS = 10.0  # beside it, what a first step takes to warm up is nothing
# As torch words it: CUDA and MPS; the CPU on Linux and macOS; the CPU on Windows.
OUT_OF_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory")
MIN_SPEEDUP = 1.4  # that more threads must bring: beside other work they lose more than that


def check_device(name: str) -> None:
    """Raise unless tensors can live on the device of this name."""
    try:
        float(torch.ones(1, device=name))
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise SparringError(f"device '{name}' cannot be used: {reason}; try --device cpu") from None


@contextmanager
def memory_guard() -> Iterator[None]:
    """Turn an allocation that fails into one line."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not OUT_OF_MEMORY.search(str(error)):
            raise
        raise SparringError(
            "the networks do not fit into memory; use a smaller --size, --batch or --resolution"
        ) from None


def peak_memory() -> int | None:
    """Return the most bytes that this process has had at once; None where nobody knows."""
    with suppress(ImportError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kB elsewhere
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    with suppress(ImportError, NotImplementedError, AttributeError):
        import psutil

        return int(psutil.Process().memory_info().peak_wset)  # Windows
    return None


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fastest_threads(step: Callable[[], int]) -> tuple[int, float]:
    """Try more and more threads; return the number to use, and the samples per second."""
    threads = 1
    fastest = speed_with(step, threads)
    while (
        threads * 2 <= cores() and (speed := speed_with(step, threads * 2)) > MIN_SPEEDUP * fastest
    ):
        threads, fastest = threads * 2, speed
    torch.set_num_threads(threads)
    return threads, fastest


def speed_once(step: Callable[[], int], threads: int) -> float:
    """Return the samples per second of a second step; the first warms up."""
    torch.set_num_threads(threads)
    step()
    began = time.perf_counter()
    return step() / (time.perf_counter() - began)


def speed_with(step: Callable[[], int], threads: int) -> float:
    """Return the samples per second of a step with this many threads, which stay set."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    samples = step()
    if (elapsed := time.perf_counter() - began) > LONG_STEP_SECONDS:
        return samples / elapsed
    step()
    samples, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < PROBE_SECONDS:
        samples += step()
    return samples / elapsed
