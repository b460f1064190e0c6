# shellcheck shell=bash disable=SC2154 # bench.sh sets the rest
# bench-start.sh: sourced by bench.sh. A container's start and end, `true` with a volume, against the C floor program.

start_rounds=200 start_peer_rounds=20
if [[ $quick ]]; then start_rounds=40 start_peer_rounds=5; fi
fixtures=$scratch/fixtures

prepare_start() {
	fresh_disk 4G
	"$here/scripts/fixtures.sh" "$fixtures" >/dev/null
	export COWSHED_ROOT=$disk/store
	"$COWSHED" import --layer "$fixtures/base/1-busybox" -c 'CMD ["sh"]' base >/dev/null
	"$COWSHED" volume create vol >/dev/null
	mkdir "$disk/floor" "$disk/volume"
	cp -a "$fixtures/base/1-busybox" "$disk/base"
	floor=("$bench/floor")
	ends=("$disk/base" "$disk/floor" "$disk/volume" true)
	ours=("$COWSHED" --root "$COWSHED_ROOT" run --rm -v vol:/data)
	bwrap=(bwrap --unshare-all --ro-bind "$disk/base" / --proc /proc --dev /dev --bind "$disk/volume" /mnt true)
}

fast_commands() {
	local peer=()
	if works 'bwrap (no overlay)' "${bwrap[@]}"; then peer=(@bwrap-no-overlay "${bwrap[@]}"); fi
	timer -n "$start_rounds" -w 5 @floor "${floor[@]}" "${ends[@]}" @cowshed-run "${ours[@]}" base true \
		@floor-volatile "${floor[@]}" --volatile "${ends[@]}" "${peer[@]}"
	printf '\nthe same in the host'\''s network\n'
	timer -n "$start_rounds" -w 5 @floor "${floor[@]}" --net=host "${ends[@]}" \
		@cowshed-run "${ours[@]}" --network host base true \
		@floor-volatile "${floor[@]}" --net=host --volatile "${ends[@]}"
}

# What many layers, many volumes and a second loop beside it cost.
many_of_all() {
	local layers=$scratch/layers many=() number
	for number in {1..127}; do
		mkdir -p "$layers/$number/opt"
		echo "$number" >"$layers/$number/opt/$number"
	done
	for number in {1..20}; do many+=(-v "vol$number:/data$number"); done
	for number in 30 60 128; do
		local above
		readarray -t above < <(seq -f "$layers/%g" 1 $((number - 1)))
		python3 "$here/scripts/make-image.py" -n "layers:$number" -f oci-dir -o "$layers/image" "$disk/base" "${above[@]}" >/dev/null
		"$COWSHED" load -q -i "$layers/image" >/dev/null
		rm -r "$layers/image"
	done
	printf '\nmany layers, 20 volumes\n'
	timer -n "$start_rounds" -w 5 @one-layer "${ours[@]}" base true @30-layers "${ours[@]}" layers:30 true \
		@60-layers "${ours[@]}" layers:60 true @128-layers "${ours[@]}" layers:128 true \
		@20-volumes "${ours[@]}" "${many[@]}" base true
	# shellcheck disable=SC2016 # the inner shell expands these
	local loops='for loop in 1 2; do (i=0; while [ $i -lt 50 ]; do "$@" || exit; i=$((i + 1)); done) & done; wait'
	local rounds=$((start_rounds / 40)) peer=()
	if command -v bwrap >/dev/null; then peer=(@bwrap-no-overlay sh -c "$loops" sh "${bwrap[@]}"); fi
	printf '\n100 runs, two at a time\n'
	timer -n "$rounds" -w 1 @cowshed-run sh -c "$loops" sh "$COWSHED" --root "$COWSHED_ROOT" run --rm base true "${peer[@]}"
}

runc_bundle() {
	mkdir "$disk/bundle" && cd "$disk/bundle" && runc spec && cd "$here" || return 1
	python3 - "$disk/bundle/config.json" "$disk/base" <<'PY'
import json, sys
path, root = sys.argv[1:]
config = json.load(open(path))
config["root"], config["process"]["args"] = {"path": root, "readonly": True}, ["true"]
config["process"]["terminal"] = False
config["process"].pop("rlimits", None)  # raising them takes a capability that a container host may lack
json.dump(config, open(path, "w"))
PY
}

slow_commands() {
	local peers=() archive=$fixtures/images/three-layers.docker.tar
	local docker=(docker -H "unix://$scratch/docker.sock")
	local podman=(podman --root "$disk/podman" --runroot "$disk/podman-run" --storage-driver overlay --cgroup-manager cgroupfs)
	# Its default limits are above what a container host may grant.
	local in_docker=("${docker[@]}" run --rm --network none -v vol:/data three-layers true)
	local in_podman=("${podman[@]}" run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024
		-v vol:/data three-layers true)
	local in_runc=(runc --root "$disk/runc" run --bundle "$disk/bundle" bench)

	if command -v runc >/dev/null; then runc_bundle; fi
	if works 'runc (no overlay)' "${in_runc[@]}"; then peers+=(@runc-no-overlay "${in_runc[@]}"); fi
	if works podman "${podman[@]}" load -q -i "$archive" && works podman "${in_podman[@]}"; then peers+=(@podman-run "${in_podman[@]}"); fi
	if command -v dockerd >/dev/null && ! start_dockerd; then
		echo 'docker: not run: dockerd did not start'
	elif works docker "${docker[@]}" load -i "$archive" && works docker "${in_docker[@]}"; then
		peers+=(@docker-run "${in_docker[@]}")
	fi
	timer -n "$start_peer_rounds" -w 1 @floor "${floor[@]}" "${ends[@]}" @cowshed-run "${ours[@]}" base true "${peers[@]}"
	stop_dockerd
}

prepare_start
printf '\nstart: run --rm -v vol:/data base true, %s rounds in turn\n' "$start_rounds"
fast_commands
many_of_all
printf '\nbeside the engines, %s rounds in turn\n' "$start_peer_rounds"
slow_commands
remove_disk
