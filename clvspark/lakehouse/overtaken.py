"""Writes that lost against those of another writer, and are done again."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

# Conditions of Delta by which a commit lost against another one.
_OVERTAKEN = re.compile(
    r"DELTA_(CONCURRENT_\w+|METADATA_CHANGED|PROTOCOL_CHANGED|MAX_COMMIT_RETRIES_EXCEEDED)"
)
_TRIES = 5
_PAUSE_SECONDS = 0.5


def is_overtaken(error: BaseException) -> bool:
    """Whether a commit lost against another one."""
    return bool(_OVERTAKEN.search(str(error)))


def write_again(write: Callable[[], object]) -> None:
    """Do a write that reads the table anew whenever it is done; again, a few times, where another one was faster.

    Raises the last error where every try has lost.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            write()
        except (PySparkException, Py4JError) as error:
            if attempt == _TRIES or not is_overtaken(error):
                raise
            # Two that have met shall not meet again at once.
            time.sleep(random.uniform(0, _PAUSE_SECONDS * attempt))  # noqa: S311 - nothing to guess
        else:
            return
