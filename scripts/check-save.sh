#!/usr/bin/env bash
# check-save.sh: what `save` writes is read by docker, podman, containerd and skopeo, as far as they are installed.
# $COWSHED names the binary (default: the one that build.sh makes).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ $EUID -ne 0 ]]; then exec sudo --preserve-env=COWSHED,CARGO_TARGET_DIR -- "$0" "$@"; fi
COWSHED=${COWSHED:-$("$here/scripts/build.sh" | tail -n 1)}
scratch=$(mktemp -d "${TMPDIR:-/tmp}/cowshed-save.XXXXXX")
daemons=()
cleanup() {
	for pid in "${daemons[@]}"; do if kill "$pid" 2>/dev/null; then wait "$pid" || true; fi; done
	rm -rf --one-file-system "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

ours=("$COWSHED" --root "$scratch/store")
mkdir -p "$scratch/root/bin"
cp /bin/busybox "$scratch/root/bin/busybox"
ln -s busybox "$scratch/root/bin/sh"
"${ours[@]}" import -c 'CMD ["/bin/busybox", "cat", "/text"]' "$scratch/root" base:1 >/dev/null
"${ours[@]}" run --name box base:1 sh -c 'echo text >/text; /bin/busybox truncate -s 100k /holes; /bin/busybox ln /text /twin'
"${ours[@]}" commit -c 'CMD ["/bin/busybox", "cat", "/text"]' box made:2 >/dev/null
id=$("${ours[@]}" image inspect -f '{{.Id}}' made:2)
"${ours[@]}" save -o "$scratch/oci.tar" base:1 made:2
"${ours[@]}" save --format docker-archive -o "$scratch/docker.tar" base:1 made:2
"${ours[@]}" save --format oci-dir -o "$scratch/layout" made:2

same() { # same NAME FOUND
	if [[ $2 == *"${id#sha256:}"* ]]; then echo "$1: the same image"; else echo "$1: not the same: $2, not $id" && exit 1; fi
}
wait_for() { for _ in {1..100}; do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done; return 1; }

if command -v skopeo >/dev/null; then
	for source in oci-archive:"$scratch/oci.tar:2" docker-archive:"$scratch/docker.tar:made:2" \
		docker-archive:"$scratch/oci.tar:made:2" oci:"$scratch/layout:2"; do
		config=$(skopeo inspect --config --raw "$source" | sha256sum | cut -d' ' -f1)
		same "skopeo ${source%%:*}" "$config"
	done
fi
if command -v dockerd >/dev/null; then
	docker=(docker -H "unix://$scratch/docker.sock")
	dockerd --bridge=none --iptables=false --ip6tables=false --data-root "$scratch/docker" --exec-root "$scratch/docker-run" \
		-H "unix://$scratch/docker.sock" -p "$scratch/docker.pid" >"$scratch/dockerd.log" 2>&1 </dev/null &
	daemons+=($!)
	if wait_for "${docker[@]}" version; then
		for archive in oci.tar docker.tar; do
			"${docker[@]}" load -qi "$scratch/$archive" >/dev/null
			same "docker load $archive" "$("${docker[@]}" image inspect -f '{{.Id}}' made:2)"
			# And it can write it again, layer by layer the same.
			"${docker[@]}" save -o "$scratch/again.tar" made:2
			"${docker[@]}" rmi -f base:1 made:2 >/dev/null
			rm -rf "$scratch/other"
			"$COWSHED" --root "$scratch/other" load -qi "$scratch/again.tar"
			same "docker save of $archive" "$("$COWSHED" --root "$scratch/other" image inspect -f '{{.Id}}' made:2)"
		done
	else
		echo "docker: not run: $(tail -n 1 "$scratch/dockerd.log" | cut -c -160)"
	fi
fi
if command -v podman >/dev/null; then
	podman=(podman --root "$scratch/podman" --runroot "$scratch/podman-run" --storage-driver vfs)
	for archive in oci.tar docker.tar; do
		"${podman[@]}" load -qi "$scratch/$archive" >/dev/null
		same "podman load $archive" "$("${podman[@]}" image inspect -f '{{.Id}}' made:2)"
		"${podman[@]}" rmi -fa >/dev/null
	done
fi
if command -v containerd >/dev/null && command -v ctr >/dev/null; then
	ctr=(ctr -a "$scratch/containerd.sock")
	containerd --root "$scratch/containerd" --state "$scratch/containerd-run" -a "$scratch/containerd.sock" \
		>"$scratch/containerd.log" 2>&1 </dev/null &
	daemons+=($!)
	if wait_for "${ctr[@]}" version; then
		wanted=$("${ours[@]}" image inspect -f '{{.Manifest}}' made:2)
		for archive in oci.tar docker.tar; do
			"${ctr[@]}" images import --no-unpack "$scratch/$archive" >/dev/null
			listed=$("${ctr[@]}" images ls | grep 'library/made:2')
			if [[ $archive == docker.tar || $listed == *$wanted* ]]; then echo "ctr import $archive: the same image"; else
				echo "ctr import $archive: $listed, not $wanted" && exit 1
			fi
			"${ctr[@]}" images rm docker.io/library/made:2 docker.io/library/base:1 >/dev/null
		done
	else
		echo "containerd: not run: $(tail -n 1 "$scratch/containerd.log" | cut -c -160)"
	fi
fi
