"""Questions over transactions, asked of the marts and of the raw tables: milliseconds, buffers, same answer.

    .venv-dev/bin/python benchmarks/questions.py [--plans] "$(warehouse url --role transformer)"

Each runs three times, of which the fastest counts. Both ways have to give the same rows, to the last digit. `--plans`
prints the marts' plans. docs/benchmarks/questions.md has the figures of a warehouse of 5 million rows.
"""

import argparse
import sys
from dataclasses import dataclass

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]


@dataclass(frozen=True)
class Question:
    """A question in words and in two ways."""

    words: str
    mart: str
    raw: str


# What several questions say.
SAID = {
    "made_on": "(time at time zone 'UTC')::date",
    "spent_on": "(spending_time at time zone 'UTC')::date",
    "in_month": "time >= '{month}Z' and time < '{next_month}Z'",
    "spent_in_month": "spending_time >= '{month}Z' and spending_time < '{next_month}Z'",
    "of_month": "chain = 'bitcoin' and block_date >= '{month}' and block_date < '{next_month}'",
    "prices": """prices as (
        select (stamp at time zone 'UTC')::date - 1 as day, price from raw_data.coingecko_market_chart
        where coin_id = 'bitcoin' and vs_currency = 'usd' and granularity = 'daily'
    )""",
    "spenders": """spenders as (
        select distinct spending_transaction_hash as hash, recipient from raw_data.bitcoin_inputs where {spent_in_month}
    )""",
}

# Transfers net of change, of one chain and from some dollars on: what left for others than those who sent it.
WHALES = (
    """select transaction_hash, value_base, value_usd from analytics.fct_whale_transfers
    where chain = '<chain>' and block_date >= '{month}' and block_date < '{next_month}' and value_usd >= <dollars>
    order by value_usd desc, transaction_hash limit 100""",
    """with {prices}, {spenders}, sent as (
        select transaction_hash, {made_on} as day, sum(value) as value from raw_data.bitcoin_outputs as outputs
        where {in_month} and not is_from_coinbase and not exists (
            select from spenders where hash = transaction_hash and spenders.recipient = outputs.recipient
        )
        group by transaction_hash, day
    )
    select transaction_hash, value, round(value * price * 1e-8, 8) as value_usd
    from sent inner join prices on sent.day = prices.day
    where round(value * price * 1e-8, 8) >= <dollars> order by value_usd desc, transaction_hash limit 100""",
)


def whales(chain: str, dollars: int, *, ever: bool = False) -> tuple[str, str]:
    """Both ways to ask for such transfers, of the month or of all time."""
    mart, raw = (way.replace("<chain>", chain).replace("<dollars>", str(dollars)) for way in WHALES)
    for shared in ("{prices}", "{spenders}"):
        raw = raw.replace(shared, SAID[shared.strip("{}")])
    if ever:
        mart = mart.replace(" and block_date >= '{month}' and block_date < '{next_month}'", "")
        raw = raw.replace("{in_month}", "true").replace("{spent_in_month}", "true")
    return mart, raw.replace("bitcoin", chain)


# What a report's page shows: figures of each day of a month, computed from transactions, outputs and inputs.
PAGES = (
    Question(
        "transactions, fees and median fee of each day of a month",
        "select block_date, transaction_count, fee_total_base, fee_median_base from analytics.fct_network_daily"
        " where {of_month}",
        "select {made_on} as day, count(*), sum(fee),"
        " round(percentile_cont(0.5) within group (order by fee)::numeric, 8)"
        " from raw_data.bitcoin_transactions where {in_month} and not is_coinbase group by day",
    ),
    Question(
        "fee rates of each day of a month, weighted by size",
        "select block_date, fee_rate_weighted_p10, fee_rate_weighted_p50, fee_rate_weighted_p90"
        " from analytics.fct_network_daily"
        " where {of_month}",
        """with rated as (
            select {made_on} as day, weight / 4.0 as size, round(fee / (weight / 4.0)::numeric(50, 12), 9) as rate
            from raw_data.bitcoin_transactions where {in_month} and not is_coinbase
        ), ranked as (
            select day, rate, sum(size) over (partition by day order by rate, size rows unbounded preceding) as below,
                sum(size) over (partition by day) as total
            from rated
        )
        select day, min(rate) filter (where below >= total * 0.1), min(rate) filter (where below >= total * 0.5),
            min(rate) filter (where below >= total * 0.9)
        from ranked group by day""",
    ),
    Question(
        "active addresses of each day of a month",
        "select block_date, active_address_count from analytics.fct_network_daily where {of_month}",
        """select day, count(distinct recipient) from (
            select {made_on} as day, recipient from raw_data.bitcoin_outputs where {in_month}
            union all
            select {spent_on} as day, recipient from raw_data.bitcoin_inputs where {spent_in_month}
        ) as used where strpos(recipient, '-') = 0 group by day""",
    ),
    Question(
        "new addresses of each day of a month",
        "select block_date, new_address_count from analytics.fct_network_daily where {of_month}",
        """select first_day, count(*) from (
            select recipient, min(day) as first_day from (
                select {made_on} as day, recipient from raw_data.bitcoin_outputs
                union all
                select {spent_on} as day, recipient from raw_data.bitcoin_inputs
            ) as used where strpos(recipient, '-') = 0 group by recipient
        ) as firsts where first_day >= '{month}' and first_day < '{next_month}' group by first_day""",
    ),
    Question(
        "value moved on each day of a month, and without what came back",
        "select block_date, transfer_value_base, transfer_value_adj_v1_base from analytics.fct_network_daily"
        " where {of_month}",
        """with {spenders}
        select {made_on} as day, sum(value), sum(value) filter (where hash is null)
        from raw_data.bitcoin_outputs as outputs
        left join spenders on transaction_hash = hash and outputs.recipient = spenders.recipient
        where {in_month} and not is_from_coinbase
        group by day""",
    ),
    Question(
        "burn, tips and failed share of each Ethereum day of a month",
        "select block_date, burned_base, tip_base, failed_transaction_share from analytics.fct_network_daily"
        " where chain = 'ethereum' and block_date >= '{month}' and block_date < '{next_month}'",
        """with paid as (
            select block_id, sum(fee) as fee, count(*) filter (where failed) as failed, count(*) as sent
            from raw_data.ethereum_transactions where {in_month} and type <> 'synthetic_coinbase' group by block_id
        ), burned as (
            select id, {made_on} as day, generation + fee_total - reward as burned
            from raw_data.ethereum_blocks where {in_month}
        )
        select day, sum(burned), sum(coalesce(fee, 0)) - sum(burned), round(sum(failed) / sum(sent)::numeric, 8)
        from burned left join paid on id = block_id group by day""",
    ),
    Question(
        "SOPR and coin-days destroyed of each day of a month",
        "select block_date, sopr, full_coin_days_destroyed from analytics.fct_valuation_daily where {of_month}",
        """with {prices}, spent as (
            select {spent_on} as day, least({made_on}, {spent_on}) as created_day, value, lifespan
            from raw_data.bitcoin_inputs where {spent_in_month} and coalesce(is_spendable, 1) <> 0
        )
        select spent.day,
            round(round(sum(value * sold.price) * 1e-8, 8) / round(sum(value * bought.price) * 1e-8, 8), 8),
            round(sum(value * (greatest(lifespan, 0) / 86400)) * 1e-8, 18)
        from spent
        inner join prices as sold on spent.day = sold.day
        inner join prices as bought on spent.created_day = bought.day
        group by spent.day""",
    ),
    Question(
        "supply by age and what it cost, on one day",
        "select band_order, counted_supply_base, realised_value_usd from analytics.fct_supply_age_daily"
        " where chain = 'bitcoin' and block_date = '{day}' and counted_supply_base > 0",
        """with {prices}, flows as (
            select {made_on} as day, value from raw_data.bitcoin_outputs
            where
                time < timestamptz '{day}Z' + interval '1 day' and coalesce(is_spendable, 1) <> 0 and block_id > 0
            union all
            select least({made_on}, {spent_on}), -value from raw_data.bitcoin_inputs
            where spending_time < timestamptz '{day}Z' + interval '1 day' and coalesce(is_spendable, 1) <> 0
        ), cohorts as (
            select flows.day, sum(value) as alive from flows group by flows.day
        )
        select band_order, sum(alive), round(sum(alive * price) * 1e-8, 8)
        from cohorts
        inner join analytics.dim_age_band on date '{day}' - cohorts.day between min_days and coalesce(max_days, 99999)
        left join prices on cohorts.day = prices.day
        group by band_order having sum(alive) > 0""",
    ),
    Question("transfers of a million dollars and more in a month, net of change", *whales("bitcoin", 1_000_000)),
    Question("the largest transfers of Dogecoin since it is loaded, likewise", *whales("dogecoin", 100_000, ever=True)),
)
# What a person clicks on next.
DRILLS = (
    Question(
        "a transaction by its hash",
        "select block_height, fee_base, input_count, output_count from analytics.fct_transactions"
        " where transaction_hash = '{hash}'",
        "select block_id, fee, input_count, output_count from raw_data.bitcoin_transactions where hash = '{hash}'",
    ),
    Question(
        "largest fees of a month",
        "select transaction_hash, fee_base from analytics.fct_transactions"
        " where {of_month} and fee_base > 0"
        " order by fee_base desc, transaction_hash limit 20",
        "select hash, fee from raw_data.bitcoin_transactions where {in_month} and fee > 0"
        " order by fee desc, hash limit 20",
    ),
    Question(
        "outputs of one address",
        "select transaction_hash, o.value_base from analytics.fct_transaction_outputs as o"
        " join analytics.fct_transactions using (transaction_key, block_date) where address_key = {address_key}",
        "select transaction_hash, value from raw_data.bitcoin_outputs where recipient = '{address}'",
    ),
    Question(
        "what spent one output",
        "select transaction_hash from analytics.fct_transaction_inputs"
        " join analytics.fct_transactions using (transaction_key, block_date)"
        " where created_transaction_key = {made_key} and created_output_index = {made_index}",
        "select spending_transaction_hash from raw_data.bitcoin_inputs"
        " where block_id = {made_height} and transaction_hash = '{made_hash}' and index = {made_index}",
    ),
    Question(
        "outputs of a transaction",
        "select output_index, address, o.value_base from analytics.fct_transactions"
        " join analytics.fct_transaction_outputs as o using (transaction_key, block_date)"
        " join analytics.dim_address using (address_key) where transaction_hash = '{hash}'",
        "select index, coalesce(recipient, 'unknown'), value from raw_data.bitcoin_outputs"
        " where transaction_hash = '{hash}'",
    ),
    Question(
        "inputs of a transaction, and what created them",
        "select input_index, made.transaction_hash, created_output_index, i.value_base"
        " from analytics.fct_transactions as spent"
        " join analytics.fct_transaction_inputs as i using (transaction_key, block_date)"
        " join analytics.fct_transactions as made"
        " on i.created_transaction_key = made.transaction_key and i.created_date = made.block_date"
        " where spent.transaction_hash = '{hash}'",
        "select spending_index, transaction_hash, index, value from raw_data.bitcoin_inputs"
        " where spending_transaction_hash = '{hash}'",
    ),
    Question(
        "calls of an Ethereum transaction, and who sent them",
        "select call_index, address, c.value_base from analytics.fct_transactions"
        " join analytics.fct_eth_calls as c using (transaction_key, block_date)"
        " join analytics.dim_address on c.sender_address_key = address_key"
        " where transaction_hash = '{call_hash}'",
        "select index, sender, value from raw_data.ethereum_calls where transaction_hash = '{call_hash}'",
    ),
    Question(
        "transfers of tokens of an Ethereum transaction",
        "select token_address, f.value_base from analytics.fct_transactions"
        " join analytics.fct_token_transfers as f using (transaction_key, block_date)"
        " where transaction_hash = '{token_hash}'",
        "select token_address, value from raw_data.ethereum_erc20_transactions where transaction_hash = '{token_hash}'",
    ),
    Question(
        "transfers of one token in a month",
        "select transaction_hash, f.value_base from analytics.fct_token_transfers as f"
        " join analytics.fct_transactions using (transaction_key, block_date)"
        " where token_address = '{token}' and block_date >= '{month}' and block_date < '{next_month}'",
        "select transaction_hash, value from raw_data.ethereum_erc20_transactions"
        " where token_address = '{token}' and {in_month}",
    ),
)
# Rows of one block, hour or day: raw finds these by its own indexes as well, so the marts only have to be no worse.
LISTS = (
    Question(
        "transactions of a day by fee",
        "select transaction_hash, fee_base from analytics.fct_transactions where chain = 'bitcoin'"
        " and block_date = '{day}' and is_user_transaction order by fee_usd desc, transaction_hash limit 100",
        "select hash, fee from raw_data.bitcoin_transactions where time >= '{day}Z'"
        " and time < timestamptz '{day}Z' + interval '1 day' and not is_coinbase order by fee desc, hash limit 100",
    ),
    Question(
        "all transactions of a block",
        "select transaction_hash, value_base from analytics.fct_transactions"
        " where chain = 'bitcoin' and block_height = {height}",
        "select hash, output_total from raw_data.bitcoin_transactions where block_id = {height}",
    ),
    Question(
        "inputs of a day that spent coins older than a day",
        "select transaction_hash, i.value_base from analytics.fct_transaction_inputs as i"
        " join analytics.fct_transactions using (transaction_key, block_date)"
        " where i.chain = 'bitcoin' and block_date = '{day}' and lifespan_seconds > 86400",
        "select spending_transaction_hash, value from raw_data.bitcoin_inputs where spending_time >= '{day}Z'"
        " and spending_time < timestamptz '{day}Z' + interval '1 day' and lifespan > 86400",
    ),
    Question(
        "failed Ethereum transactions of a day",
        "select transaction_hash, fee_base from analytics.fct_transactions"
        " where chain = 'ethereum' and block_date = '{day}' and is_failed",
        "select hash, fee from raw_data.ethereum_transactions"
        " where time >= '{day}Z' and time < timestamptz '{day}Z' + interval '1 day' and failed",
    ),
)
# Of a day in the middle: what the questions name.
CHOICE = """
    with days as (
        select distinct block_date from analytics.fct_transaction_inputs where chain = 'bitcoin'
    ), chosen as (
        select percentile_disc(0.5) within group (order by block_date) as day from days
    )
    select day::text, date_trunc('month', day)::date::text as month,
        (date_trunc('month', day) + interval '1 month')::date::text as next_month,
        spent.transaction_hash as hash, i.block_height as height, address, i.address_key,
        i.created_transaction_key as made_key, i.created_block_height as made_height,
        made.transaction_hash as made_hash, i.created_output_index as made_index,
        called.transaction_hash as call_hash, moved.transaction_hash as token_hash, f.token_address as token
    from chosen
    join analytics.fct_transaction_inputs as i on i.chain = 'bitcoin' and i.block_date = day
    join analytics.fct_transactions as spent on i.transaction_key = spent.transaction_key and spent.block_date = day
    join analytics.fct_transactions as made
        on i.created_transaction_key = made.transaction_key and i.created_date = made.block_date
    join analytics.dim_address using (address_key)
    left join lateral (
        select transaction_hash from analytics.fct_eth_calls
        join analytics.fct_transactions using (transaction_key, block_date)
        where block_date = day order by transaction_key limit 1
    ) as called on true
    left join lateral (
        select token_address, transaction_key from analytics.fct_token_transfers
        where block_date = day order by transaction_key limit 1
    ) as f on true
    left join analytics.fct_transactions as moved
        on f.transaction_key = moved.transaction_key and moved.block_date = day
    order by i.transaction_key, i.input_index limit 1
"""


def cost(connection: Connection, query: str) -> tuple[float, int]:
    """Milliseconds, with planning; buffers."""
    found = []
    for _ in range(3):
        row = connection.execute(f"explain (analyze, buffers, format json) {query}").fetchone()
        assert row is not None
        said = row[0][0]  # type: ignore[index]
        buffers = said["Plan"]["Shared Hit Blocks"] + said["Plan"]["Shared Read Blocks"]
        found.append((said["Planning Time"] + said["Execution Time"], buffers))
    return min(found)


def ask(connection: Connection, question: Question, named: dict[str, object], *, plans: bool) -> None:
    """Ask both ways, print a line, and stop where the answers differ."""
    mart, raw = question.mart.format(**named), question.raw.format(**named)
    answers = [sorted(connection.execute(query).fetchall()) for query in (mart, raw)]
    if answers[0] != answers[1] or not answers[0]:
        differing = [row for row in answers[0] if row not in answers[1]]
        sys.exit(f"{question.words}: {len(answers[0])} rows and {len(answers[1])}, which differ: {differing[:3]}")
    (mart_ms, mart_buffers), (raw_ms, raw_buffers) = cost(connection, mart), cost(connection, raw)
    print(
        f"{question.words:66}{len(answers[0]):>6}{mart_ms:>8.1f} ms{mart_buffers:>9}"
        f"{raw_ms:>10.1f} ms{raw_buffers:>9}{raw_ms / mart_ms:>10.1f}"
    )
    if plans:
        for (line,) in connection.execute(f"explain (analyze, buffers, costs off, timing off) {mart}"):
            print(f"    {line}")


def main() -> None:
    """Ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the warehouse, as a role that reads raw_data and analytics")
    parser.add_argument("--plans", action="store_true", help="print the plans of the marts' queries")
    asked = parser.parse_args()
    with psycopg.connect(asked.url) as connection:
        cursor = connection.execute(CHOICE)
        row = cursor.fetchone()
        if row is None or cursor.description is None:
            sys.exit("no inputs of bitcoin are in the marts")
        named = dict(zip([column.name for column in cursor.description], row, strict=True))
        for name, words in SAID.items():
            named[name] = words.format(**named)
        for title, questions in (("pages", PAGES), ("drills", DRILLS), ("lists", LISTS)):
            print(f"{title:66}{'rows':>6}{'marts':>11}{'buffers':>9}{'raw':>13}{'buffers':>9}{'raw/mart':>10}")
            for question in questions:
                ask(connection, question, named, plans=asked.plans)


if __name__ == "__main__":
    main()
