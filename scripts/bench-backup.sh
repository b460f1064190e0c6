# shellcheck shell=bash disable=SC2153,SC2154,SC2086 # bench.sh sets the rest; flags are words
# bench-backup.sh: sourced by bench.sh. A volume to a file, beside GNU tar with the same compressor and two threads.
# Both make their file durable, and both make a new one: what is replaced by rename frees its blocks only afterwards.

backup_rounds=5 backup_bytes=400000000
if [[ $quick ]]; then backup_rounds=2 backup_bytes=100000000; fi

prepare_backup() {
	fresh_disk 6G
	export COWSHED_ROOT=$disk/store
	"$COWSHED" volume create data >/dev/null
	data=$COWSHED_ROOT/volumes/data/_data
	# Programs and libraries as they are in any image, and ten thousand small files.
	tar -C / -cf - usr/lib usr/bin 2>/dev/null | head -c "$backup_bytes" | tar -C "$data" -xf - 2>/dev/null || true
	mkdir "$data/small"
	seq 10000 | (cd "$data/small" && split -l 1 -a 4 - f)
	"$COWSHED" volume create many >/dev/null
	(cd "$COWSHED_ROOT/volumes/many/_data" && seq 200000 |
		awk '{ d = int($1 / 1000); if (!(d in made)) { system("mkdir d" d); made[d] = 1 } print $1 >("d" d "/f" $1); close("d" d "/f" $1) }')
	sync
}

# peak COMMAND...: the most memory that it had, in KiB; the command's own threads count, its children do not.
peak() {
	local name=$1 most
	shift
	"$@" >/dev/null 2>&1 &
	local pid=$!
	while [[ -r /proc/$pid/status ]]; do
		most=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null) || true
		[[ ! $most ]] || echo "$most"
		sleep 0.02
	done | sort -n | tail -n 1 | sed "s/^/$name: at most /; s/\$/ KiB/"
	wait "$pid"
}

measure_backup() {
	local gzip=(@tar-gzip sh -c "rm -f $disk/t.tar.gz; tar -C $data -c . | gzip >$disk/t.tar.gz && sync $disk/t.tar.gz")
	local cowshed="$COWSHED --root $COWSHED_ROOT volume"
	local backup="$cowshed backup -q"
	if command -v pigz >/dev/null; then
		gzip+=(@tar-pigz-2 sh -c "rm -f $disk/t.tar.gz; tar -C $data -c . | pigz -p 2 >$disk/t.tar.gz && sync $disk/t.tar.gz")
	else
		echo 'pigz: not run: not installed'
	fi
	timer -n "$backup_rounds" -w 1 @tar-zstd-T2 sh -c "rm -f $disk/t.tar.zst; tar -C $data -c . | zstd -q -T2 -f -o $disk/t.tar.zst && sync $disk/t.tar.zst" \
		@cowshed-zstd sh -c "rm -f $disk/c.tar.zst; $backup -o $disk/c.tar.zst data >/dev/null"
	timer -n "$backup_rounds" -w 1 "${gzip[@]}" @cowshed-gzip sh -c "rm -f $disk/c.tar.gz; $backup -o $disk/c.tar.gz data >/dev/null"
	timer -n "$backup_rounds" -w 1 @tar sh -c "rm -f $disk/t.tar; tar -C $data -cf $disk/t.tar . && sync $disk/t.tar" \
		@cowshed-none sh -c "rm -f $disk/c.tar; $backup -o $disk/c.tar data >/dev/null"
	stat -c '%n %s' "$disk"/[ct].tar* | sed "s,$disk/,,"
	timer -n "$backup_rounds" -w 1 @untar sh -c "rm -rf $disk/out && mkdir $disk/out && tar -C $disk/out -xf $disk/c.tar.zst && sync -f $disk" \
		@cowshed-restore sh -c "$cowshed rm -f restored >/dev/null; $cowshed restore -q $disk/c.tar.zst restored >/dev/null"
	peak 'backup of large files' "$COWSHED" volume backup -q -o "$disk/m" data
	peak 'backup of 200000 files' "$COWSHED" volume backup -q -o "$disk/m" many
	peak 'restore of 200000 files' "$COWSHED" volume restore -q "$disk/m" memory
}

prepare_backup
printf '\nbackup: %s of data, %s rounds in turn\n' "$(du -sh "$data" | cut -f1)" "$backup_rounds"
measure_backup
remove_disk
