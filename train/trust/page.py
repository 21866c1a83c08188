"""The result as one self-contained HTML file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from edge_infer.names import shown_name
from train.trust import text
from train.trust.charts import accepted_bars, reliability_chart, risk_chart
from train.trust.examples import Example
from train.trust.text import KINDS

__all__ = ["render_page"]


def render_page(result: Mapping[str, Any], examples: Mapping[str, Sequence[Example]]) -> str:
    """Render the page.

    Args:
        result: What trust.json holds.
        examples: Images by name of the set; those of the part under ``part``.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": shown_name}
    part = result["part"]
    # The charts escape what they are given; nothing else in them comes from outside.
    charts = {
        "risk": Markup(risk_chart(part)),  # noqa: S704 -- see above
        "reliability": Markup(reliability_chart(part)),  # noqa: S704
        "bars": Markup(accepted_bars(_bars(result))),  # noqa: S704
    }
    return environment.get_template("page.html.j2").render(
        result=result, text=text, kinds=KINDS, charts=charts, examples=examples
    )


def _bars(result: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    sets = sorted(result["sets"]["each"], key=lambda its: list(KINDS).index(its["kind"]))
    return [
        ("the part", "part", result["part"]["decisions"]["accepted"]),
        *((shown_name(its["name"]), its["kind"], its["accepted"]) for its in sets),
    ]
