{{ as_bi(ref('fct_asset_pair_daily')) }}
