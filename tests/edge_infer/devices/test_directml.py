"""DirectML is asked for where an onnxruntime has it; no machine here does."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from pretend_runtime import CPU, pretend
from tiny_bundle import SIZE, tiny_model

from edge_infer.devices.directml import DIRECTML
from edge_infer.errors import ProviderUnavailable
from edge_infer.session import Session, open_session

MODEL = tiny_model().SerializeToString()
PIXELS = np.zeros((1, 3, SIZE, SIZE), np.float32)


def test_where_there_is_none_the_message_says_which_wheel_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend(monkeypatch)
    with pytest.raises(ProviderUnavailable, match=DIRECTML) as caught:
        open_session(MODEL, device="directml")
    assert caught.value.exit_code == 81
    assert "onnxruntime-windowsml" in caught.value.hint


def most_at_once(session: Session, running: list[int]) -> int:
    threads = [threading.Thread(target=session.run, args=(PIXELS,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return max(running)


@pytest.mark.parametrize(("device", "most"), [("directml:1", 1), ("cpu", 4)])
def test_its_sessions_run_one_image_at_a_time(
    monkeypatch: pytest.MonkeyPatch, device: str, most: int
) -> None:
    runtime = pretend(monkeypatch, available=[DIRECTML, CPU])
    session = open_session(MODEL, device=device)
    if device != "cpu":
        assert runtime.providers == [[(DIRECTML, {"device_id": "1"}), CPU]]
    inside, seen, together = [0], [0], threading.Barrier(most)
    real_run = session._inference_session.run

    def run(*given: Any) -> Any:
        inside[0] += 1
        seen.append(inside[0])
        together.wait(10)  # on the CPU all four are in it at once
        time.sleep(0.01)
        inside[0] -= 1
        return real_run(*given)

    monkeypatch.setattr(session._inference_session, "run", run, raising=False)
    if device == "cpu":
        assert most_at_once(session, seen) > 1
    else:
        assert most_at_once(session, seen) == 1
