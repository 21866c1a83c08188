"""What schemathesis makes of the service's own description: requests that keep to it, and requests that do not."""

import json
from collections.abc import Callable
from typing import Any

from reliability.campaign import Broken, Seen

from edge_infer.service.routes import OPENAPI

__all__ = ["ask_generated"]


def ask_generated(url: str, number: int, *, examples: int) -> Seen:
    """Ask each operation so often; the number decides what.

    Raises:
        Broken: A response is an error of the server, or the document does not tell of it.
    """
    # Heavy, and needed by few trials.
    import schemathesis
    from schemathesis.core.failures import Failure, FailureGroup

    loaded = schemathesis.openapi.from_dict(_document())
    asked: list[int] = []
    for result in loaded.get_all_operations():
        operation = result.ok()

        def check(case: Any) -> None:
            response = case.call(base_url=url, timeout=10)
            asked.append(response.status_code)
            if response.status_code >= 500 and response.status_code != 503:
                raise Broken(f"{case.method} {case.path}: answered with {response.status_code}")
            try:
                # Which bytes are an image the document cannot tell.
                case.validate_response(response, excluded_checks=[_accepts_all()])
            except (Failure, FailureGroup) as error:
                kinds = {one.title for one in getattr(error, "exceptions", [error])}
                raise Broken(f"{case.method} {case.path}: {', '.join(sorted(kinds))}") from None

        _for_many(operation, check, number, examples)
    return Seen(kind="as the document says", tries=len(asked))


def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return found


def _accepts_all() -> Any:
    from schemathesis.checks import load_all_checks
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    load_all_checks()
    return positive_data_acceptance


def _for_many(operation: Any, check: Callable[[Any], None], number: int, examples: int) -> None:
    import hypothesis
    from hypothesis import HealthCheck, Phase
    from schemathesis import GenerationMode

    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    strategies = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]
    run = hypothesis.given(hypothesis.strategies.one_of(strategies))(check)
    settings(hypothesis.seed(number)(run))()
