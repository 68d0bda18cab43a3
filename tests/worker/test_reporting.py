"""What is done again and again in a thread."""

import threading

from worker.reporting import Every


def test_it_can_be_stopped_before_it_has_begun() -> None:
    Every(1.0, lambda: None, "never").__exit__()


def test_it_is_done_at_once_and_again_until_it_is_closed() -> None:
    times = threading.Semaphore(0)
    with Every(0.01, lambda: times.release(), "often"):
        for _ in range(3):
            assert times.acquire(timeout=20)
