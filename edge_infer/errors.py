"""Every error a user can meet, each with a stable code and exit code.

    BrainError
    ├── InputError            what was given to be classified or trained on
    │   ├── UnreadableInput   20   ├── NoInputs        21   ├── CorruptImage   22
    │   ├── UnsupportedImage  23   ├── InputOverLimit  24   ├── ScanRefused    25
    │   ├── DataRefused       26   ├── HostOutOfStep   27   └── ProcessDied    28
    ├── BundleError           the model
    │   ├── BundleIncomplete  30   ├── BundleIntegrity 31 (BundleUntrusted 31 is one)
    │   ├── BundleIncompatible 32  ├── ContentRefused  33
    │   └── UnknownModel      34
    ├── OutputError           what is to be written
    │   ├── CannotWrite       40   └── OutputLocked    41
    └── RunError              what happens while running
        ├── InferenceFailed   80   ├── ProviderUnavailable 81   ├── TimedOut       82
        ├── NonFiniteOutput   83   ├── SelfTestFailed      84   ├── ParityFailed   85
        ├── QualityGateFailed 86   ├── MissingDependency   87   └── ProcessLost    88

Exit codes follow DCMTK's ranges (ofexit.h: 20-39 input, 40-59 output, 80-99 processing). 0 is success,
2 a usage error (click), 100 a batch in which some files failed, 101 an answer that is not accepted where
``--fail-on-abstain`` asks for that, 130 and 143 signals. **1 means a bug.**

A message names the thing, what was found, what was expected and, as ``hint``, what to do. Messages carry
file names as given, never file content: images and headers may hold patient data.
"""

from typing import ClassVar, Self

from edge_infer.refusals import Refusal

__all__ = [
    "EXIT_ABSTAINED",
    "EXIT_BATCH_WITH_FAILURES",
    "BrainError",
    "BundleError",
    "BundleIncompatible",
    "BundleIncomplete",
    "BundleIntegrity",
    "BundleUntrusted",
    "CannotWrite",
    "ContentRefused",
    "CorruptImage",
    "DataRefused",
    "HostOutOfStep",
    "InferenceFailed",
    "InputError",
    "InputOverLimit",
    "MissingDependency",
    "NoInputs",
    "NonFiniteOutput",
    "OutputError",
    "OutputLocked",
    "ParityFailed",
    "ProcessDied",
    "ProcessLost",
    "ProviderUnavailable",
    "QualityGateFailed",
    "RunError",
    "ScanRefused",
    "SelfTestFailed",
    "TimedOut",
    "UnknownModel",
    "UnreadableInput",
    "UnsupportedImage",
]

EXIT_BATCH_WITH_FAILURES = 100
EXIT_ABSTAINED = 101


class BrainError(Exception):
    """Base of all errors a user can act on.

    Attributes:
        code: Stable name for machines, as printed in JSON.
        exit_code: Exit status of the commands.
        hint: What to do about it; may be empty.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    @property
    def message(self) -> str:
        """The message without the hint."""
        return str(self.args[0])

    def without_frames(self) -> Self:
        """Return the error, to be kept, without where it was raised: those frames hold the content of files."""
        self.__context__ = self.__cause__ = None
        return self.with_traceback(None)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class InputError(BrainError):
    """Something is wrong with what was given."""


class UnreadableInput(InputError):
    """The file is missing, not a regular file, or may not be read."""

    code = "unreadable"
    exit_code = 20


class NoInputs(InputError):
    """There was nothing to work on."""

    code = "no_inputs"
    exit_code = 21


class CorruptImage(InputError):
    """The file is damaged or is no image."""

    code = "corrupt"
    exit_code = 22


class UnsupportedImage(InputError):
    """The image is of a kind that is not accepted."""

    code = "unsupported"
    exit_code = 23


class InputOverLimit(InputError):
    """The file or image is larger than the stated limit."""

    code = "over_limit"
    exit_code = 24


class ScanRefused(InputError):
    """The scan is intact, but not one that the model may be asked about, or no image at all.

    Attributes:
        refusal: Which kind of scan it is.
    """

    code = "scan_refused"
    exit_code = 25

    def __init__(self, message: str, *, refusal: Refusal, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.refusal = refusal


class DataRefused(InputError):
    """The data set leaks, contradicts itself or has unknown classes."""

    code = "data_refused"
    exit_code = 26


class HostOutOfStep(InputError):
    """A host program's requests cannot be told apart any more, or host and worker share no version (--serve-stdio)."""

    code = "out_of_step"
    exit_code = 27


class ProcessDied(InputError):
    """Reading or classifying it ended the process, twice; brain-batch goes on without it."""

    code = "process_died"
    exit_code = 28


class BundleError(BrainError):
    """Something is wrong with the model bundle or checkpoint."""


class BundleIncomplete(BundleError):
    """A file or field is missing."""

    code = "bundle_incomplete"
    exit_code = 30


class BundleIntegrity(BundleError):
    """A file is not the one the manifest describes."""

    code = "bundle_integrity"
    exit_code = 31


class BundleUntrusted(BundleIntegrity):
    """A signature was asked for, and no trusted key has signed the bundle as it is."""

    code = "bundle_untrusted"


class BundleIncompatible(BundleError):
    """The bundle or checkpoint does not fit this package, the runtime or the model."""

    code = "bundle_incompatible"
    exit_code = 32


class ContentRefused(BundleError):
    """The model holds something that is never allowed, such as external data."""

    code = "content_refused"
    exit_code = 33


class UnknownModel(BundleError):
    """There is no model of this name, or the model cannot be built with these sizes."""

    code = "unknown_model"
    exit_code = 34


class OutputError(BrainError):
    """Something is wrong with where the output goes."""


class CannotWrite(OutputError):
    """The output cannot be written; what was there before is unharmed."""

    code = "cannot_write"
    exit_code = 40


class OutputLocked(OutputError):
    """Another process is writing the same output."""

    code = "locked"
    exit_code = 41


class RunError(BrainError):
    """Something failed while running."""


class InferenceFailed(RunError):
    """The runtime failed on this input, or its installation is broken."""

    code = "inference_failed"
    exit_code = 80


class ProviderUnavailable(RunError):
    """The execution provider that was asked for is not available."""

    code = "provider_unavailable"
    exit_code = 81


class TimedOut(RunError):
    """It took longer than allowed."""

    code = "timed_out"
    exit_code = 82


class NonFiniteOutput(RunError):
    """The model gave NaN or infinity."""

    code = "non_finite"
    exit_code = 83


class SelfTestFailed(RunError):
    """The bundle does not give its known answers on this machine."""

    code = "self_test_failed"
    exit_code = 84


class ParityFailed(RunError):
    """The exported graph does not give what PyTorch gives."""

    code = "parity_failed"
    exit_code = 85


class QualityGateFailed(RunError):
    """The quantized model is not good enough to be written, or a new bundle changes more than stated limits allow."""

    code = "quality_gate_failed"
    exit_code = 86


class MissingDependency(RunError):
    """A package that the command needs is not installed."""

    code = "missing_dependency"
    exit_code = 87


class ProcessLost(RunError):
    """Another of the processes that train together has ended or cannot be reached."""

    code = "process_lost"
    exit_code = 88
