{# Indexes: a token, all of its days; days, also by their key, whose rows lie side by side: what reports ask for, and a load deletes. #}
{{
    config(
        materialized='changed_days',
        on_schema_change='append_new_columns',
        meta={'days_beside': true},
        indexes=[
            {'columns': ['token_address']},
            {'columns': ['chain', 'block_date', 'date_key'], 'type': 'brin'},
        ],
    )
}}
-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
with

token_days as (

    select
        chain,
        block_date,
        token_address,
        token_name,
        token_symbol,
        token_decimals,
        is_stablecoin,
        transfer_count,
        volume_base,
        volume_tokens,
        active_address_count,
        sender_count,
        recipient_count
    from {{ ref('int_tokens_daily') }}
    where {{ in_changed_days('block_date') }}

),

day_marks as (

    select
        chain,
        marked_date,
        has_all_blocks,
        is_complete
    from {{ ref('int_day_marks') }}
    where {{ in_changed_days('marked_date') }}

)

select
    {{ surrogate_key(['token_days.chain', 'token_days.block_date', 'token_days.token_address']) }} as token_day_key,
    {{ date_key('token_days.block_date') }} as date_key,
    token_days.chain,
    token_days.block_date,
    token_days.token_address,
    token_days.token_name,
    token_days.token_symbol,
    token_days.token_decimals,
    token_days.is_stablecoin,
    token_days.transfer_count,
    token_days.volume_base,
    token_days.volume_tokens,
    token_days.active_address_count,
    token_days.sender_count,
    token_days.recipient_count,
    coalesce(day_marks.has_all_blocks, false) as has_all_blocks,
    coalesce(day_marks.is_complete, false) as is_final
from token_days
left join day_marks on token_days.chain = day_marks.chain and token_days.block_date = day_marks.marked_date
