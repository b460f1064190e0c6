# shellcheck shell=bash disable=SC2154 # bench.sh sets the rest
# bench-image-out.sh: sourced by bench.sh. C1: diff and commit of 300 changes on a small image and on one of 40,000 files, and
# what docker and podman need for the same. `images -q` opens the store and walks nothing: what it needs is no part of the walk.

out_rounds=40 out_peer_rounds=5
if [[ $quick ]]; then out_rounds=10 out_peer_rounds=2; fi

# One directory of many, as images have them: out_tree FILES DIRECTORY
out_tree() {
	mkdir -p "$2/bin" "$2/tree"
	cp /bin/busybox "$2/bin/busybox"
	ln -sf busybox "$2/bin/sh"
	python3 - "$1" "$2/tree" <<'PY'
import os, sys
count, top = int(sys.argv[1]), sys.argv[2]
for number in range(count):
    place = os.path.join(top, str(number // 400))
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, str(number)), "w") as file:
        file.write(str(number) * 20)
PY
}
# 100 files new, 100 changed, 100 gone.
# shellcheck disable=SC2016 # the container's shell expands these
out_script='cd /tree/0; for n in $(/bin/busybox seq 0 99); do echo new >/new$n; echo more >>$n; /bin/busybox rm $((n + 100)); done'

prepare_out() {
	fresh_disk 8G
	export COWSHED_ROOT=$disk/store
	local size
	for size in 1000 40000; do
		out_tree "$size" "$disk/tree-$size"
		tar -C "$disk/tree-$size" -cf "$disk/$size.tar" .
		rm -rf "$disk/tree-$size"
		"$COWSHED" import --sync none "$disk/$size.tar" "files:$size" >/dev/null
		"$COWSHED" run --name "box$size" "files:$size" sh -c "$out_script"
	done
	sync -f "$disk"
}

out_commands() {
	local run=("$COWSHED" --root "$COWSHED_ROOT")
	timer -n "$out_rounds" -w 3 @images-q "${run[@]}" images -q \
		@diff-1000-files "${run[@]}" diff box1000 @diff-40000-files "${run[@]}" diff box40000 \
		@commit-volatile-1000-files "${run[@]}" commit --sync none box1000 \
		@commit-volatile-40000-files "${run[@]}" commit --sync none box40000 \
		@commit-durable-40000-files "${run[@]}" commit box40000
}

out_peers() {
	local peers=() size=40000
	local docker=(docker -H "unix://$scratch/docker.sock")
	local podman=(podman --root "$disk/podman" --runroot "$disk/podman-run" --storage-driver overlay --cgroup-manager cgroupfs)
	if command -v dockerd >/dev/null && ! start_dockerd; then
		echo 'docker: not run: dockerd did not start'
	elif works docker "${docker[@]}" import "$disk/$size.tar" files &&
		works docker "${docker[@]}" run --network none --name box files sh -c "$out_script"; then
		peers+=(@docker-diff "${docker[@]}" diff box @docker-commit "${docker[@]}" commit box)
	fi
	if works podman "${podman[@]}" import -q "$disk/$size.tar" files &&
		works podman "${podman[@]}" run --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --name box files \
			sh -c "$out_script"; then
		peers+=(@podman-diff "${podman[@]}" diff box @podman-commit "${podman[@]}" commit -q box)
	fi
	if [[ ${#peers[@]} -gt 0 ]]; then
		timer -n "$out_peer_rounds" -w 1 @cowshed-diff "$COWSHED" --root "$COWSHED_ROOT" diff "box$size" \
			@cowshed-commit "$COWSHED" --root "$COWSHED_ROOT" commit "box$size" "${peers[@]}"
	fi
	stop_dockerd
}

prepare_out
printf '\nC1: diff and commit of 300 changes, %s rounds in turn\n' "$out_rounds"
out_commands
printf '\nthe same beside others, 40,000 files, %s rounds in turn\n' "$out_peer_rounds"
out_peers
