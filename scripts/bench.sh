#!/usr/bin/env bash
# bench.sh start|import|remove|logs|volumes|backup|out|all [--quick]: what cowshed costs beside the least it could cost and beside other tools, on a
# scratch ext4 with a journal. Commands are run in turn; judge by the ratio to the first line, not by milliseconds.
# $COWSHED names the binary to measure (default: the one that build.sh makes).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bench=$here/target/bench

what=${1:-} quick=
[[ ${2:-} != --quick ]] || quick=yes
if [[ ! $what =~ ^(start|import|remove|logs|volumes|backup|out|all)$ || ${2:---quick} != --quick ]]; then
	sed -n '2,4s/^# //p' "$0" && exit 2
fi
if [[ $EUID -ne 0 ]]; then exec sudo --preserve-env=COWSHED,CARGO_TARGET_DIR -- "$0" "$@"; fi
if [[ ${COWSHED_BENCH_NAMESPACE:-} != private ]]; then
	# In a mount namespace of its own, so that even a killed run leaves no mount: the last process's end unmounts.
	"$here/scripts/apt.sh" busybox-static e2fsprogs gcc gzip libc6-dev python3 tar util-linux xfsprogs zstd
	COWSHED=${COWSHED:-$("$here/scripts/build.sh" | tail -n 1)}
	export COWSHED COWSHED_BENCH_NAMESPACE=private
	exec unshare --mount --propagation private -- "$0" "$@"
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/cowshed-bench.XXXXXX")
disk=$scratch/disk
dockerd=
mkdir "$disk"

# fresh_disk SIZE [TYPE]: a new ext4 or xfs on a loop device. Its file has no name any more once mounted, and umount frees
# the loop device.
fresh_disk() {
	remove_disk
	# A full page cache costs whoever writes next up to a second for 400 MB, at random.
	sync
	echo 3 >/proc/sys/vm/drop_caches
	truncate -s "$1" "$scratch/image"
	if [[ ${2:-ext4} == xfs ]]; then
		mkfs.xfs -q -K "$scratch/image"
	else
		mkfs.ext4 -q -F -O has_journal -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$scratch/image"
	fi
	mount -o loop "$scratch/image" "$disk"
	rm "$scratch/image"
}
remove_disk() {
	if mountpoint -q "$disk"; then umount -R "$disk" 2>/dev/null || umount -R -l "$disk"; fi
}
start_dockerd() {
	dockerd --bridge=none --iptables=false --ip6tables=false --data-root "$disk/docker" --exec-root "$disk/docker-run" \
		--storage-driver overlay2 -H "unix://$scratch/docker.sock" -p "$scratch/docker.pid" \
		>"$scratch/dockerd.log" 2>&1 </dev/null &
	dockerd=$!
	for _ in {1..100}; do
		if docker -H "unix://$scratch/docker.sock" version >/dev/null 2>&1; then return 0; fi
		kill -0 "$dockerd" 2>/dev/null || break
		sleep 0.2
	done
	tail -n 1 "$scratch/dockerd.log"
	return 1
}
stop_dockerd() {
	[[ $dockerd ]] || return 0
	kill "$dockerd" 2>/dev/null || true
	wait "$dockerd" || true
	dockerd=
}
cleanup() {
	cd /
	stop_dockerd
	remove_disk
	rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# compile NAME: a C program of benches/, only when its source is newer.
compile() {
	if [[ $here/benches/$1.c -nt $bench/$1 ]]; then
		cc -std=gnu11 -O2 -static -Wall -Wextra -Werror -o "$bench/$1" "$here/benches/$1.c"
	fi
}
# works NAME COMMAND...: whether a peer can take part; says why not.
works() {
	local name=$1 program=$2 said
	shift
	command -v "$program" >/dev/null || { echo "$name: not run: $program is not installed" && return 1; }
	said=$("$@" 2>&1) || { echo "$name: not run: $(tail -n 1 <<<"$said" | cut -c -160)" && return 1; }
}
timer() { "$bench/timer" "$@"; }
about_machine() {
	printf '%s, %s CPUs, Linux %s, load %s\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
		"$(uname -r)" "$(cut -d' ' -f1 /proc/loadavg)"
}

mkdir -p "$bench"
compile floor
compile timer
about_machine
# shellcheck source=scripts/bench-start.sh
if [[ $what == start || $what == all ]]; then . "$here/scripts/bench-start.sh"; fi
# shellcheck source=scripts/bench-import.sh
if [[ $what == import || $what == all ]]; then . "$here/scripts/bench-import.sh"; fi
# shellcheck source=scripts/bench-remove.sh
if [[ $what == remove || $what == all ]]; then . "$here/scripts/bench-remove.sh"; fi
# shellcheck source=scripts/bench-logs.sh
if [[ $what == logs || $what == all ]]; then . "$here/scripts/bench-logs.sh"; fi
# shellcheck source=scripts/bench-volumes.sh
if [[ $what == volumes || $what == all ]]; then . "$here/scripts/bench-volumes.sh"; fi
# shellcheck source=scripts/bench-backup.sh
if [[ $what == backup || $what == all ]]; then . "$here/scripts/bench-backup.sh"; fi
# shellcheck source=scripts/bench-image-out.sh
if [[ $what == out || $what == all ]]; then . "$here/scripts/bench-image-out.sh"; fi
