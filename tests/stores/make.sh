#!/bin/sh
# make.sh BINARY OUT.tar.gz: a golden store as that version of cowshed writes it, for tests/store/golden.rs.
#
# Once made, an archive never changes: it stands for the stores that people have. It holds an image of two
# layers under two names, a stopped container with changes and a volume, volumes, and the journal. Run it as
# root, in a mount namespace of its own (unshare -m).
set -eu
binary=$(realpath "$1")
out=$(realpath -m "$2")
here=$(dirname "$(realpath "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
COWSHED_ROOT=$scratch/store
export COWSHED_ROOT

cc -Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables \
    -Wl,--build-id=none -Wl,-z,noseparate-code -o "$scratch/program" "$here/program.c"
strip "$scratch/program"

# A lower layer, and one on top that changes, removes and replaces.
lower=$scratch/lower upper=$scratch/upper
mkdir -p "$lower/bin" "$lower/etc" "$lower/data" "$lower/old" "$upper/etc" "$upper/old"
cp "$scratch/program" "$lower/bin/program"
echo root:x:0:0::/:/bin/program >"$lower/etc/passwd"
echo lower >"$lower/etc/file"
echo gone >"$lower/etc/gone"
echo kept >"$lower/data/kept"
echo hidden >"$lower/old/hidden"
ln "$lower/etc/file" "$lower/etc/same"
ln -s file "$lower/etc/link"
echo 위층 >"$upper/etc/file"
: >"$upper/etc/.wh.gone"
: >"$upper/old/.wh..wh..opq"
echo shown >"$upper/old/shown"
chmod 0750 "$upper/old"
tar -C "$lower" --numeric-owner --owner=0 --group=0 -cf "$scratch/lower.tar" .
tar -C "$upper" --numeric-owner --owner=0 --group=0 -cf "$scratch/upper.tar" .

"$binary" import -c 'ENTRYPOINT ["/bin/program"]' -c 'LABEL kind=golden' \
    --layer "$scratch/lower.tar" --layer "$scratch/upper.tar" golden:1
"$binary" tag golden:1 golden:latest
"$binary" volume create --label purpose=test named
"$binary" volume create other
"$binary" run --name box -v named:/data golden:1 /written first
"$binary" run --rm -v named:/data golden:1 /data/note inside
"$binary" run --name anonymous -v /anonymous golden:1
"$binary" rm anonymous

mkdir -p "$(dirname "$out")"
tar -C "$scratch" --numeric-owner --xattrs --xattrs-include='*' --sort=name -cf - store | gzip -9n >"$out"
ls -l "$out"
