#!/usr/bin/env bash
# torture.sh [SEED] [TEST]: the store and the life of containers under attack, as root: every kill point, every call
# that can fail, bad disks, large amounts. Hours long.
# SEED (a number, default the time) is printed, so that a failure can be repeated; TEST is a part of a test's name.
# COWSHED_ONLY (a part of a command line), COWSHED_FAULT (ENOSPC, EIO, ...) and COWSHED_SAMPLE (points of each) narrow
# the sweeps of the store.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seed=${1:-$(date +%s)} only=${2:-root_}
[[ $seed =~ ^[0-9]+$ ]] || { sed -n '2,6s/^# //p' "$0" && exit 2; }
sudo=()
[[ $EUID -eq 0 ]] || sudo=(sudo -E)
programs=$(scripts/cargo.sh test --locked --no-run --test life --test store 2>&1) || { echo "$programs" && exit 1; }
echo "seed $seed"
failed=0
while read -r program; do
	"${sudo[@]}" env COWSHED_TORTURE="$seed" CARGO_MANIFEST_DIR="$PWD" timeout 14400 \
		"$program" --ignored --nocapture --test-threads=1 "$only" </dev/null || failed=1
done < <(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' <<<"$programs")
exit "$failed"
