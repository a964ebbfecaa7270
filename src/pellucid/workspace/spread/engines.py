"""Where tasks run: here, in processes of this machine, or on a Ray cluster.

Results come in any order; a task that was lost with its worker is given out again.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import get_context
from typing import Any, Literal, Protocol, TypeVar

from pellucid.errors import ClusterUnavailableError, RayMissingError, WorkerFailureError
from pellucid.workspace.spread.job import Job

EngineName = Literal["local", "processes", "ray"]
ENGINES: tuple[EngineName, ...] = ("local", "processes", "ray")

ATTEMPTS = 4
"""How often a task may be lost with its worker before it is taken for the cause."""
WAITING = 4
"""Tasks given out at a time for each worker: no more, as a plan may have many thousands."""

Ask = TypeVar("Ask")
Result = TypeVar("Result")
Task = Callable[[Job, Ask], Result]


class Engine(Protocol):
    def each(self, task: Task[Ask, Result], job: Job, asks: Sequence[Ask]) -> Iterator[tuple[int, Result]]:
        """Do the task for each of these; yields which one is done, and its result."""
        ...


class Local:
    """One after another, in this process."""

    def each(self, task: Task[Ask, Result], job: Job, asks: Sequence[Ask]) -> Iterator[tuple[int, Result]]:
        for place, ask in enumerate(asks):
            yield place, task(job, ask)


class Processes:
    """A process a core. One that dies (out of memory, killed) takes no work with it: what it had is done by another."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def each(self, task: Task[Ask, Result], job: Job, asks: Sequence[Ask]) -> Iterator[tuple[int, Result]]:
        left = dict(enumerate(asks))
        lost = 0
        while left:
            before = len(left)
            with ProcessPoolExecutor(self.workers, get_context("spawn"), one_thread) as pool:
                try:
                    for place, result in given_out(pool, WAITING * self.workers, task, job, left):
                        del left[place]
                        yield place, result
                except BrokenProcessPool as error:
                    lost = lost + 1 if len(left) == before else 0
                    if lost >= ATTEMPTS:
                        raise WorkerFailureError(task.__name__, ATTEMPTS) from error


def one_thread() -> None:
    """A worker has one core."""
    os.environ["OMP_NUM_THREADS"] = "1"


def given_out(
    pool: ProcessPoolExecutor, most: int, task: Task[Ask, Result], job: Job, asks: dict[int, Ask]
) -> Iterator[tuple[int, Result]]:
    """At most some at a time; raises BrokenProcessPool when a process dies."""
    waiting = iter(list(asks.items()))
    running: dict[Any, int] = {}
    while True:
        while len(running) < most and (following := next(waiting, None)) is not None:
            running[pool.submit(task, job, following[1])] = following[0]
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for one in done:
            yield running.pop(one), one.result()


class Ray:
    """Tasks of a Ray cluster, in the order of an explicit plan; Ray gives a task out again when its worker or node is lost."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def each(self, task: Task[Ask, Result], job: Job, asks: Sequence[Ask]) -> Iterator[tuple[int, Result]]:
        ray = self._ray
        remote = ray.remote(num_cpus=1, max_retries=ATTEMPTS)(task)
        shared = ray.put(job)
        waiting = iter(enumerate(asks))
        running: dict[Any, int] = {}
        while True:
            most = WAITING * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while len(running) < most and (following := next(waiting, None)) is not None:
                running[remote.remote(shared, following[1])] = following[0]
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            for one in done:
                try:
                    yield running[one], ray.get(one)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from error
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
                    raise WorkerFailureError(task.__name__, ATTEMPTS) from error
                del running[one]


def engine(name: EngineName, address: str | None = None, workers: int | None = None) -> AbstractContextManager[Engine]:
    """The engine of that name.

    address: of a Ray cluster that runs already (`auto`: this machine's); without it, one is begun here and ended. workers: of
    `processes`, and of a cluster that is begun here; by default as many as the machine has cores.
    """
    if name == "ray":
        return on_ray(address, workers)
    return nullcontext(Local() if name == "local" else Processes(workers))


def answering(address: str | None) -> None:
    """Ray itself tries an address for minutes; here it is asked once. Raises OSError."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def on_ray(address: str | None, workers: int | None) -> Iterator[Engine]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
    try:
        import ray
    except ImportError as error:
        raise RayMissingError from error
    ours = not ray.is_initialized()
    begun: dict[str, Any] = {} if address else {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    if ours:
        try:
            answering(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **begun)
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterUnavailableError(address or "this machine", str(error)) from error
    try:
        yield Ray(ray)
    finally:
        if ours:
            ray.shutdown()
