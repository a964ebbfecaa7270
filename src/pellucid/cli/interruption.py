"""Ctrl+C ends a command with one line and status 130, whatever was running."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

INTERRUPTED = 130
"""Exit status: 128 and the number of SIGINT, as shells have it."""


class Interrupt(KeyboardInterrupt):
    """The user pressed Ctrl+C. A class of its own: where a plain KeyboardInterrupt leaves `exec`
    (and dataclasses use it), Python ends itself by a signal at exit, whoever caught it."""


class InterruptRecorder:
    """Remembers that the user interrupted: libraries replace KeyboardInterrupt by errors of their
    own, such as DuckDB's "Query interrupted"."""

    def __init__(self) -> None:
        self.was_interrupted = False

    def install(self) -> None:
        """From now on, Ctrl+C raises Interrupt, unless it is ignored, as in the jobs of a
        script."""
        if is_handled():
            signal.signal(signal.SIGINT, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.was_interrupted = True
        raise Interrupt


def is_handled() -> bool:
    """Whether this thread may handle signals, and Ctrl+C is not ignored."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) != signal.SIG_IGN


def exit_at_once() -> None:
    """Ctrl+C ends the process, also within an import: nothing is read or written yet."""
    if is_handled():
        signal.signal(signal.SIGINT, exit_while_starting)


def exit_while_starting(number: int, frame: FrameType | None) -> None:
    os.write(2, b"pellucid: interrupted\n")
    os._exit(INTERRUPTED)
