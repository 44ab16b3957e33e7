#!/bin/sh
# Write COMMIT.sql.xz and COMMIT.json beside this file: a small warehouse and its bookmarks as `make run` of that commit
# fills them. Four days of six blocks; the last two blocks of the last day are reorganised away after the first run.
#
#     sh tests/data/upgrades/fill.sh 1d73d7d
set -eu
commit=$1
target=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
unset VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
export CI=true SIMULATOR_START=2025-01-30 SIMULATOR_DAYS=4 SIMULATOR_BLOCKS_PER_DAY=6 SIMULATOR_TRANSACTIONS_PER_BLOCK=3
export TAP_BLOCKCHAIR_START_DATE=2025-01-30 TAP_COINGECKO_START_DATE=2025-01-20
git worktree add --detach "$folder/was" "$commit"
cd "$folder/was"
PATH=$PWD/.venv/bin:$PATH
make run
python3 - <<'EOF'
import json, re, urllib.request
url = re.search(r"LOCAL_SIMULATOR_URL='?(http[^'\n]+)", open(".env").read())[1]
said = json.dumps({"chain": "bitcoin", "depth": 4}).encode()
request = urllib.request.Request(f"{url}/_simulator/reorg", said, {"Content-Type": "application/json"})
urllib.request.urlopen(request).close()
EOF
make run || echo "the run stopped; what it left is what an upgrade finds"
dump=$(find "$PWD/.venv" -path '*/bin/pg_dump' | head -n 1)
"$dump" --no-comments --restrict-key=upgrades "$(warehouse url --role admin)" | xz -9e > "$target/$commit.sql.xz"
for id in tap-coingecko-to-target-postgres tap-blockchair-to-target-postgres; do
    printf '{"id": "local:%s", "state": %s}\n' "$id" "$(meltano state get "local:$id" 2> /dev/null | tail -n 1)"
done > "$target/$commit.json"
make stop
cd "$target"
git worktree remove --force "$folder/was"
rmdir "$folder"
