-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
select
    {{ surrogate_key(['age_band']) }} as age_band_key,
    age_band,
    min_days,
    max_days,
    band_order
from {{ ref('age_bands') }}

union all

select
    -1 as age_band_key,
    'unknown' as age_band,
    null as min_days,
    null as max_days,
    0 as band_order
