"""All tables of the lakehouse, by name."""

from clvspark.activation.tables import TABLES as ACTIVATION
from clvspark.audiences.decisions.tables import TABLES as DECISIONS
from clvspark.audiences.moments.tables import TABLES as MOMENTS
from clvspark.audiences.tables import TABLES as AUDIENCES
from clvspark.clv.tables import TABLES as CLV
from clvspark.history.tables import TABLES as HISTORY
from clvspark.identity.tables import TABLES as IDENTITY
from clvspark.lakehouse.run_log import TABLES as OPS
from clvspark.lakehouse.table import Table
from clvspark.measurement.tables import TABLES as MEASUREMENT
from clvspark.privacy.tables import TABLES as PRIVACY
from clvspark.reporting.tables import TABLES as REPORTING
from clvspark.sources.tables import TABLES as SOURCES

TABLES: dict[str, Table] = {
    table.name: table
    for room in (
        SOURCES,
        IDENTITY,
        HISTORY,
        CLV,
        AUDIENCES,
        DECISIONS,
        MOMENTS,
        ACTIVATION,
        MEASUREMENT,
        REPORTING,
        PRIVACY,
        OPS,
    )
    for table in room
}
