"""Whole pipelines on a small shop."""

from support.fixtures import common, finished, first_reports, first_seconds, goods

__all__ = ["common", "finished", "first_reports", "first_seconds", "goods"]
