#!/usr/bin/env bash
# docker-diff.sh [COWSHED]: gives the lines of docker-diff.list to Docker and to cowshed and compares exit code, standard
# output and the keys of `inspect`. A daemon of its own in a scratch directory; everything is removed. As root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for program in docker dockerd containerd runc; do
	command -v "$program" >/dev/null || { echo "skipped: no $program" && exit 0; }
done
cowshed=${1:-$(scripts/build.sh)}
list=$PWD/scripts/docker-diff.list
scratch=$(mktemp -d /tmp/cowshed-diff.XXXXXX)
export COWSHED_ROOT=$scratch/store
daemon=
clean() {
	if [[ -n $daemon ]]; then
		docker -H "unix://$scratch/sock" ps -aq 2>/dev/null | xargs -r docker -H "unix://$scratch/sock" rm -f >/dev/null 2>&1 || true
		kill "$daemon" 2>/dev/null || true
		wait "$daemon" 2>/dev/null || true
	fi
	"$cowshed" ps -aq | xargs -r "$cowshed" rm -f >/dev/null || true
	# What a daemon that was killed left mounted; the innermost first.
	sed -n "s|^[^ ]* [^ ]* [^ ]* [^ ]* \(${scratch}[^ ]*\) .*|\1|p" /proc/self/mountinfo | sort -r | xargs -r umount -l || true
	rm -rf --one-file-system "$scratch"
}
trap clean EXIT
trap 'exit 130' INT TERM

# The same image for both.
mkdir -p "$scratch/image/bin" "$scratch/image/etc" "$scratch/image/tmp" "$scratch/files"
cp /bin/busybox "$scratch/image/bin/busybox"
for name in sh true false echo id touch rm cat sleep hostname pwd grep ls; do ln -s busybox "$scratch/image/bin/$name"; done
echo 'root:x:0:0:root:/root:/bin/sh' >"$scratch/image/etc/passwd"
echo 'a file' >"$scratch/image/file"
tar -C "$scratch/image" -cf "$scratch/image.tar" .
"$cowshed" import --sync=none "$scratch/image.tar" base >/dev/null

dockerd --bridge=none --iptables=false --data-root "$scratch/data" --exec-root "$scratch/exec" -H "unix://$scratch/sock" \
	-p "$scratch/pid" >"$scratch/dockerd.log" 2>&1 &
daemon=$!
for _ in {1..300}; do
	if docker -H "unix://$scratch/sock" version >/dev/null 2>&1; then break; fi
	sleep 0.1
done
docker -H "unix://$scratch/sock" import "$scratch/image.tar" base >/dev/null ||
	{ tail -n 5 "$scratch/dockerd.log" && exit 1; }

ids() { sed -E 's/\b[0-9a-f]{64}\b/ID/g; s/\b[0-9a-f]{12}\b/ID/g; s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?/TIME/g' "$1"; }
keys() { python3 -c '
import json, sys
def walk(value, path):
    if isinstance(value, dict):
        for key, inner in value.items():
            print(path + "." + key)
            if key in ("State", "Config", "HostConfig", "Mounts"): walk(inner, path + "." + key)
walk(json.load(sys.stdin)[0], "")' | sort; }

engine() { # engine NAME LINE: runs it; code and output in files
	local name=$1 line=${2//@D/$scratch/files-$1} code=0
	case $name in
	# The classic builder; BuildKit is a program of its own.
	docker) line="DOCKER_BUILDKIT=0 docker -H unix://$scratch/sock $line" ;;
	cowshed) line="$cowshed $line" ;;
	esac
	mkdir -p "$scratch/files-$name"
	timeout 60 bash -c "$line" >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null || code=$?
	{ echo "exit $code" && ids "$scratch/$name.out"; } >"$scratch/$name.said"
}

lines=0 known=0 unexpected=0
while IFS= read -r entry; do
	[[ -n $entry && $entry != \#* ]] || continue
	line=${entry%%$'\t~ '*}
	lines=$((lines + 1))
	engine docker "$line"
	engine cowshed "$line"
	if ! cmp -s "$scratch/docker.said" "$scratch/cowshed.said"; then
		if [[ $entry == *$'\t~ '* ]]; then
			known=$((known + 1))
			continue
		fi
		unexpected=$((unexpected + 1))
		echo "--- $line"
		diff "$scratch/docker.said" "$scratch/cowshed.said" || true
		sed 's/^/docker:  /' "$scratch/docker.err"
		sed 's/^/cowshed: /' "$scratch/cowshed.err"
	fi
done <"$list"

# What a reader of Docker's JSON looks for and does not find here.
for name in docker cowshed; do
	engine $name 'create --network none --name keys base true'
	engine $name 'inspect keys'
	keys <"$scratch/$name.out" >"$scratch/$name.keys"
done
missing=$(comm -23 "$scratch/docker.keys" "$scratch/cowshed.keys" | grep -vxFf <(sed -n 's/^#key //p' "$list") || true)
if [[ -n $missing ]]; then
	unexpected=$((unexpected + 1))
	printf 'keys of inspect that are missing:\n%s\n' "$missing"
fi
echo "$lines lines, $known known differences, $unexpected unexpected"
[[ $unexpected -eq 0 ]]
