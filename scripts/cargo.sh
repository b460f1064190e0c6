#!/usr/bin/env bash
# cargo.sh ARGS...: runs cargo wherever it lives; under sudo as the user who owns the checkout, so that target/
# holds no file of root's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

user=${SUDO_USER:-root}
if [[ $EUID -eq 0 && $user != root ]]; then
	home=$(getent passwd "$user" | cut -d: -f6)
	if [[ -x $home/.cargo/bin/cargo ]]; then
		PATH="$home/.cargo/bin:$PATH"
		if [[ $(stat -c %U .) == "$user" ]]; then
			exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups env HOME="$home" cargo "$@"
		fi
		export CARGO_HOME=${CARGO_HOME:-$home/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup}
	fi
fi
PATH="$PATH:${HOME:-/root}/.cargo/bin"
if ! command -v cargo >/dev/null; then
	echo "No Rust toolchain here. Get one with: curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y" >&2
	exit 1
fi
exec cargo "$@"
