"""Contracts of the tables `activation.*`."""

from clvspark.lakehouse.table import Column, Table

_AUDIENCE = Column("audience_id", "string", key=True, references="audiences.definition")
_DESTINATION = Column("destination_id", "string", key=True)

HOLDOUT = Table(
    "activation.holdout",
    "Group of every person who came up for activation; the group never changes.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column(
            "split_group", "string", required=True, check="split_group IN ('treatment', 'holdout')"
        ),
        Column("assigned_on", "date", "as_of date of the first assignment", required=True),
        Column("stratum", "string", "that the person was dealt in; NULL: dealt by hash alone"),
    ),
)
CAMPAIGN_HOLDOUT = Table(
    "activation.campaign_holdout",
    "Group of a person for one audience, where that has a holdout of its own; the group never changes.",
    (
        _AUDIENCE,
        Column("person_id", "string", key=True, references="identity.person"),
        Column(
            "split_group", "string", required=True, check="split_group IN ('treatment', 'holdout')"
        ),
        Column("assigned_on", "date", "as_of date of the first assignment", required=True),
        Column("stratum", "string", "that the person was dealt in; NULL: dealt by hash alone"),
    ),
)
SUPPRESSION = Table(
    "activation.suppression",
    "An address that no destination is told, whatever its owner has consented to. It outlives an erasure.",
    (
        Column("identifier", "string", key=True, allowed=("email", "phone")),
        Column("address_sha256", "string", "SHA-256 of the normalised address", key=True),
        Column("reason", "string", "e.g. hard_bounce, complaint, do_not_contact", required=True),
        Column("recorded_on", "date", required=True),
    ),
)
ASSIGNMENT = Table(
    "activation.assignment",
    "Who could be told about for an audience on a date (consenting, addressable), and who of them was held out. "
    "Rows are added at the activation and never changed.",
    (
        Column("as_of_date", "date", "of the activation", key=True),
        _AUDIENCE,
        Column("person_id", "string", "as on that day", key=True, references="identity.person"),
        Column(
            "split_group",
            "string",
            "treatment: a destination was told; holdout: none was",
            required=True,
            check="split_group IN ('treatment', 'holdout')",
        ),
        Column(
            "acted_on",
            "date",
            "as_of_date, or the day before where that still went on, as in the stream: the first whose outcomes may "
            "follow from it; NULL: as_of_date",
        ),
    ),
    cluster_by=("as_of_date", "audience_id"),
)
OUTBOX = Table(
    "activation.outbox",
    "One instruction to a destination: add a person to a list, or remove them.",
    (
        Column(
            "outbox_id",
            "string",
            "digest of destination, audience, person and sequence; random where an erasure left the instruction",
            key=True,
        ),
        Column("destination_id", "string", required=True),
        Column("audience_id", "string", required=True),
        Column(
            "person_id",
            "string",
            "NULL for a removal that an erasure left",
            references="identity.person",
        ),
        Column(
            "sequence",
            "int",
            "number of the instruction for this person and list",
            check="sequence >= 1",
        ),
        Column("operation", "string", required=True, check="operation IN ('add', 'remove')"),
        Column(
            "status",
            "string",
            "dead: given up until a replay; the reason is in activation.dead_letter",
            required=True,
            check="status IN ('pending', 'delivered', 'dead')",
        ),
        Column("created_on", "date", "as_of date", required=True),
        Column("delivered_on", "date", "as_of date of the delivery"),
        Column("batch", "int", "number of the delivery to the destination on that date"),
        Column(
            "entry_operation",
            "string",
            "operation of the line in the file; NULL: not delivered yet, or the line of the same address is another "
            "instruction's, as persons who share an address are one entry",
            check="entry_operation IN ('add', 'remove')",
        ),
        Column(
            "address",
            "string",
            "identifier that the destination is told; of a removal, that of the add; "
            "NULL once the removal of an erased person is delivered",
            pii="identifier",
        ),
        Column("attempts", "int", "runs in which it was tried in vain"),
        Column(
            "line_id",
            "string",
            "outbox_id under which it was told last: its own, or a digest where one line stands for several",
            identifier=True,
        ),
    ),
    checks={"only_removals_are_of_nobody": "person_id IS NOT NULL OR operation = 'remove'"},
    change_feed=True,
)
DELIVERY = Table(
    "activation.delivery",
    "What one destination received for one audience on a date, and how many were left out, by reason.",
    (
        _DESTINATION,
        _AUDIENCE,
        Column("as_of_date", "date", key=True),
        Column(
            "identifier",
            "string",
            "what it is told addresses as: email, phone, email_sha256 or phone_sha256",
        ),
        Column("members", "bigint", "of the audience"),
        Column("without_consent", "bigint", "of the member, or of somebody who shares the address"),
        Column("without_identifier", "bigint", "consenting, but nothing to address them by"),
        Column("suppressed", "bigint", "consenting, but the address is on the suppression list"),
        Column(
            "held_out",
            "bigint",
            "consenting and addressable, in a holdout, or with the address of somebody who is",
        ),
        Column("persons_added", "bigint", "instructions delivered on the date"),
        Column("persons_removed", "bigint"),
        Column(
            "entries_added",
            "bigint",
            "lines in the files of the date: persons who share an address are one",
        ),
        Column("entries_removed", "bigint"),
        Column("waiting", "bigint", "instructions that are still to be told"),
        Column("dead", "bigint", "instructions that were given up until a replay"),
        Column(
            "file_name", "string", "newest file, below the destination; NULL where nothing changed"
        ),
    ),
)
SYNC_LOG = Table(
    "activation.sync_log",
    "Every line that a run told, or tried to tell, a destination.",
    (
        _DESTINATION,
        Column("run_id", "string", "as in ops.run", key=True),
        Column(
            "line_id",
            "string",
            "outbox_id of the line, under which the destination knows it",
            key=True,
        ),
        Column("as_of_date", "date", required=True),
        Column("audience_id", "string", required=True),
        Column(
            "person_id",
            "string",
            "whose facts the line has; NULL for a removal that an erasure left",
            references="identity.person",
        ),
        Column("operation", "string", required=True, allowed=("add", "remove")),
        Column(
            "status",
            "string",
            "waiting: not tried, as the destination was out of reach",
            required=True,
            allowed=("accepted", "rejected", "failed", "waiting"),
        ),
        Column("error", "string", "e.g. http_422, timeout"),
    ),
    cluster_by=("as_of_date", "destination_id"),
)
DEAD_LETTER = Table(
    "activation.dead_letter",
    "An instruction that its destination rejected, or that failed in too many runs, until it is replayed.",
    (
        Column("outbox_id", "string", key=True, references="activation.outbox"),
        Column("destination_id", "string", required=True),
        Column("audience_id", "string", required=True),
        Column("person_id", "string", references="identity.person"),
        Column("operation", "string", required=True, allowed=("add", "remove")),
        Column("error", "string", "reason of the last attempt"),
        Column("attempts", "int", required=True),
        Column("dead_on", "date", "as_of date", required=True),
        Column("replayed_on", "date", "NULL until it is put into the outbox again"),
    ),
)
SNAPSHOT = Table(
    "activation.snapshot",
    "What a destination holds, as far as it has confirmed: persons on its lists.",
    (
        _DESTINATION,
        _AUDIENCE,
        Column("person_id", "string", key=True, references="identity.person"),
        Column(
            "address_sha256",
            "string",
            "of the normalised address that it was told",
            pii="identifier",
        ),
        Column("line_id", "string", "outbox_id of the line that put them there", identifier=True),
        Column("since", "date", "as_of date of that delivery"),
    ),
)
TABLES = (
    HOLDOUT,
    CAMPAIGN_HOLDOUT,
    SUPPRESSION,
    ASSIGNMENT,
    OUTBOX,
    DELIVERY,
    SYNC_LOG,
    DEAD_LETTER,
    SNAPSHOT,
)
