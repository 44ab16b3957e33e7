-- Every balance of every snapshot. The dump has all addresses with a balance, the API the largest ones.
{% for chain in ['bitcoin', 'dogecoin', 'ethereum'] %}
    select
        '{{ chain }}' as chain,
        observed_at,
        {{ utc_date('observed_at') }} as observed_date,
        address,
        balance_base,
        coalesce(_channel = 'dumps', false) as is_whole
    from {{ ref('stg_blockchair__' ~ chain ~ '_addresses') }}
    {{ "union all" if not loop.last }}
{% endfor %}
