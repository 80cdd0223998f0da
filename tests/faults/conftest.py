"""Faults, made to happen on a small shop."""

from support.fixtures import common, finished, first_reports, goods

__all__ = ["common", "finished", "first_reports", "goods"]
