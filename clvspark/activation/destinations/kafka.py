"""A Kafka topic, by Spark's own idempotent producer."""

from __future__ import annotations

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.destinations.sender import Delivery, Receipt, accept_all
from clvspark.activation.destinations.settings import KafkaDestination, read_secret
from clvspark.lakehouse.errors import DeliveryError

KEY_HEADER = "outbox_id"


def send_kafka(lines: DataFrame, delivery: Delivery) -> Receipt:
    """Write one record a line, keyed by a digest of list and address, so that the changes of one are in order.

    The value is the line as JSON, the header ``outbox_id`` its key. All records are acknowledged by all replicas, or
    DeliveryError is raised and the lines are written again by the next run; the header lets a consumer count once.
    """
    destination: KafkaDestination = delivery.destination
    address = F.concat_ws("|", "audience_id", destination.address_column)
    header = F.struct(
        F.lit(KEY_HEADER).alias("key"), F.col("outbox_id").cast("binary").alias("value")
    )
    records = lines.repartition(destination.parallel).select(
        F.sha2(address, 256).alias("key"),
        F.to_json(F.struct(*lines.columns), {"ignoreNullFields": "false"}).alias("value"),
        F.array(header).alias("headers"),
    )
    writer = records.write.format("kafka").options(**_options(destination))
    try:
        writer.option("topic", destination.topic).option("includeHeaders", "true").save()
    except (PySparkException, Py4JJavaError) as error:
        raise DeliveryError(
            f"activation.destinations.{destination.id}: Kafka did not acknowledge all records "
            f"({_reason(error)}); they will be written again. Next step: see that the brokers of bootstrap_servers are "
            "up and the topic may be written, then: clvspark activate"
        ) from None
    return Receipt(accept_all(lines))


def _options(destination: KafkaDestination) -> dict[str, str]:
    milliseconds = round(destination.timeout_seconds * 1000)
    secrets = {
        name: read_secret(destination.id, variable).value
        for name, variable in destination.secret_options.items()
    }
    producer = {
        "acks": "all",
        "enable.idempotence": "true",
        "linger.ms": "5",
        "max.block.ms": str(milliseconds),
        "request.timeout.ms": str(min(milliseconds // 2, 30_000)),
        "delivery.timeout.ms": str(milliseconds),
        **destination.options,
        **secrets,
        "bootstrap.servers": destination.bootstrap_servers,
    }
    return {f"kafka.{name}": value for name, value in producer.items()}


def _reason(error: Exception) -> str:
    """Name of Kafka's exception; the text of an error may hold a record."""
    text = str(error)
    names = [
        word.strip(":,;()").rpartition(".")[2]
        for word in text.split()
        if word.startswith(("org.apache.kafka.", "java.util.concurrent.Timeout"))
        and word.rstrip(":,;()").endswith("Exception")
    ]
    return names[-1] if names else type(error).__name__
