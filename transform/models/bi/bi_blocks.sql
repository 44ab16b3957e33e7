{{ config(materialized='view') }}
{{ as_bi(ref('fct_blocks')) }}
