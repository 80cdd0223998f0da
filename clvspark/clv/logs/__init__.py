"""CLV models for any transaction log, a CSV or Parquet file, in one process without Spark.

with open_log("sales.csv", LogColumns("customer", "day", "amount")) as log:
split = split_log(log, time_unit="week", calibration_end=date(2024, 6, 30))
found = fit_log(split, "pareto_nbd")      # found.model, found.holdout, found.to_dict()
table = compare_models(split, ["bg_nbd", "pareto_nbd"])
"""

from clvspark.clv.logs.columns import LogColumns
from clvspark.clv.logs.compare import compare_models
from clvspark.clv.logs.fit import LogFit, fit_log
from clvspark.clv.logs.read import TransactionLog, open_log
from clvspark.clv.logs.split import SplitLog, split_log
from clvspark.clv.logs.summarise import summarise_periods, summarise_purchases

__all__ = [
    "LogColumns",
    "LogFit",
    "SplitLog",
    "TransactionLog",
    "compare_models",
    "fit_log",
    "open_log",
    "split_log",
    "summarise_periods",
    "summarise_purchases",
]
