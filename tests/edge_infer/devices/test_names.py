"""Devices are named as people write them, and nothing else is one."""

import pytest
from click.testing import CliRunner

from edge_infer.cli import main
from edge_infer.devices.names import DEVICE_FORMS, DeviceName, parse_device


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu", DeviceName("cpu")),
        ("cuda", DeviceName("cuda", "0")),
        ("cuda:3", DeviceName("cuda", "3")),
        ("cuda:03", DeviceName("cuda", "3")),
        ("openvino", DeviceName("openvino", "CPU")),
        ("openvino:GPU", DeviceName("openvino", "GPU")),
        ("openvino:GPU.1", DeviceName("openvino", "GPU.1")),
        ("openvino:NPU", DeviceName("openvino", "NPU")),
        ("directml", DeviceName("directml", "0")),
        ("auto", DeviceName("auto")),
    ],
)
def test_known_names_are_read(text: str, expected: DeviceName) -> None:
    assert parse_device(text) == expected
    assert parse_device(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cuda:123", "cuda:\u0663"),
        *("cpu:0", "auto:cuda", "openvino:", "openvino:cpu", "openvino:AUTO", "openvino:GPU."),
        "directml:GPU",
    ],
)
def test_other_names_are_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected cpu, cuda, cuda:N, openvino"):
        parse_device(text)


def test_every_form_that_the_help_lists_is_known() -> None:
    for form in DEVICE_FORMS.replace(" or ", ", ").split(", "):
        assert parse_device(form.replace("N", "1") if form != "openvino:NPU" else form)


def test_an_unknown_device_is_a_usage_error_of_the_command() -> None:
    result = CliRunner().invoke(main, ["--device", "tpu", "scan.png"])
    assert result.exit_code == 2
    assert "device is 'tpu', expected cpu" in result.stderr
