"""One HTML file about training runs: how they learned, what they answer, what may be concluded."""

from train.report.bundles import BundleFacts, bundles_of_runs
from train.report.data import DataFacts, data_facts
from train.report.runs import RunFacts, read_runs
from train.report.write import write_report

__all__ = [
    "BundleFacts",
    "DataFacts",
    "RunFacts",
    "bundles_of_runs",
    "data_facts",
    "read_runs",
    "write_report",
]
