-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
select
    {{ surrogate_key(['output_size_band']) }} as output_size_band_key,
    output_size_band,
    min_value_native,
    max_value_native,
    band_order
from {{ ref('output_size_bands') }}

union all

select
    -1 as output_size_band_key,
    'unknown' as output_size_band,
    null as min_value_native,
    null as max_value_native,
    0 as band_order
