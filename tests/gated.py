"""Which marts wait for the quality gate, and which report what failed and so do not."""

from checkout import Checkout

# What reports failures, and what a report reads of it.
NOT_GATED = {
    *("fct_dq_results", "dim_dq_check", "rpt_day_status", "rpt_reconciliation"),
    "rpt_source_differences",
    *("bi_data_quality_daily", "bi_day_status", "bi_reconciliation_daily"),
}


def gated_marts(checkout: Checkout) -> dict[str, tuple[int, str]]:
    """Rows and a digest of every mart that waits for the gate."""
    return {
        name: what
        for name, what in checkout.tables().items()
        if name.startswith("analytics.") and name.removeprefix("analytics.") not in NOT_GATED
    }
