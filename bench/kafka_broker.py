"""A Kafka broker for tests and measurements: one node in KRaft mode, from JARs of Maven Central."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
from filelock import FileLock

from clvspark.lakehouse.runtime import cache_root, ensure_java
from clvspark.lakehouse.runtime.ivy import download
from clvspark.lakehouse.runtime.pins import Jar

_VERSION = "4.1.2"
_KAFKA = (
    "kafka-clients", "kafka-coordinator-common", "kafka-group-coordinator", "kafka-group-coordinator-api",
    "kafka-metadata", "kafka-raft", "kafka-server", "kafka-server-common", "kafka-share-coordinator", "kafka-storage",
    "kafka-storage-api", "kafka-tools-api", "kafka-transaction-coordinator", "kafka_2.13",
)  # fmt: skip
# What the broker needs beside; Scala, logging and compression are PySpark's own.
_OTHERS = (
    Jar("com.dynatrace.hash4j", "hash4j", "0.22.0"),
    Jar("com.fasterxml.jackson.core", "jackson-annotations", "2.19.4"),
    Jar("com.fasterxml.jackson.core", "jackson-core", "2.19.4"),
    Jar("com.fasterxml.jackson.core", "jackson-databind", "2.19.4"),
    Jar("com.fasterxml.jackson.dataformat", "jackson-dataformat-csv", "2.19.4"),
    Jar("com.fasterxml.jackson.dataformat", "jackson-dataformat-yaml", "2.19.4"),
    Jar("com.fasterxml.jackson.datatype", "jackson-datatype-jdk8", "2.19.4"),
    Jar("com.github.ben-manes.caffeine", "caffeine", "3.2.0"),
    Jar("com.google.re2j", "re2j", "1.8"),
    Jar("com.typesafe.scala-logging", "scala-logging_2.13", "3.9.5"),
    Jar("com.yammer.metrics", "metrics-core", "2.2.0"),
    Jar("commons-validator", "commons-validator", "1.10.1"),
    Jar("net.sf.jopt-simple", "jopt-simple", "5.0.4"),
    Jar("net.sourceforge.argparse4j", "argparse4j", "0.7.0"),
    Jar("org.bitbucket.b_c", "jose4j", "0.9.6"),
    Jar("org.hdrhistogram", "HdrHistogram", "2.2.2"),
    Jar("org.pcollections", "pcollections", "4.0.2"),
)
_OF_PYSPARK = (
    "scala-library", "scala-reflect", "log4j-", "slf4j-api", "lz4-java", "snappy-java", "zstd-jni", "snakeyaml",
)  # fmt: skip
_READY = "Kafka Server started"
_PATIENCE_SECONDS = 120


def broker_jars() -> list[Path]:
    """JARs of the broker, downloaded once; SetupError on a machine that cannot have them."""
    jars = [*(Jar("org.apache.kafka", name, _VERSION) for name in _KAFKA), *_OTHERS]
    folder = cache_root() / "jars" / f"kafka-{_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".kafka.lock"):
        missing = [jar for jar in jars if not (folder / jar.file_name).is_file()]
        if missing:
            download(missing, into=folder)
    return [folder / jar.file_name for jar in jars]


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """Start a broker with its data in `folder`; yields ``host:port``, ends with the block.

    SetupError on a machine that has not got its JARs, and cannot download them.
    """
    shipped = Path(pyspark.__file__).parent / "jars"
    own = [path for name in _OF_PYSPARK for path in shipped.glob(f"{name}*.jar")]
    ports = _free_ports(2)
    settings = folder / "server.properties"
    settings.write_text(
        "process.roles=broker,controller\nnode.id=1\n"
        f"controller.quorum.voters=1@127.0.0.1:{ports[1]}\n"
        f"listeners=PLAINTEXT://127.0.0.1:{ports[0]},CONTROLLER://127.0.0.1:{ports[1]}\n"
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{ports[0]}\n"
        "controller.listener.names=CONTROLLER\n"
        f"log.dirs={folder / 'data'}\n"
        "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n"
        "transaction.state.log.min.isr=1\nauto.create.topics.enable=true\nnum.partitions=2\n"
    )
    logging = folder / "log4j2.properties"
    logging.write_text(
        "appender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\n"
        "appender.out.layout.pattern=%p %m%n\nrootLogger.level=INFO\nrootLogger.appenderRef.out.ref=out\n"
    )
    java = [
        str(ensure_java() / "bin" / "java"), "-Xmx256m", "-XX:TieredStopAtLevel=1",
        f"-Dlog4j2.configurationFile={logging.as_uri()}",
        *("-cp", os.pathsep.join(map(str, [*broker_jars(), *own]))),
    ]  # fmt: skip
    identity = "MkU3OEVBNTcwNTJENDM2Qg"
    subprocess.run(
        [*java, "kafka.tools.StorageTool", "format", "-t", identity, "-c", str(settings)],
        check=True,
        capture_output=True,
        timeout=_PATIENCE_SECONDS,
    )
    log = folder / "broker.log"
    with log.open("wb") as out:
        broker = subprocess.Popen(
            [*java, "kafka.Kafka", str(settings)], stdout=out, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_ready(broker, log)
        yield f"127.0.0.1:{ports[0]}"
    finally:
        broker.kill()
        broker.wait(timeout=30)


def _wait_until_ready(broker: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while _READY not in (text := log.read_text(errors="replace")):
        if broker.poll() is not None or time.monotonic() > end:
            raise TimeoutError(f"The broker has ended, or is not ready:\n{text[-2000:]}")
        time.sleep(0.1)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.socket() for _ in range(number)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
