"""Mutants of the code that checks: one small change each, such as a turned comparison, drawn by cosmic-ray."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

__all__ = ["TARGETS", "Mutant", "all_mutants", "install"]

_TOP = Path(__file__).resolve().parents[4]

#: Modules that check, and the tests that must notice when one of them is wrong.
TARGETS = {
    "edge_infer.decision": ("tests/edge_infer/test_decision.py",),
    "edge_infer.atomic": ("tests/edge_infer/test_atomic.py",),
    "edge_infer.bundle": (
        "tests/edge_infer/test_bundle_facts.py",
        "tests/edge_infer/test_bundle.py",
    ),
    "edge_infer.bundle_files": (
        "tests/edge_infer/test_bundle_files.py",
        "tests/edge_infer/test_bundle.py",
    ),
    "edge_infer.contract_check": (
        "tests/edge_infer/test_contract_check.py",
        "tests/edge_infer/test_bundle.py",
    ),
    "edge_infer.graph_facts": ("tests/edge_infer/test_graph_facts.py",),
    "edge_infer.model_file": ("tests/edge_infer/test_model_file.py",),
    "edge_infer.self_test": ("tests/edge_infer/test_self_test.py",),
    "export.int8.gate": ("tests/export/int8/test_gate.py",),
    "export.int8.negative_flips": (
        "tests/export/int8/test_negative_flips.py",
        "tests/export/int8/test_gate.py",
        "tests/export/int8/test_corrupted_gate.py",
    ),
    "export.int8.margins": (
        "tests/export/int8/test_margins.py",
        "tests/export/int8/test_gate.py",
        "tests/export/int8/test_corrupted_gate.py",
    ),
    "export.int8.corrupted_gate": ("tests/export/int8/test_corrupted_gate.py",),
}

_OPERATORS = (
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
    "core/ExceptionReplacer",
    "core/ReplaceComparisonOperator_Eq_NotEq",
    "core/ReplaceComparisonOperator_NotEq_Eq",
    "core/ReplaceComparisonOperator_Lt_LtE",
    "core/ReplaceComparisonOperator_LtE_Lt",
    "core/ReplaceComparisonOperator_Gt_GtE",
    "core/ReplaceComparisonOperator_GtE_Gt",
    "core/ReplaceBinaryOperator_Add_Sub",
    "core/ReplaceBinaryOperator_Sub_Add",
)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One changed module.

    Attributes:
        module: Its dotted name.
        operator: What was changed, in cosmic-ray's words.
        occurrence: The how-manieth place in the module where that can be done.
    """

    module: str
    operator: str
    occurrence: int

    @property
    def tests(self) -> Sequence[str]:
        """The tests that should notice."""
        return TARGETS[self.module]

    def source(self) -> str | None:
        """Return the changed source; None if there are fewer places."""
        changed: str | None = mutate_code(
            _source(self.module), get_operator(self.operator)(), self.occurrence
        )
        return changed


@cache
def all_mutants() -> tuple[Mutant, ...]:
    """Return all mutants, mixed by a hash, so that the first ones are a fair sample of all modules."""
    found = [each for module in TARGETS for name in _OPERATORS for each in _of(module, name)]
    return tuple(sorted(found, key=lambda each: hashlib.sha256(repr(each).encode()).digest()))


def install(mutant: Mutant, source: str) -> None:
    """Import the mutant instead of the module; the module must not be imported yet."""
    if mutant.module in sys.modules:
        raise ValueError(f"{mutant.module} is imported already")
    sys.meta_path.insert(0, _Finder(mutant.module, source))
    # Now, and not when a test asks for it: pytest's own finder goes first, and takes self_test.py for a test.
    importlib.import_module(mutant.module)


def _of(module: str, name: str) -> Iterator[Mutant]:
    operator = get_operator(name)()
    places = sum(1 for node in ast_nodes(_tree(module)) for _ in operator.mutation_positions(node))
    yield from (Mutant(module=module, operator=name, occurrence=place) for place in range(places))


@cache
def _tree(module: str) -> Any:
    return get_ast(_source(module))


@cache
def _source(module: str) -> str:
    return (_TOP / f"{module.replace('.', '/')}.py").read_text("utf-8")


class _Finder(MetaPathFinder):
    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname != self._module:
            return None
        file = str(_TOP / f"{fullname.replace('.', '/')}.py")
        return importlib.util.spec_from_file_location(
            fullname, file, loader=_Loader(file, self._source)
        )


class _Loader(SourceLoader):
    def __init__(self, file: str, source: str) -> None:
        self._file = file
        self._source = source

    def get_filename(self, fullname: str) -> str:
        del fullname
        return self._file

    def get_data(self, path: str) -> bytes:
        if path != self._file:
            raise OSError(path)  # no cached bytecode of the module as it is
        return self._source.encode()
