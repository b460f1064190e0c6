#!/usr/bin/env bash
# test.sh [lint|unit|root|leaks]...: all of them by default. The last line is the sum: every test, and every check of
# `lint` and `leaks`, counts as one. Asks for root through sudo where a step needs it.
set -euo pipefail
# A shell's background job ignores what Ctrl-C sends, and so would every program below it.
if [[ -z ${COWSHED_TEST_SIGNALS:-} ]]; then
	COWSHED_TEST_SIGNALS=default exec env --default-signal=HUP,INT,QUIT "$0" "$@"
fi
packages=(acl apache2-utils attr btrfs-progs bzip2 debootstrap docker-registry e2fsprogs fish gcc groff-base iproute2 libc6-dev
	libcap2-bin busybox-static openssh-sftp-server openssl procps python3 skopeo sshfs strace util-linux xfsprogs xz-utils zsh zstd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

steps=("$@")
[[ $# -gt 0 ]] || steps=(lint unit root leaks)
for step in "${steps[@]}"; do
	[[ $step =~ ^(lint|unit|root|leaks)$ ]] || { sed -n '2,3s/^# //p' "$0" && exit 2; }
done
sudo=()
[[ $EUID -eq 0 ]] || sudo=(sudo -E)
passed=0 failed=0

# A scratch directory for this run alone: what is left in it, or mounted from it, is a leak of ours and nobody else's.
# Short, because sockets are bound below it.
scratch=$(mktemp -d /tmp/cowshed-test.XXXXXX)
chmod 1777 "$scratch"
trap '"${sudo[@]}" rm -rf --one-file-system "$scratch" "$scratch.log" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

check() { # check NAME COMMAND...: one check, silent when it holds
	local name=$1 log=$scratch.log
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "check $name ... ok"
	else
		failed=$((failed + 1))
		echo "check $name ... FAILED"
		cat "$log"
	fi
	rm -f "$log"
}

count() { # count COMMAND...: runs tests, adds their result lines to the sum
	local log=$scratch.log code=0 ok bad
	"$@" 2>&1 | tee "$log" || code=$?
	ok=$(sed -n 's/^test result: .* \([0-9]*\) passed;.*/\1/p' "$log" | paste -sd+)
	bad=$(sed -n 's/^test result: .* \([0-9]*\) failed;.*/\1/p' "$log" | paste -sd+)
	rm -f "$log"
	passed=$((passed + ${ok:-0}))
	failed=$((failed + ${bad:-0}))
	# Neither a compile error nor an abort leaves a result line.
	if [[ $code -ne 0 && $((${bad:-0})) -eq 0 ]]; then failed=$((failed + 1)); fi
}

lint() {
	check fmt scripts/cargo.sh fmt --check
	check clippy scripts/cargo.sh clippy --locked --all-targets -- -D warnings
	check doc env RUSTDOCFLAGS='-D warnings' scripts/cargo.sh doc --locked --no-deps --document-private-items
	if command -v shellcheck >/dev/null; then
		check shellcheck shellcheck scripts/*.sh rootfs-fixtures/*/recipe.sh .ci/run
	fi
	if command -v cargo-deny >/dev/null; then check deny scripts/cargo.sh deny check; fi
}

unit() { count env TMPDIR="$scratch" scripts/cargo.sh test --locked --no-fail-fast; }

# Compiled as the user, run as root: `cargo test -- --ignored root_` without files of root's in target/.
root() {
	local programs program
	if ! programs=$(scripts/cargo.sh test --locked --no-run 2>&1); then
		echo "$programs"
		failed=$((failed + 1))
		return
	fi
	while read -r program; do
		count "${sudo[@]}" env TMPDIR="$scratch" CARGO_MANIFEST_DIR="$PWD" "$program" --ignored root_ </dev/null
	done < <(sed -n 's/^ *Executable .*(\(.*\))$/\1/p' <<<"$programs")
}

nothing_left() {
	local left
	left=$("${sudo[@]}" find "$scratch" -mindepth 1 -maxdepth 2)
	[[ -z $left ]] || { echo "$left" && return 1; }
}
nothing_mounted() { ! "${sudo[@]}" grep -s " [^ ]*${1}" /proc/[0-9]*/mountinfo; }
nothing_running() {
	local left=
	left=$("${sudo[@]}" grep -lsa "$1" /proc/[0-9]*/environ || true)
	[[ -z $left ]] || { echo "$left" | sed 's/environ$/cmdline/' | xargs "${sudo[@]}" grep -asH . && return 1; }
}
machine_clean() {
	! findmnt -rn -o TARGET | grep cowshed && ! pgrep -ax cowshed &&
		! find /tmp -maxdepth 1 -name 'cowshed*' ! -path "$scratch*" | grep .
}
leaks() {
	if [[ ${steps[*]} == leaks ]]; then # no run of ours to look after: look at the whole machine
		check 'nothing of cowshed on this machine' machine_clean
		return
	fi
	check 'no mount left' nothing_mounted "$scratch"
	check 'no process left' nothing_running "TMPDIR=$scratch"
	check 'no file left' nothing_left
}

if [[ $EUID -eq 0 || -n ${CI:-} ]]; then
	scripts/apt.sh "${packages[@]}"
	# For disks after a power cut; those tests say that they are skipped.
	scripts/apt.sh qemu-system-common || echo 'test.sh: no qemu-storage-daemon: no power is cut' >&2
fi
for step in "${steps[@]}"; do
	echo "== $step"
	"$step"
done
echo "$passed passed, $failed failed"
[[ $failed -eq 0 ]]
