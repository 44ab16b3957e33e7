"""Names of the loader's own tables and columns."""

from __future__ import annotations

LEDGER = "load_ledger"
LOCKS = "load_locks"
ORIGIN = "warehouse_origin"
ARCHIVED = "archived_months"  # made by `warehouse retain`

LINE = "_line"
LOAD_ID = "_load_id"  # of the load ledger
# When and by which load a row came is no data: a row that differs in nothing else is not written again. Version and
# deletion mark are data, since ACTIVATE_VERSION uses them.
LINEAGE = frozenset(
    {"_sdc_extracted_at", "_sdc_received_at", "_sdc_batched_at", "_sdc_sequence", "_sdc_sync_started_at", LOAD_ID}
)
