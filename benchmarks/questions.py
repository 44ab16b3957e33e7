"""Ten questions at the grain of transactions, asked of the marts and of the raw tables: milliseconds and buffers.

    .venv-dev/bin/python benchmarks/questions.py "$(warehouse url --role transformer)"

Each runs three times, of which the fastest counts. Both ways give the same number of rows, but for
whales, of which raw rows know no price of ours. docs/questions.md
says which index answers what.
"""

import sys
from dataclasses import dataclass

import psycopg


@dataclass(frozen=True)
class Question:
    """A question in words and in two ways."""

    words: str
    mart: str
    raw: str


QUESTIONS = (
    Question(
        "transactions of a day by fee",
        "select transaction_hash, fee_base from analytics.fct_transactions"
        " where chain = 'bitcoin' and block_date = '{day}' and is_user_transaction order by fee_base desc limit 100",
        "select hash, fee from raw_data.bitcoin_transactions"
        " where time >= '{day}Z' and time < timestamptz '{day}Z' + interval '1 day'"
        " and not is_coinbase order by fee desc limit 100",
    ),
    Question(
        "a transaction by its hash",
        "select * from analytics.fct_transactions where transaction_hash = '{hash}'",
        "select * from raw_data.bitcoin_transactions where hash = '{hash}'",
    ),
    Question(
        "all transactions of a block",
        "select transaction_hash, value_base from analytics.fct_transactions"
        " where chain = 'bitcoin' and block_height = {height}",
        "select hash, output_total from raw_data.bitcoin_transactions where block_id = {height}",
    ),
    Question(
        "largest fees of a month",
        "select transaction_hash, fee_base from analytics.fct_transactions where chain = 'bitcoin'"
        " and block_date >= '{month}' and block_date < date '{month}' + interval '1 month' and fee_base > 0"
        " order by fee_base desc limit 20",
        "select hash, fee from raw_data.bitcoin_transactions where time >= '{month}Z'"
        " and time < timestamptz '{month}Z' + interval '1 month' and fee > 0 order by fee desc limit 20",
    ),
    Question(
        "outputs of one address",
        "select transaction_hash, value_base from analytics.fct_transaction_outputs where address_key = {address_key}",
        "select transaction_hash, value from raw_data.bitcoin_outputs where recipient = '{address}'",
    ),
    Question(
        "what spent one output",
        "select i.transaction_hash from analytics.fct_transaction_inputs as i where i.spent_output_key = {output_key}",
        "select spending_transaction_hash from raw_data.bitcoin_inputs"
        " where block_id = {made_height} and transaction_hash = '{made_hash}' and index = {made_index}",
    ),
    Question(
        "inputs of a day that spent coins older than a day",
        "select transaction_hash, value_base from analytics.fct_transaction_inputs"
        " where chain = 'bitcoin' and block_date = '{day}' and lifespan_seconds > 86400",
        "select spending_transaction_hash, value from raw_data.bitcoin_inputs"
        " where spending_time >= '{day}Z' and spending_time < timestamptz '{day}Z' + interval '1 day'"
        " and lifespan > 86400",
    ),
    Question(
        "failed Ethereum calls of a day",
        "select transaction_hash, fee_base from analytics.fct_transactions"
        " where chain = 'ethereum' and block_date = '{day}' and is_failed",
        "select hash, fee from raw_data.ethereum_transactions"
        " where time >= '{day}Z' and time < timestamptz '{day}Z' + interval '1 day' and failed",
    ),
    Question(
        "fee-rate percentiles of an hour",
        "select percentile_disc(array[0.1, 0.5, 0.9]) within group (order by fee_base * 4 / weight_wu)"
        " from analytics.fct_transactions where chain = 'bitcoin' and block_date = '{day}'"
        " and block_time >= '{day} 12:00Z' and block_time < '{day} 13:00Z' and is_user_transaction",
        "select percentile_disc(array[0.1, 0.5, 0.9]) within group (order by fee * 4 / weight)"
        " from raw_data.bitcoin_transactions"
        " where time >= '{day} 12:00Z' and time < '{day} 13:00Z' and not is_coinbase",
    ),
    Question(
        "whales of a week",
        "select transaction_hash, value_usd from analytics.fct_whale_transfers where chain = 'bitcoin'"
        " and block_date > date '{day}' - 7 and block_date <= '{day}' order by value_usd desc limit 100",
        # Gross of change, at Blockchair's own price: the nearest that raw rows can say by themselves.
        "select hash, output_total_usd from raw_data.bitcoin_transactions where time >= timestamptz '{day}Z'"
        " - interval '6 days' and time < timestamptz '{day}Z' + interval '1 day' and not is_coinbase"
        " and output_total_usd >= 100000 order by output_total_usd desc limit 100",
    ),
)
# Of a day in the middle: what the questions name.
CHOICE = """
    with days as (select distinct block_date from analytics.fct_transaction_inputs where chain = 'bitcoin')
    select i.block_date::text as day, date_trunc('month', i.block_date)::date::text as month,
        i.transaction_hash as hash, i.block_height as height, i.recipient as address, i.address_key,
        i.spent_output_key as output_key, i.created_block_height as made_height,
        i.created_transaction_hash as made_hash, i.created_output_index as made_index
    from analytics.fct_transaction_inputs as i
    where i.chain = 'bitcoin'
        and i.block_date = (select percentile_disc(0.5) within group (order by block_date) from days)
    order by i.input_key limit 1
"""


def cost(connection: "psycopg.Connection[tuple[object, ...]]", query: str) -> tuple[float, int, int]:
    """Milliseconds, with planning; buffers; rows."""
    found = []
    for _ in range(3):
        row = connection.execute(f"explain (analyze, buffers, format json) {query}").fetchone()
        assert row is not None
        said = row[0][0]  # type: ignore[index]
        plan = said["Plan"]
        buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        found.append((said["Planning Time"] + said["Execution Time"], buffers, plan["Actual Rows"]))
    return min(found)


def main() -> None:
    """Ask and print."""
    with psycopg.connect(sys.argv[1]) as connection:
        cursor = connection.execute(CHOICE)
        row = cursor.fetchone()
        if row is None or cursor.description is None:
            sys.exit("no inputs of bitcoin are in the marts")
        named = dict(zip([column.name for column in cursor.description], row, strict=True))
        print(
            f"{'question':52}{'marts':>10}{'buffers':>9}{'rows':>6}{'raw':>13}{'buffers':>9}{'rows':>6}{'raw/mart':>10}"
        )
        for question in QUESTIONS:
            mart = cost(connection, question.mart.format(**named))
            raw = cost(connection, question.raw.format(**named))
            print(
                f"{question.words:52}{mart[0]:>7.1f} ms{mart[1]:>9}{mart[2]:>6}"
                f"{raw[0]:>10.1f} ms{raw[1]:>9}{raw[2]:>6}{raw[0] / mart[0]:>10.1f}"
            )


if __name__ == "__main__":
    main()
