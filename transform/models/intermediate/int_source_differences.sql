{{ config(materialized='table') }}
-- The days that came from both Blockchair and an own node, table by table; without such a day it costs nothing. The raw
-- tables are those of these models:
-- depends_on: {{ ref('stg_blockchair__utxo_blocks') }}
-- depends_on: {{ ref('stg_blockchair__utxo_transactions') }}
-- depends_on: {{ ref('stg_blockchair__utxo_outputs') }}
-- depends_on: {{ ref('stg_blockchair__utxo_inputs') }}
-- depends_on: {{ ref('stg_blockchair__ethereum_blocks') }}
-- depends_on: {{ ref('stg_blockchair__ethereum_transactions') }}
-- depends_on: {{ ref('stg_blockchair__ethereum_calls') }}
{{ compared_days() }}
