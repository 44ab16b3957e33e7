-- What changed most from one day to the next, largest first.
with

coins as (

    select
        asset_key,
        coingecko_id as coin,
        asset_name
    from dim_asset
    where coingecko_id = any(%(coins)s)

),

changes as (

    select
        asset_key,
        figure_date,
        figure_name,
        figure_unit,
        figure_value,
        day_before_value,
        change_ratio,
        change_rank
    from bi_latest_changes
    where change_ratio is not null

)

select
    changes.figure_date as day,
    coins.coin,
    coins.asset_name,
    changes.figure_name,
    changes.figure_unit,
    changes.figure_value,
    changes.day_before_value,
    changes.change_ratio
from changes
inner join coins on changes.asset_key = coins.asset_key
order by changes.change_rank, array_position(%(coins)s, coins.coin), changes.figure_name
