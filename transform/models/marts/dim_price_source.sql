-- depends_on: {{ ref('int_integrity_failures') if this is not none }}
select
    {{ surrogate_key(['price_source']) }} as price_source_key,
    price_source,
    price_provider,
    price_method
from {{ ref('price_sources') }}

union all

select
    -1 as price_source_key,
    'unknown' as price_source,
    'unknown' as price_provider,
    'Unknown.' as price_method
