"""What Power BI asks the warehouse: a query for each table it imports, and for each visual over rows that stay there.

The second kind is written out as Power BI folds it: the visual's fields and measures, the tables it joins, and the
filters of visual, page and slicers; dimensions are `dual`, so they are joined in the warehouse. A list shows its first
rows, as Power BI asks for them.
"""

from powerbi_project.contract import Contract, Table

LIST_ROWS = 501  # what Power BI asks of a list at first

# A page's filters, as the report states them: the coin of its slicer, and the newest seven days.
COIN = """
    inner join analytics.dim_asset as asset
        on fact.asset_key = asset.asset_key and asset.asset_name = %(coin)s and asset.has_chain
"""
WEEK = """
    inner join analytics.dim_date as day
        on fact.date_key = day.date_key and day.day_offset >= -6 and day.day_offset <= 0
"""
ONE_DAY = "inner join analytics.dim_date as day on fact.date_key = day.date_key and day.date_day = %(day)s"

WHALES = f"from analytics.bi_whale_transfers as fact {COIN} {WEEK}"
TRANSACTIONS = f"from analytics.bi_transactions as fact {COIN} {ONE_DAY}"
BLOCKS = f"from analytics.bi_blocks as fact {COIN} {ONE_DAY}"

WHALE_LIST = f"""
    select block_time, transaction_hash, value_native, value_base_text, value_usd, sender_count, recipient_count
    {WHALES} order by value_usd desc limit {LIST_ROWS}
"""
TRANSACTION_LIST = f"""
    select block_time, block_height, transaction_hash, value_base_text, value_usd, fee_base_text, fee_usd
    {TRANSACTIONS} order by fee_usd desc limit {LIST_ROWS}
"""
BLOCK_LIST = f"""
    select
        block_height, block_time, block_hash, transaction_count, fee_total_base_text, reward_base_text, header_check
    {BLOCKS} order by block_height limit {LIST_ROWS}
"""
# By page and visual; a card's numbers come by one query for each table.
VISUALS = {
    ("whales", "headline"): [f"select count(*), sum(value_usd), max(value_usd) {WHALES}"],
    ("whales", "value_by_day"): [f"select day.date_day, sum(fact.value_usd) {WHALES} group by day.date_day"],
    ("whales", "transfers"): [WHALE_LIST],
    ("transactions", "headline"): [
        f"select count(*), sum(fee_usd) {TRANSACTIONS}",
        f"select count(*), count(*) filter (where header_check = 'verified') {BLOCKS}",
    ],
    ("transactions", "transactions"): [TRANSACTION_LIST],
    ("transactions", "blocks"): [BLOCK_LIST],
}


def refresh(table: Table) -> str:
    """The statement that a table's M query folds into, for the days of an incremental refresh."""
    columns = ", ".join(f'"{column.source}"' for column in table.columns)
    conditions = []
    if "range" in table.meta:
        conditions.append('"{0}" >= %(start)s and "{0}" < %(end)s'.format(table.meta["range"]))
    if table.meta.get("without_unknown"):
        conditions.append(f'"{table.primary_key}" <> -1')
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f'select {columns} from "{table.schema}"."{table.model}"{where}'  # noqa: S608


def refreshes(contract: Contract) -> dict[str, str]:
    """The statement for each imported table."""
    return {table.name: refresh(table) for table in contract.tables if table.mode != "directQuery"}
