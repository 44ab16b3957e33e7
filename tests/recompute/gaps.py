"""What is done to the raw tables of a kind world, so that it has every gap that real data has.

The statements are changes of raw rows alone. What they bring about is read back by `recompute.witness`.
"""

# Bitcoin's chain has all of its blocks from height 0 up to this one's day, so its totals are known until then.
BITCOIN_MISSING = 314
# Of Ethereum one within its day, and the last of a day, which leaves two days open.
ETHEREUM_MISSING = (13_000_160 + 1, 13_000_203)
# From this one on Ethereum's blocks have no difficulty, as since the Merge.
MERGE = 13_000_380

_CLOSES = """
    delete from raw_data.coingecko_market_chart
    where coin_id = '{coin}' and (stamp at time zone 'UTC')::date between date '{first}' + 1 and date '{last}' + 1;
    delete from raw_data.coingecko_token
    where coin_id = '{coin}' and date::date between date '{first}' + 1 and date '{last}' + 1;
"""
# Coin, first and last day whose close goes.
UNPRICED = (
    ("bitcoin", "2024-01-01", "2025-01-02"),
    ("bitcoin", "2025-02-10", "2025-02-10"),
    ("bitcoin", "2025-03-01", "2025-03-31"),
    ("bitcoin", "2025-04-09", "2025-04-10"),
    ("dogecoin", "2024-12-30", "2025-01-03"),
    ("dogecoin", "2025-04-09", "2025-04-10"),
    ("ethereum", "2025-02-12", "2025-02-12"),
)

_BLOCK = """
    delete from raw_data.{chain}_blocks where id = {height};
    delete from raw_data.{chain}_transactions where block_id = {height};
"""
_COINS_OF_BLOCK = """
    delete from raw_data.{chain}_outputs where block_id = {height};
    delete from raw_data.{chain}_inputs where spending_block_id = {height};
"""
_CALLS_OF_BLOCK = "delete from raw_data.{chain}_calls where block_id = {height};"

# Prices of Bitcoin's first days are small, as they once were, so that what lacks a close there weighs little later.
_SMALL_PRICES = """
    update raw_data.coingecko_market_chart set price = price / 4096, market_cap = market_cap / 4096
    where coin_id = 'bitcoin' and (stamp at time zone 'UTC')::date between '2025-01-04' and '2025-01-07';
    update raw_data.coingecko_token set price_usd = price_usd / 4096, market_cap_usd = market_cap_usd / 4096
    where coin_id = 'bitcoin' and date::date between '2025-01-04' and '2025-01-07';
"""
# A close that only the other table has, a capitalisation that is unknown, a day without trade, and odd stamps.
_ODD_PRICES = """
    delete from raw_data.coingecko_market_chart
    where coin_id = 'ethereum' and (stamp at time zone 'UTC')::date = '2025-03-06';
    update raw_data.coingecko_market_chart set market_cap = null
    where coin_id = 'dogecoin' and (stamp at time zone 'UTC')::date = '2025-01-20';
    update raw_data.coingecko_market_chart set total_volume = 0
    where coin_id = 'dogecoin' and (stamp at time zone 'UTC')::date = '2025-01-21';
    update raw_data.coingecko_market_chart set stamp = stamp + interval '4 minutes 12 seconds'
    where coin_id = 'ethereum' and (stamp at time zone 'UTC')::date = '2025-03-20';
    insert into raw_data.coingecko_market_chart
        (coin_id, vs_currency, granularity, stamp, stamp_date, price, market_cap, total_volume, _load_id)
    select coin_id, vs_currency, granularity, stamp + interval '5 minutes 11 seconds', stamp_date, price * 2,
        market_cap * 2, total_volume, _load_id
    from raw_data.coingecko_market_chart
    where coin_id = 'bitcoin' and (stamp at time zone 'UTC')::date = '2025-02-15';
"""
# A history of one coin that is long enough for an average of 200 days: its first 100 days at other prices once more.
_OLDER_CLOSES = """
    insert into raw_data.coingecko_market_chart
        (coin_id, vs_currency, granularity, stamp, stamp_date, price, market_cap, total_volume, _load_id)
    select coin_id, vs_currency, granularity, stamp - interval '100 days', stamp_date - 100, price * 1.0000000000000007,
        market_cap, total_volume, _load_id
    from raw_data.coingecko_market_chart
    where coin_id = 'ethereum' and granularity = 'daily' and stamp < (
        select min(stamp) + interval '100 days' from raw_data.coingecko_market_chart
        where coin_id = 'ethereum' and granularity = 'daily'
    );
"""
# Rows that a file lacks though the blocks count them.
_LOST_ROWS = """
    delete from raw_data.bitcoin_inputs where (spending_transaction_hash, spending_index) = (
        select spending_transaction_hash, spending_index from raw_data.bitcoin_inputs
        where (spending_time at time zone 'UTC')::date = '2025-04-03' order by 1, 2 limit 1
    );
    delete from raw_data.ethereum_transactions where hash = (
        select hash from raw_data.ethereum_transactions
        where (time at time zone 'UTC')::date = '2025-03-25' and hash is not null order by 1 limit 1
    );
"""
# On Bitcoin the first output of every fifth block's payments goes back to whom the first input belonged to.
_SELF_TRANSFERS = """
    update raw_data.bitcoin_outputs as o set recipient = i.recipient
    from raw_data.bitcoin_inputs as i
    where i.spending_transaction_hash = o.transaction_hash and i.spending_index = 0 and o.index = 0
        and o.block_id % 5 = 1 and o.type <> 'nulldata';
    update raw_data.ethereum_transactions set recipient = sender
    where type = 'call' and block_id % 4 = 1;
    update raw_data.ethereum_transactions
    set recipient = sender, value = 70000000000000000001, internal_value = 70000000000000000001
    where type = 'call' and not failed and block_id % 16 = 5;
    update raw_data.ethereum_transactions set value = 80000000000000000003, internal_value = 90000000000000000007
    where type = 'call' and not failed and block_id % 16 = 6;
"""
# An output that only carries data takes something of an unspent one beside it, so that all sums stay what they were.
_DATA_WITH_VALUE = """
    with pairs as (
        select d.transaction_hash, d.index as data_index, min(o.index) as paid_index
        from raw_data.bitcoin_outputs as d
        join raw_data.bitcoin_outputs as o on o.transaction_hash = d.transaction_hash and o.type <> 'nulldata'
        where d.type = 'nulldata' and o.value > 100000 and not d.is_from_coinbase and not exists (
            select from raw_data.bitcoin_inputs as i
            where i.transaction_hash = o.transaction_hash and i.index = o.index
        )
        group by 1, 2
    )
    update raw_data.bitcoin_outputs as o
    set value = value + case when o.index = p.data_index then 54321 else -54321 end
    from pairs as p
    where p.transaction_hash = o.transaction_hash and o.index in (p.data_index, p.paid_index);
"""
# Of two unspent outputs of a transaction the first keeps 300 base units and the other takes the rest, so that all sums
# stay what they were. That is dust, but of a witness's key hash on Bitcoin.
_DUST = """
    with pairs as (
        select o.transaction_hash, min(o.index) as dust_index, max(o.index) as other_index
        from raw_data.{chain}_outputs as o
        where o.type <> 'nulldata' and not o.is_from_coinbase and o.value > 300 and o.block_id % 3 = 1 and not exists (
            select from raw_data.{chain}_inputs as i
            where i.transaction_hash = o.transaction_hash and i.index = o.index
        )
        group by o.transaction_hash
        having count(*) = 2
    ),
    moved as (
        select p.transaction_hash, p.dust_index, p.other_index, o.value - 300 as value
        from pairs as p
        join raw_data.{chain}_outputs as o on o.transaction_hash = p.transaction_hash and o.index = p.dust_index
    )
    update raw_data.{chain}_outputs as o
    set value = o.value + case when o.index = m.dust_index then -m.value else m.value end
    from moved as m
    where m.transaction_hash = o.transaction_hash and o.index in (m.dust_index, m.other_index);
"""
# One token becomes a stablecoin that names neither symbol nor decimals, another one that names both; others are made,
# destroyed, or name different decimals within a day.
_TOKENS = """
    update raw_data.ethereum_erc20_transactions
    set token_address = 'dac17f958d2ee523a2206206994597c13d831ec7', token_symbol = '', token_decimals = null
    where token_symbol = 'HUSD';
    update raw_data.ethereum_erc20_transactions
    set token_address = '6b175474e89094c44da98b954eedeac495271d0f' where token_symbol = 'B&W';
    update raw_data.ethereum_erc20_transactions
    set sender = '0000000000000000000000000000000000000000' where token_symbol = '' and block_id % 3 = 0;
    update raw_data.ethereum_erc20_transactions
    set recipient = '0000000000000000000000000000000000000000' where token_symbol = '' and block_id % 3 = 1;
    update raw_data.ethereum_erc20_transactions set token_decimals = 3 where token_decimals = 18 and block_id % 4 = 1;
"""
_AFTER_THE_MERGE = "update raw_data.ethereum_blocks set difficulty = 0 where id >= {merge};"
# A block whose uncles' reward is unknown.
_UNKNOWN_UNCLES = "update raw_data.ethereum_blocks set uncle_generation = null where id = 13000290;"

# Snapshots: two of a day that has a close, two of a day that has none, and one more of the newest day.
_SNAPSHOT = """
    insert into raw_data.{chain}_addresses (observed_at, address, balance, rank, _channel, _unit)
    select '{at}+00', address, balance * {times} + rank, rank, 'api', '{chain}/addresses/{at}+00:00'
    from raw_data.{chain}_addresses
    where _channel = 'api' and observed_at = (
        select min(observed_at) from raw_data.{chain}_addresses where _channel = 'api'
    ) and balance * {times} > 0;
"""
_STATISTICS = """
    insert into raw_data.{chain}_stats (observed_at, {supply}, _channel)
    select '{at}+00', {supply} - {less}, 'api'
    from raw_data.{chain}_stats
    where observed_at = (select max(observed_at) from raw_data.{chain}_stats);
"""
# Where, when, and by what the balances of the newest day are multiplied. The earliest snapshot there is stays so.
SNAPSHOTS = (
    ("bitcoin", "2025-04-11T20:00:00", 5),
    ("bitcoin", "2025-04-12T21:00:00", 2),
    ("bitcoin", "2025-04-12T05:00:00", 3),
    ("dogecoin", "2025-04-12T07:00:00", 3),
    ("ethereum", "2025-04-11T09:00:00", 2),
)
# Of earlier days; they come last, since the others look for the earliest.
EARLY_SNAPSHOTS = (
    ("dogecoin", "2025-04-09T03:00:00", 4),
    ("bitcoin", "2025-04-01T12:00:00", 1),
    ("bitcoin", "2025-03-25T21:00:00", 2),
    ("bitcoin", "2025-02-20T21:00:00", 2),
    ("bitcoin", "2025-02-20T05:00:00", 1),
)
_STATISTICS_TAKEN = (
    ("bitcoin", "circulation", "2025-04-05T11:00:00", 7),
    ("bitcoin", "circulation", "2025-04-05T22:00:00", 3),
    ("ethereum", "circulation_approximate", "2025-03-30T01:00:00", 11),
    ("ethereum", "circulation_approximate", "2025-03-30T02:00:00", 5),
)


def statements() -> list[str]:
    """All changes, in their order."""
    return [
        *(_CLOSES.format(coin=coin, first=first, last=last) for coin, first, last in UNPRICED),
        _SMALL_PRICES,
        _ODD_PRICES,
        _OLDER_CLOSES,
        _SELF_TRANSFERS,
        _DATA_WITH_VALUE,
        *(_DUST.format(chain=chain) for chain in ("bitcoin", "dogecoin")),
        (_BLOCK + _COINS_OF_BLOCK).format(chain="bitcoin", height=BITCOIN_MISSING),
        *((_BLOCK + _CALLS_OF_BLOCK).format(chain="ethereum", height=height) for height in ETHEREUM_MISSING),
        _LOST_ROWS,
        _TOKENS,
        _AFTER_THE_MERGE.format(merge=MERGE),
        _UNKNOWN_UNCLES,
        *(
            _SNAPSHOT.format(chain=chain, at=at, times=times)
            for snapshots in (SNAPSHOTS, EARLY_SNAPSHOTS)
            for chain, at, times in snapshots
        ),
        *(
            _STATISTICS.format(chain=chain, supply=supply, at=at, less=less)
            for chain, supply, at, less in _STATISTICS_TAKEN
        ),
    ]
