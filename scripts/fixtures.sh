#!/usr/bin/env bash
# fixtures.sh [--import] [OUTDIR]: completes rootfs-fixtures/ in OUTDIR (default target/fixtures) and writes
# three-layers in the image formats of other tools. --import also imports all four into the store ($COWSHED_ROOT),
# with the binary $COWSHED or the one that build.sh makes.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

import=
if [[ ${1:-} == --import ]]; then
	import=yes
	shift
fi
out=${1:-$here/target/fixtures}
path_env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

need_static_busybox() {
	# A static program has no program interpreter.
	[[ -x /bin/busybox ]] && ! grep -aqm1 -e '/ld-linux' -e '/ld-musl' /bin/busybox && return
	"$here/scripts/apt.sh" busybox-static
}

# One fixed time for everything that its recipe did not give one.
stamp() {
	find "$1" -newermt "@$2" ! -newermt '1 day' -exec touch -h -d @1700000000 {} +
}

complete() {
	local name=$1 start
	start=$(($(date +%s) - 1))
	mkdir -p "$out/$name"
	cp -R --no-preserve=mode,ownership,timestamps "$here/rootfs-fixtures/$name"/[0-9]* "$out/$name/"
	chmod -R u=rwX,go=rX "$out/$name"
	"$here/rootfs-fixtures/$name/recipe.sh" "$out/$name"
	stamp "$out/$name" "$start"
	[[ $name == base ]] || ln -s ../base/1-busybox "$out/$name/1-busybox"
}

layers_of() { realpath "$out/$1"/[0-9]*; }

write_images() {
	local layers config
	mapfile -t layers < <(layers_of three-layers)
	config="{\"Cmd\":[\"sh\"],\"Env\":[\"$path_env\"]}"
	mkdir "$out/images"
	make() {
		local ending=$1
		shift
		python3 "$here/scripts/make-image.py" -n three-layers:latest -c "$config" -o "$out/images/three-layers.$ending" \
			"$@" "${layers[@]}"
	}
	make oci -f oci-dir --level 1
	make oci.tar -f oci-tar --level 1
	if command -v zstd >/dev/null; then make oci-zstd.tar -f oci-tar -z zstd; fi
	make docker.tar -f docker-archive
	make docker.tar.gz -f docker-archive
	make docker-oci.tar -f docker-archive-oci
}

import_image() {
	local name=$1 layer args=()
	shift
	while read -r layer; do args+=(--layer "$layer"); done < <(layers_of "$name")
	"$COWSHED" import "${args[@]}" -c 'CMD ["sh"]' -c "ENV $path_env" "$@" "$name" >&2
}

need_static_busybox
umask 022
if [[ $EUID -ne 0 ]]; then
	echo 'fixtures.sh: not root: everything belongs to you, and there are no device nodes' >&2
fi
for name in base three-layers populate volume images; do
	[[ ! -e $out/$name ]] || rm -rf "${out:?}/$name"
done
for name in base three-layers populate volume; do complete "$name"; done
write_images
if [[ $import ]]; then
	COWSHED=${COWSHED:-$("$here/scripts/build.sh" | tail -n 1)}
	import_image base
	import_image three-layers
	import_image populate
	import_image volume -c 'VOLUME /data'
fi
echo "$out"
