"""How events reach the stream: as files of a landing folder, or as records of a topic."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from bench.kafka_broker import kafka
from bench.processes import python_with

TOPIC = "shop-events"
_CLIENT = "kafka-python==3.0.12"


class Feed(Protocol):
    """Takes the events of a second."""

    def land(self, name: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Let events arrive."""


class FolderFeed:
    """A file a second, as a shop writes it."""

    def __init__(self, folder: Path) -> None:
        """Files land in `folder`, whole."""
        self._folder = folder

    def land(self, name: str, events: Sequence[Mapping[str, Any]]) -> None:
        """A file lands."""
        draft = self._folder.parent / f".{name}.draft"
        draft.write_text("\n".join(map(json.dumps, events)) + "\n")
        draft.rename(self._folder / f"{name}.jsonl")


class TopicFeed:
    """A record an event, by a program of its own."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        """`program` sends the lines of its standard input."""
        self._program = program

    def land(self, name: str, events: Sequence[Mapping[str, Any]]) -> None:
        """Records are sent."""
        del name
        pipe = self._program.stdin
        assert pipe is not None
        pipe.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))
        pipe.flush()


@contextmanager
def open_topic(folder: Path) -> Iterator[tuple[str, TopicFeed]]:
    """A broker with its data in `folder` and a program that sends to its topic: its address, and the feed."""
    script = Path(__file__).with_name("kafka_producer.py")
    with kafka(folder) as broker:
        command = [str(python_with("kafka", _CLIENT)), str(script), broker, TOPIC]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as program:
            yield broker, TopicFeed(program)
