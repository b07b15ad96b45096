"""One thread that fetches, measures and stores a frame while the focuser already moves on."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

from autofocus.ports import Clock

T = TypeVar("T")
POLL_S = 0.02


class Worker(Protocol):
    """Does jobs in the order they were given."""

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Begin, or queue, a job."""

    def close(self) -> None:
        """Take no more jobs."""


class InlineWorker:
    """Does each job at once, in the caller's thread: what a virtual clock needs."""

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Do the job; its error waits in the future, as a thread's would."""
        future: Future[T] = Future()
        _fulfil(future, job)
        return future

    def close(self) -> None:
        """Nothing to end."""


class ThreadWorker:
    """Does the jobs in one daemon thread: a download that hangs cannot keep the process from ending."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="autofocus-frames", daemon=True).start()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Queue the job."""
        future: Future[T] = Future()
        self._jobs.put(lambda: _fulfil(future, job))
        return future

    def close(self) -> None:
        """End the thread after the jobs it has."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _fulfil(future: Future[T], job: Callable[[], T]) -> None:
    try:
        future.set_result(job())
    except BaseException as fault:  # noqa: BLE001  it is raised where the result is asked for
        future.set_exception(fault)


def wait_for(future: Future[T], clock: Clock) -> T:
    """The job's result; a stop request ends the wait, as it ends every other."""
    while not future.done():
        clock.sleep(POLL_S)
    return future.result()
