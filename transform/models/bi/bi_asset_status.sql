{{ as_bi(ref('rpt_asset_status')) }}
