#!/usr/bin/env bash
# Builds the release binary; the last line on stdout is its path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/cargo.sh build --release --locked --bin cowshed >&2
# .cargo/config.toml names the host as target, and that adds a folder.
host=$(scripts/cargo.sh version --verbose | sed -n 's/^host: //p')
binary=$(realpath "${CARGO_TARGET_DIR:-target}")/$host/release/cowshed
[[ -x $binary ]] || { echo "build.sh: no binary at $binary" >&2; exit 1; }
echo "$binary"
