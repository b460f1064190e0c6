# shellcheck shell=bash disable=SC2154 # bench.sh sets the rest
# bench-import.sh: sourced by bench.sh. Import and unpack of the reference image against `tar xzf` of its layers, each
# run on a newly made file system: deleting and creating again on the same one measures the inode allocator. Then its
# uncompressed form beside `docker load`, its largest layer alone, the whole once more on xfs, and a second load.

import_rounds=5 import_peer_rounds=2 reference=$bench/reference image_options=()
if [[ $quick ]]; then import_rounds=3 import_peer_rounds=1 reference=$bench/reference-quick image_options=(--quick); fi
samples=$scratch/import-samples

# The image is made once: OCI layout as folder and as tar, docker-archive, and the layers in order as N.tar.gz.
make_reference() {
	[[ ! -e $reference/made ]] || return 0
	echo 'making the reference image, once' >&2
	rm -rf "$reference"
	mkdir -p "$reference/layers"
	python3 "$here/scripts/bench-image.py" "$reference/layers" "${image_options[@]}"
	local made=(python3 "$here/scripts/make-image.py" -n reference:latest "$reference"/layers/[0-9].tar)
	"${made[@]}" -f oci-dir -o "$reference/oci"
	"${made[@]}" -f docker-archive -o "$reference/docker.tar"
	local tars=("$reference"/layers/[0-9].tar) largest
	largest=$(stat -c '%s %n' "${tars[@]}" | sort -n | tail -n 1 | cut -d' ' -f2)
	python3 "$here/scripts/make-image.py" -n single:latest -f oci-dir -o "$reference/single" "$largest"
	tar -C "$reference/single" -cf "$reference/single.tar" oci-layout index.json blobs
	tar -C "$reference/oci" -cf "$reference/oci.tar" oci-layout index.json blobs
	python3 - "$reference" <<'PY'
import json, os, sys
root = sys.argv[1]
blob = lambda d: f"{root}/oci/blobs/{d['digest'].replace(':', '/')}"
manifest = json.load(open(blob(json.load(open(f"{root}/oci/index.json"))["manifests"][0])))
for number, layer in enumerate(manifest["layers"], 1):
    os.link(blob(layer), f"{root}/layers/{number}.tar.gz")
PY
	ln "$largest.gz" "$reference/layers/largest.gz"
	(cd "$reference/layers" && for tar in [0-9].tar; do
		printf '%s %s bytes, %s gzip, %s entries\n' "$tar" "$(stat -c %s "$tar")" "$(stat -c %s "$tar.gz")" "$(tar tf "$tar" | wc -l)"
		rm "$tar"
	done) >"$reference/made"
}

# once NAME COMMAND...: one timed run on a file system of its own, from warm input.
once() {
	local name=$1
	shift
	fresh_disk 6G "$import_type"
	mkdir "$disk/out"
	cat "$reference"/*.tar "$reference"/layers/*.gz >/dev/null
	timer -n 1 -w 0 -o "$samples" "@$name" "$@"
	remove_disk
}
peer_round() {
	local podman=(podman --root "$disk/podman" --runroot "$disk/podman-run" --storage-driver overlay)
	if command -v podman >/dev/null; then once podman-load "${podman[@]}" load -q -i "$reference/docker.tar" || true; fi
	if command -v umoci >/dev/null; then once umoci-unpack umoci unpack --image "$reference/oci:latest" "$disk/out/bundle" || true; fi
	if command -v dockerd >/dev/null && command -v docker >/dev/null; then
		fresh_disk 6G
		if start_dockerd; then
			timer -n 1 -w 0 -o "$samples" @docker-load docker -H "unix://$scratch/docker.sock" load -q -i "$reference/docker.tar" || true
		fi
		stop_dockerd
		remove_disk
	fi
}

# in_turn ROUNDS TITLE: rounds of what the function `round` does, and the table.
in_turn() {
	printf '\nimport: %s, %s rounds in turn, each on a new %s\n' "$2" "$1" "$import_type"
	: >"$samples"
	for ((number = 0; number < $1; number++)); do round; done
	timer -t "$samples"
}
# The layers as tar unpacks them, one after the other. The inner shell expands these.
# shellcheck disable=SC2016
sequential=(sh -c 'for layer in "$1"/*.tar.gz; do tar xzf "$layer" -C "$2" || exit; done' sh "$reference/layers" "$disk/out")
ours=("$COWSHED" --root "$disk/store" load)
import_type=ext4

make_reference
cat "$reference/made"
round() {
	once tar-xzf "${sequential[@]}"
	once cowshed-load "${ours[@]}" -i "$reference/oci.tar"
	once cowshed-load-nosync "${ours[@]}" --sync none -i "$reference/oci.tar" # as the peers do
	if ((number < import_peer_rounds)); then peer_round; fi
}
in_turn "$import_rounds" 'the reference image'
for peer in podman umoci docker; do
	grep -q "^$peer" "$samples" || echo "$peer: not run: not installed, or it failed"
done
echo 'docker-load'\''s memory is its client'\''s alone; podman and docker read uncompressed layers'
round() {
	once tar-xzf "${sequential[@]}"
	once cowshed-load-uncompressed "${ours[@]}" --sync none -i "$reference/docker.tar"
}
in_turn "$import_rounds" 'uncompressed, as docker save writes it; docker-load above reads the same'
round() {
	once gunzip-only sh -c "gzip -dc $reference/layers/largest.gz >/dev/null"
	once tar-xzf tar xzf "$reference/layers/largest.gz" -C "$disk/out"
	once cowshed-load-nosync "${ours[@]}" --sync none -i "$reference/single.tar"
}
in_turn "$import_rounds" 'one large layer'
if command -v mkfs.xfs >/dev/null; then
	import_type=xfs
	round() {
		once tar-xzf "${sequential[@]}"
		once cowshed-load "${ours[@]}" -i "$reference/oci.tar"
		once cowshed-load-nosync "${ours[@]}" --sync none -i "$reference/oci.tar"
	}
	in_turn "$import_rounds" 'the reference image'
	import_type=ext4
fi
fresh_disk 6G
"${ours[@]}" -i "$reference/oci.tar" >/dev/null
"${ours[@]}" -i "$reference/docker.tar" >/dev/null
printf '\nimport: once more, all is there\n'
timer -n 20 -w 1 @oci-folder "${ours[@]}" -i "$reference/oci" @oci-archive "${ours[@]}" -i "$reference/oci.tar" \
	@docker-archive "${ours[@]}" -i "$reference/docker.tar"
remove_disk
