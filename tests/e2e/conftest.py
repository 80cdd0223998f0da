"""Whole pipelines on a small shop."""

from support.fixtures import begun, common, finished, first_reports, goods, watch

__all__ = ["begun", "common", "finished", "first_reports", "goods", "watch"]
