"""A worker's process, seen from within: cases come through a pipe, and what becomes of them goes back through it.

Nothing here imports what reads the environment when it is loaded (OpenMP): that comes with the job.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, Any

from ivos.errors import InputError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def serve(pipe: Connection, threads: int) -> None:
    """Take a job, then cases, until None comes; end at once when the parent is gone.

    What is sent: ``("open", None)``, or ``("closed", reason)`` where the job cannot be opened; then ``("begun", case)``
    and ``("ended", outcome)``.

    Args:
        pipe: to the parent; sends the job, the output folder and the worker's name first.
        threads: for computing.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    silence_libraries()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # workers that wait busily take the cores from each other
    from ivos.cohort.backends.pipeline import Pipeline

    job, output, name = pipe.recv()
    lock = threading.Lock()

    def tell(*message: Any) -> None:
        with lock:
            pipe.send(message)

    try:
        line = Pipeline(job, output, name, prepare=lambda: limit_threads(threads))
    except InputError as error:
        tell("closed", str(error))
        return
    tell("open", None)
    while (case := pipe.recv()) is not None:
        outcome = line.submit(case, begun=lambda case=case: tell("begun", case))  # type: ignore[misc]
        outcome.add_done_callback(lambda future: tell("ended", future.result()))
    line.close()


def silence_libraries() -> None:
    """Keep pydicom from telling of odd headers, patients' names among them; what matters the case's reason says."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")


def limit_threads(threads: int) -> None:
    """Threads of libraries that are loaded already: for them the environment comes too late, or says nothing."""
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
