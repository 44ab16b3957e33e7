"""The SDK's setting `batch_config`, extended by the format of dump files."""

from __future__ import annotations

from singer_sdk import typing as th

BATCH_SETTING: th.Property[dict[str, object]] = th.Property(
    "batch_config",
    th.ObjectType(
        th.Property(
            "encoding",
            th.ObjectType(
                th.Property(
                    "format",
                    th.StringType,
                    required=True,
                    allowed_values=["tsv", "jsonl", "parquet", "none"],
                    title="Batch format",
                    description=(
                        "tsv hands the verified dump file itself over; jsonl and parquet are the SDK's. none: records."
                    ),
                ),
                th.Property(
                    "compression",
                    th.StringType,
                    allowed_values=["gzip", "none"],
                    title="Batch compression",
                    description="gzip for tsv, as published.",
                ),
            ),
            required=True,
            title="Batch encoding",
            description="Format and compression of the files.",
        ),
        th.Property(
            "storage",
            th.ObjectType(
                th.Property(
                    "root",
                    th.StringType,
                    required=True,
                    title="Batch storage root",
                    description="Folder of the files, as a file:// URL.",
                ),
                th.Property(
                    "prefix",
                    th.StringType,
                    title="Batch storage prefix",
                    description="Start of the names of jsonl and parquet files.",
                ),
            ),
            required=True,
            title="Batch storage",
            description="Where the files lie.",
        ),
        th.Property(
            "batch_size",
            th.IntegerType(minimum=1),
            title="Batch size",
            description="Rows in a jsonl or parquet file.",
        ),
    ),
    title="Batch configuration",
    description=(
        "Hand dump days over as files, in Singer BATCH messages (docs/slices.md), to a loader that understands the "
        "format. Unset, {} or format none: RECORD messages, for any loader. The API's rows are always records."
    ),
)
