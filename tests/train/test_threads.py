"""torch uses as many threads as this process has cores, unless the user has set a number."""

import pytest
import torch

from train import threads
from train.threads import keep_threads_within_quota


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    numbers: list[int] = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 32)
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    return numbers


@pytest.mark.parametrize(("cores", "expected"), [(1, [1]), (8, [8]), (32, []), (64, [])])
def test_it_is_lowered_to_the_cores_and_never_raised(
    asked: list[int], monkeypatch: pytest.MonkeyPatch, cores: int, expected: list[int]
) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: cores)
    keep_threads_within_quota()
    assert asked == expected


def test_a_number_that_the_user_has_set_stays(
    asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    keep_threads_within_quota()
    assert asked == []
