"""The option ``--device`` of all commands that classify."""

import click

from edge_infer.devices.names import DEVICE_FORMS, parse_device

__all__ = ["device_option"]


class _Device(click.ParamType[str]):
    """The name of a device; an unknown one is a usage error."""

    name = "device"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parse_device(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return value


device_option = click.option(
    "--device",
    metavar="DEVICE",
    type=_Device(),
    default="cpu",
    show_default=True,
    help=f"Processor to run on: {DEVICE_FORMS}. auto takes CUDA for a bundle that is not INT8, if it gives the golden "
    "answers, else the CPU, and says why. A device that is not there is an error (docs/devices.md).",
)
