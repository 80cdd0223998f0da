"""What can go wrong with a lifetime-value model, as types a caller can catch.

Every message says what is wrong, what is allowed and what to do next. It counts rows and
names columns and parameters; it never shows the values of a customer.
"""


class ClvModelError(Exception):
    """Root of all errors of the lifetime-value models."""


class InvalidSummaryError(ClvModelError, ValueError):
    """The summary lacks a column, or rows of it contradict its definition."""


class InvalidArgumentError(ClvModelError, ValueError):
    """An argument of a model method lies outside what the method is defined for."""


class DegenerateDataError(ClvModelError, ValueError):
    """The rows are valid one by one, but together they cannot identify the model."""


class TooManyGroupsError(ClvModelError, RuntimeError):
    """The distinct groups of a Spark summary exceed what the driver may collect."""


class ConvergenceError(ClvModelError, RuntimeError):
    """The likelihood has no maximum that the optimiser can vouch for."""


class NotFittedError(ClvModelError, RuntimeError):
    """A prediction was asked of a model that has no parameters yet."""


class InfiniteMeanError(ClvModelError, ValueError):
    """The fitted spend distribution has no finite mean, or none that the data tell, for some of the customers."""


class InvalidModelDocumentError(ClvModelError, ValueError):
    """A stored model cannot be read: wrong kind, version, or parameters."""


class SpendFrequencyCorrelationWarning(UserWarning):
    """Spend depends on frequency, which the Gamma-Gamma model assumes it does not."""


class InfiniteMeanWarning(UserWarning):
    """The data of the Gamma-Gamma model do not rule out q <= 1: average spend may be infinite."""
