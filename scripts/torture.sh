#!/usr/bin/env bash
# torture.sh [SEED] [TEST]: the container life cycle under attack, every kill point and the large amounts, as root.
# Minutes long. SEED (a number, default the time) is printed, so that a failure can be repeated.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seed=${1:-$(date +%s)} only=${2:-root_}
[[ $seed =~ ^[0-9]+$ ]] || { sed -n '2,3s/^# //p' "$0" && exit 2; }
sudo=()
[[ $EUID -eq 0 ]] || sudo=(sudo -E)
programs=$(scripts/cargo.sh test --locked --no-run --test life 2>&1) || { echo "$programs" && exit 1; }
program=$(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' <<<"$programs")
echo "seed $seed"
exec "${sudo[@]}" env COWSHED_TORTURE="$seed" CARGO_MANIFEST_DIR="$PWD" timeout 7200 \
	"$program" --ignored --nocapture --test-threads=1 "$only"
