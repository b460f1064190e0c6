# shellcheck shell=bash disable=SC2154 # bench.sh sets the rest
# bench-remove.sh: sourced by bench.sh. `rmi` of an image with 40,000 files against `rm -rf` of the same trees, each on a
# newly made file system; and how soon the image cannot be seen any more.

remove_rounds=7 remove_files=20000
if [[ $quick ]]; then remove_rounds=3 remove_files=5000; fi
removed=$scratch/remove-samples

# Two layers: many files in one directory, and as many in many directories.
make_layers() {
	python3 - "$scratch" "$remove_files" <<'PY'
import io, sys, tarfile
root, count = sys.argv[1], int(sys.argv[2])
for number, name in ((1, lambda n: f"flat/file{n}"), (2, lambda n: f"deep/{n % 400}/sub/file{n}")):
    with tarfile.open(f"{root}/remove-{number}.tar", "w") as tar:
        made = set()
        for n in range(count):
            size = 200 if number == 1 else 1000 + n % 40 * 1000
            above = name(n).split("/")[:-1]
            for depth in range(1, len(above) + 1):
                path = "/".join(above[:depth])
                if path not in made:
                    made.add(path)
                    entry = tarfile.TarInfo(path)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
            entry = tarfile.TarInfo(name(n))
            entry.size = size
            tar.addfile(entry, io.BytesIO(bytes([n % 251]) * size))
PY
}
# fill: the image in a store on a new disk, and all of it on that disk.
fill() {
	fresh_disk 3G
	"$COWSHED" --root "$disk/store" import --sync none --layer "$scratch/remove-1.tar" --layer "$scratch/remove-2.tar" many >/dev/null
	sync -f "$disk"
}
# seen COMMAND...: milliseconds until the image's record is gone.
seen() {
	python3 - "$disk/store/images" "$@" <<'PY'
import os, subprocess, sys, time
images, command = sys.argv[1], sys.argv[2:]
record = next(f"{images}/{name}" for name in os.listdir(images) if len(name) == 69)
start = time.perf_counter()
child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
while os.path.exists(record):
    time.sleep(0.0001)
print(f"{(time.perf_counter() - start) * 1000:.1f}")
child.wait()
PY
}

make_layers
printf '\nremove: %s files, %s rounds in turn, each on a new ext4\n' "$((2 * remove_files))" "$remove_rounds"
for ((round = 0; round < remove_rounds; round++)); do
	fill
	timer -n 1 -w 0 -o "$removed" @rm-rf rm -rf "$disk/store/overlay2" "$disk/store/blobs"
	fill
	timer -n 1 -w 0 -o "$removed" @cowshed-rmi "$COWSHED" --root "$disk/store" rmi many
done
timer -t "$removed"
gone=()
for ((round = 0; round < remove_rounds; round++)); do
	fill
	gone+=("$(seen "$COWSHED" --root "$disk/store" rmi many)")
done
echo "the image is out of sight after (ms): ${gone[*]}"
remove_disk
