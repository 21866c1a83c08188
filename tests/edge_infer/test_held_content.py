"""The content of a file, held while its slices are read."""

import gc
import threading
import weakref

import pytest

from edge_infer.held_content import HeldContent


class _Big:
    """Something that can be referred to weakly."""


def _counted(*, is_held: bool) -> tuple[HeldContent[_Big], list[int]]:
    loads: list[int] = []

    def load() -> _Big:
        loads.append(1)
        return _Big()

    return HeldContent(load, is_held=is_held), loads


def test_a_file_is_loaded_once_for_all_its_slices() -> None:
    held, loads = _counted(is_held=True)
    assert held.get() is held.get()
    assert len(loads) == 1


def test_a_file_of_one_slice_is_not_held() -> None:
    held, loads = _counted(is_held=False)
    first = weakref.ref(held.get())
    gc.collect()
    assert first() is None
    held.get()
    assert len(loads) == 2


def test_only_the_file_that_was_used_last_is_held() -> None:
    one, loads = _counted(is_held=True)
    other, _ = _counted(is_held=True)
    first = weakref.ref(one.get())
    other.get()
    gc.collect()
    assert first() is None
    one.get()
    assert len(loads) == 2


def test_nothing_is_held_once_nobody_can_ask() -> None:
    held, _ = _counted(is_held=True)
    content = weakref.ref(held.get())
    del held
    gc.collect()
    assert content() is None


def test_a_failure_is_not_held() -> None:
    tries: list[int] = []

    def load() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("at first")
        return "content"

    held = HeldContent(load, is_held=True)
    with pytest.raises(OSError, match="at first"):
        held.get()
    assert held.get() == "content"


def test_threads_wait_for_the_one_that_loads() -> None:
    held, loads = _counted(is_held=True)
    threads = [threading.Thread(target=held.get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
