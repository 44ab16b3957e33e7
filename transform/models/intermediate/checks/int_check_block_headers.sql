-- What follows from a block's header and those of the blocks below it. No row depends on more than eleven heights down.
{{
    config(
        materialized='changed_days',
        meta={'recheck_failed': true},
        indexes=[{'columns': ['block_date']}],
    )
}}
{% set median_span = 11 %}
with

blocks as materialized (

    select
        chain,
        block_height,
        block_time,
        block_date,
        median_time,
        version,
        version_hex,
        version_bits,
        bits,
        difficulty,
        total_difficulty,
        chainwork,
        size_bytes,
        stripped_size_bytes,
        weight_wu,
        {{ target_number('bits') }} as target_value,
        {{ hex_to_numeric('chainwork') }} as work_so_far
    from {{ ref('int_blocks_unioned') }}
    where {{ in_lookback_of_changed_days(11) }}

),

linked as (

    select
        chain,
        block_height,
        block_time,
        block_date,
        median_time,
        version,
        version_hex,
        version_bits,
        bits,
        difficulty,
        total_difficulty,
        chainwork,
        size_bytes,
        stripped_size_bytes,
        weight_wu,
        target_value,
        work_so_far,
        -- 2^256 / (target + 1), rounded down: how many hashes the block stands for
        div(cast('{{ 2 ** 256 }}' as numeric), target_value + 1) as block_work,
        block_height = 0 or coalesce(lag(block_height) over by_height = block_height - 1, false) as has_parent,
        case
            when
                block_height - lag(block_height) over by_height <= 11 or lag(block_date) over by_height = block_date
                then lag(block_height) over by_height
        end as height_below,
        lag(block_time) over by_height as time_below,
        lag(work_so_far) over by_height as parent_work_so_far,
        lag(total_difficulty) over by_height as parent_total_difficulty,
        array_agg(block_time) over recent as recent_times,
        count(*) over recent as recent_count,
        min(block_height) over recent as recent_first
    from blocks
    window
        by_height as (partition by chain order by block_height),
        recent as (partition by chain order by block_height rows between {{ median_span - 1 }} preceding and current row)

),

measured as materialized (

    select
        chain,
        block_height,
        block_time,
        block_date,
        median_time,
        version,
        version_hex,
        version_bits,
        bits,
        difficulty,
        total_difficulty,
        chainwork,
        size_bytes,
        stripped_size_bytes,
        weight_wu,
        target_value,
        work_so_far,
        block_work,
        has_parent,
        height_below,
        time_below,
        parent_work_so_far,
        parent_total_difficulty,
        -- the upper of the two middle ones where their number is even, as nodes take it
        (
            select recent_time
            from unnest(recent_times) as recent_time
            order by recent_time
            limit 1 offset cast(recent_count / 2 as integer)
        ) as expected_median_time,
        array_position(recent_times, null) is null as has_recent_times,
        block_height - recent_first = recent_count - 1 and (recent_count = {{ median_span }} or recent_first = 0) as has_recent,
        -- the target of difficulty 1, with decimals enough for a double's precision at any difficulty
        cast('{{ 65535 * 2 ** 208 }}.{{ '0' * 40 }}' as numeric) / target_value as expected_difficulty
    from linked
    where {{ in_changed_days('block_date') }}

),

assessed as materialized (

    select
        chain,
        block_height,
        block_date,
        case
            when has_parent then 'verified'
            when height_below is null then 'unverifiable: no block directly below is loaded'
            when
                chain <> 'ethereum'
                and (
                    extract(hour from block_time at time zone 'UTC') between 3 and 20
                    and extract(hour from time_below at time zone 'UTC') between 3 and 20
                ) is not true
                then 'unverifiable: the parent may be of a neighbouring day that is not loaded'
            else
                'failed: block_height: expected ' || block_height - 1 || ' below, found ' || height_below
        end as block_parent,
        case
            when chain <> 'ethereum'
                then
                    case
                        when chainwork is null or bits is null then 'unverifiable: chainwork or bits is missing'
                        when work_so_far is null then 'failed: chainwork: expected 64 lower-case hex digits, found ' || chainwork
                        when target_value is null then 'failed: chainwork: bits are no target: found ' || bits
                        when block_height = 0 and work_so_far = block_work then 'verified'
                        when block_height = 0 then 'failed: chainwork: expected ' || block_work || ', found ' || work_so_far
                        when not has_parent then 'unverifiable: the parent block is not in the warehouse'
                        when parent_work_so_far is null then 'unverifiable: the parent''s chainwork is missing or malformed'
                        when work_so_far = parent_work_so_far + block_work then 'verified'
                        else
                            'failed: chainwork: expected ' || block_work || ' above the parent''s, found '
                            || work_so_far - parent_work_so_far
                    end
        end as block_chainwork,
        case
            when chain <> 'ethereum'
                then
                    case
                        when difficulty is null or bits is null then 'unverifiable: difficulty or bits is missing'
                        when target_value is null then 'failed: difficulty: bits are no target: found ' || bits
                        -- half of the last published decimal, and the next double
                        when
                            abs(difficulty - expected_difficulty)
                            <= 0.5 * power(cast(10 as numeric), -scale(difficulty)) + expected_difficulty * 0.00000000000000023
                            then 'verified'
                        else
                            'failed: difficulty: expected ' || round(expected_difficulty, scale(difficulty) + 2)
                            || ', found ' || difficulty
                    end
        end as block_difficulty,
        case
            when chain <> 'ethereum'
                then
                    case
                        when median_time is null then 'unverifiable: median_time is missing'
                        when not has_recent then 'unverifiable: not all of the ten blocks below are in the warehouse'
                        when not has_recent_times then 'unverifiable: the time of this block or of one of the ten below is missing'
                        when median_time = expected_median_time then 'verified'
                        else
                            'failed: median_time: expected '
                            || to_char(expected_median_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
                            || ', found ' || to_char(median_time at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')
                    end
        end as block_median_time,
        case
            when chain <> 'ethereum'
                then
                    {{ comparison([
                        ('version_hex', 'to_hex(version & 4294967295)', 'version_hex'),
                        ('version_bits', "right(cast(cast(version as bit(64)) as text), 30)", 'version_bits'),
                    ]) | indent(12) }}
        end as block_version_forms,
        case
            when {{ has_extension('chain', 'block_height') }}
                then 'unverifiable: whether weight counts the extension block is not known'
            when {{ is_chain_with('chain', 'has_segwit') }}
                then
                    {{ comparison([('weight', '3 * stripped_size_bytes + size_bytes', 'weight_wu')]) | indent(12) }}
        end as block_weight,
        case
            when chain = 'ethereum'
                then
                    case
                        when total_difficulty is null or difficulty is null then 'unverifiable: total_difficulty or difficulty is missing'
                        when block_height > 0 and not has_parent then 'unverifiable: the parent block is not in the warehouse'
                        when block_height > 0 and parent_total_difficulty is null
                            then 'unverifiable: the parent''s total_difficulty is missing'
                        when total_difficulty = coalesce(parent_total_difficulty, 0) + difficulty then 'verified'
                        else
                            'failed: total_difficulty: expected ' || coalesce(parent_total_difficulty, 0) + difficulty
                            || ', found ' || total_difficulty
                    end
        end as block_total_difficulty
    from measured

)

{{ outcomes_by_check([
    'block_parent',
    'block_chainwork',
    'block_difficulty',
    'block_median_time',
    'block_version_forms',
    'block_weight',
    'block_total_difficulty',
]) }}
