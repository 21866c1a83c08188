"""Moved to edge_infer.series_rule; this file goes."""

from edge_infer.series_rule import RULE, RuleScore, SeriesRule, read_series_rule, score_of

__all__ = ["RULE", "RuleScore", "SeriesRule", "read_series_rule", "score_of"]
