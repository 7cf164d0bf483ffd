import threading

from ledger.background import background


def test_work_is_done_again_and_again_and_once_more_at_the_end() -> None:
    done, twice = [], threading.Event()

    def work() -> None:
        done.append(threading.current_thread().name)
        if len(done) >= 2:
            twice.set()

    with background([work], seconds=0.01):
        assert twice.wait(20)
    assert set(done) == {"background"}
    last = len(done)
    with background([work], seconds=60):
        pass
    assert len(done) == last + 1


def test_work_that_fails_is_tried_again_and_ends_nothing() -> None:
    tried: list[int] = []
    done = threading.Event()

    def fails() -> None:
        tried.append(1)
        raise ValueError

    def works() -> None:
        if len(tried) >= 2:
            done.set()

    with background([fails, works], seconds=0.01):
        assert done.wait(20)
