"""Task engines: the current process, local worker processes, or a Ray cluster.

Results arrive in any order. A task whose worker died is submitted again.
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

from pellucid.core.errors import MissingDependencyError
from pellucid.distributed.errors import ClusterUnavailableError, WorkerFailureError
from pellucid.distributed.job import Job

EngineName = Literal["local", "processes", "ray"]
ENGINES: tuple[EngineName, ...] = ("local", "processes", "ray")

MAX_ATTEMPTS = 4
"""Number of times a worker may die during a task before the evaluation fails."""
TASKS_PER_WORKER = 4
"""Tasks submitted per worker at a time. The limit matters because a plan may have many thousands.
"""

TaskInput = TypeVar("TaskInput")
TaskResult = TypeVar("TaskResult")
Task = Callable[[Job, TaskInput], TaskResult]


class Engine(Protocol):
    def run_tasks(
        self, task: Task[TaskInput, TaskResult], job: Job, task_inputs: Sequence[TaskInput]
    ) -> Iterator[tuple[int, TaskResult]]:
        """Run the task for each input. Yields the index of the finished input and its result."""
        ...


class LocalEngine:
    """Runs tasks one after another in this process."""

    def run_tasks(
        self, task: Task[TaskInput, TaskResult], job: Job, task_inputs: Sequence[TaskInput]
    ) -> Iterator[tuple[int, TaskResult]]:
        for task_index, task_input in enumerate(task_inputs):
            yield task_index, task(job, task_input)


class ProcessEngine:
    """Runs tasks in one process per core. If a process dies (out of memory, killed), its task is
    run again."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def run_tasks(
        self, task: Task[TaskInput, TaskResult], job: Job, task_inputs: Sequence[TaskInput]
    ) -> Iterator[tuple[int, TaskResult]]:
        pending = dict(enumerate(task_inputs))
        failures = 0
        while pending:
            pending_before = len(pending)
            with ProcessPoolExecutor(self.workers, get_context("spawn"), limit_threads) as pool:
                try:
                    for task_index, result in submit_tasks(
                        pool, TASKS_PER_WORKER * self.workers, task, job, pending
                    ):
                        del pending[task_index]
                        yield task_index, result
                except BrokenProcessPool as error:
                    failures = failures + 1 if len(pending) == pending_before else 0
                    if failures >= MAX_ATTEMPTS:
                        raise WorkerFailureError(task.__name__, MAX_ATTEMPTS) from error


def limit_threads() -> None:
    """Limit a worker process to one OpenMP thread."""
    os.environ["OMP_NUM_THREADS"] = "1"


def submit_tasks(
    pool: ProcessPoolExecutor,
    max_running: int,
    task: Task[TaskInput, TaskResult],
    job: Job,
    task_inputs: dict[int, TaskInput],
) -> Iterator[tuple[int, TaskResult]]:
    """Keep at most `max_running` tasks submitted. Raises BrokenProcessPool if a process dies."""
    queue = iter(list(task_inputs.items()))
    running: dict[Any, int] = {}
    while True:
        while len(running) < max_running and (queued := next(queue, None)) is not None:
            running[pool.submit(task, job, queued[1])] = queued[0]
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            yield running.pop(future), future.result()


class RayEngine:
    """Runs tasks on a Ray cluster, submitted in input order. Ray retries a task if its worker or
    node is lost."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray

    def run_tasks(
        self, task: Task[TaskInput, TaskResult], job: Job, task_inputs: Sequence[TaskInput]
    ) -> Iterator[tuple[int, TaskResult]]:
        ray = self._ray
        remote_task = ray.remote(num_cpus=1, max_retries=MAX_ATTEMPTS)(task)
        job_ref = ray.put(job)
        queue = iter(enumerate(task_inputs))
        running: dict[Any, int] = {}
        while True:
            max_running = TASKS_PER_WORKER * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while len(running) < max_running and (queued := next(queue, None)) is not None:
                running[remote_task.remote(job_ref, queued[1])] = queued[0]
            if not running:
                return
            done, _ = ray.wait(list(running), num_returns=1)
            for result_ref in done:
                try:
                    yield running[result_ref], ray.get(result_ref)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause from error
                except (
                    ray.exceptions.WorkerCrashedError,
                    ray.exceptions.OutOfMemoryError,
                ) as error:
                    raise WorkerFailureError(task.__name__, MAX_ATTEMPTS) from error
                del running[result_ref]


def create_engine(
    engine_name: EngineName, address: str | None = None, workers: int | None = None
) -> AbstractContextManager[Engine]:
    """Create the engine with that name.

    Args:
        address: of a running Ray cluster (`auto`: on this machine); without it, a local cluster is
            started and stopped
        workers: for `processes` and a local Ray cluster; default: the number of cores
    """
    if engine_name == "ray":
        return ray_engine(address, workers)
    return nullcontext(LocalEngine() if engine_name == "local" else ProcessEngine(workers))


def check_reachable(address: str | None) -> None:
    """Test the connection once, as Ray would retry for minutes. Raises OSError."""
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


@contextmanager
def ray_engine(address: str | None, workers: int | None) -> Iterator[Engine]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # disable telemetry
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError("ray", "The engine 'ray'", "ray") from error
    owns_ray = not ray.is_initialized()
    init_options: dict[str, Any] = (
        {}
        if address
        else {"num_cpus": workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    )
    if owns_ray:
        try:
            check_reachable(address)
            ray.init(
                address=address, log_to_driver=False, logging_level=logging.ERROR, **init_options
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterUnavailableError(address or "this machine", str(error)) from error
    try:
        yield RayEngine(ray)
    finally:
        if owns_ray:
            ray.shutdown()
