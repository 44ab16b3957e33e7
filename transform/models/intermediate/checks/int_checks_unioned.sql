-- One branch per model of checks: a new one joins here, and from here it reaches the gate and fct_dq_results.
{% set models = [
    'int_check_block_header_hash',
    'int_check_block_proof_of_work',
    'int_check_block_headers',
    'int_check_block_amounts',
    'int_check_block_transactions',
    'int_check_transaction_parts',
    'int_check_transaction_calls',
    'int_check_unit_rows',
    'int_check_chain_days',
    'int_check_outpoints',
] %}
{% for model in models %}
    select
        check_name,
        chain,
        block_height,
        block_date,
        result,
        reason
    from {{ ref(model) }}
    {% if not loop.last %}

        union all

    {% endif %}
{% endfor %}
