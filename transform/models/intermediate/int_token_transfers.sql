-- Transfers of ERC-20 tokens, with what is known of the token. A name proves nothing: only the contract identifies a stablecoin.
select
    'ethereum' as chain,
    transfers.block_height,
    transfers.transaction_hash,
    transfers._line as line_number,
    transfers.block_time,
    transfers.block_date,
    transfers.token_address,
    nullif(transfers.token_name, '') as token_name,
    coalesce(nullif(transfers.token_symbol, ''), stablecoins.token_symbol) as token_symbol,
    -- the standard has a byte for them
    cast(coalesce(
        case when transfers.token_decimals between 0 and 255 then transfers.token_decimals end, stablecoins.token_decimals
    ) as integer) as token_decimals,
    stablecoins.token_address is not null as is_stablecoin,
    transfers.sender_address,
    transfers.recipient_address,
    transfers.value_base
from {{ ref('stg_blockchair__ethereum_erc20_transactions') }} as transfers
left join {{ ref('stablecoins') }} as stablecoins on transfers.token_address = stablecoins.token_address
