"""Errors told from process to process."""

import json

from edge_infer.batch.told_errors import as_words, from_words
from edge_infer.errors import BundleUntrusted, CannotWrite, RunError, ScanRefused
from edge_infer.refusals import OVERRULABLE


def test_an_error_arrives_with_its_class_message_and_hint() -> None:
    refused = ScanRefused("is no head", refusal=next(iter(OVERRULABLE)), hint="look")
    for error in (CannotWrite("full", hint="make room"), refused, BundleUntrusted("no key")):
        told = from_words(json.loads(json.dumps(as_words(error))))
        assert (told.code, told.message, told.hint) == (error.code, error.message, error.hint)
        assert told.exit_code == error.exit_code
        assert str(told) == str(error)


def test_an_error_of_a_newer_version_is_still_told() -> None:
    told = from_words({"code": "unheard_of", "message": "new", "hint": ""})
    assert isinstance(told, RunError)
    assert told.message == "new"
