-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
select
    {{ surrogate_key(['value_band']) }} as value_band_key,
    value_band,
    min_value_usd,
    max_value_usd,
    band_order
from {{ ref('value_bands') }}

union all

-- a value on a day without a price
select
    -1 as value_band_key,
    'unknown' as value_band,
    null as min_value_usd,
    null as max_value_usd,
    0 as band_order
