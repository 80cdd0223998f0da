"""Sends the lines of standard input to a topic. Runs in an environment of its own: only this needs a client of Kafka.

python kafka_producer.py BROKER TOPIC
"""

from __future__ import annotations

import sys

from kafka import KafkaProducer  # type: ignore[import-not-found]


def main() -> None:
    """Send every line as soon as it is there; end with the input."""
    broker, topic = sys.argv[1:]
    producer = KafkaProducer(bootstrap_servers=broker, linger_ms=20, acks="all")
    for line in sys.stdin.buffer:
        producer.send(topic, line.rstrip(b"\n"))
    producer.flush()


if __name__ == "__main__":
    main()
