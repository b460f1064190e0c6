# shellcheck shell=bash disable=SC2154,SC2086 # bench.sh sets the rest; flags are words
# bench-logs.sh: sourced by bench.sh. A container's output on its way to a reader and into its log, lines of 74 bytes.

logs_rounds=5 logs_bytes=1073741824
if [[ $quick ]]; then logs_rounds=2 logs_bytes=134217728; fi
fixtures=$scratch/fixtures

prepare_logs() {
	fresh_disk 12G
	"$here/scripts/fixtures.sh" "$fixtures" >/dev/null
	export COWSHED_ROOT=$disk/store
	"$COWSHED" import --layer "$fixtures/base/1-busybox" -c 'CMD ["sh"]' base >/dev/null
	mkdir "$disk/data"
	{ yes 0123456789012345678901234567890123456789012345678901234567890123456789012 || true; } 2>/dev/null |
		head -c "$logs_bytes" >"$disk/data/lines"
}

measure_logs() {
	local sums data="-v $disk/data:/data:ro" docker="docker -H unix://$scratch/docker.sock" peers=() readers=()
	local archive=$fixtures/images/three-layers.docker.tar
	if command -v dockerd >/dev/null && start_dockerd && $docker load -i "$archive" >/dev/null; then
		peers=(@docker-run sh -c "$docker run --rm --network none $data three-layers cat /data/lines | cat >/dev/null")
		$docker run -d --network none --name logged $data three-layers cat /data/lines >/dev/null
		$docker wait logged >/dev/null
		readers=(@docker-logs sh -c "$docker logs logged | cat >/dev/null")
	else
		echo 'docker: not run'
	fi
	"$COWSHED" run -d --name logged $data base cat /data/lines >/dev/null
	"$COWSHED" wait logged >/dev/null
	sums=$({ md5sum <"$disk/data/lines" && "$COWSHED" logs logged | md5sum &&
		"$COWSHED" run --rm $data base cat /data/lines | md5sum; } | sort | uniq -c | tr -s " " | cut -d" " -f2)
	[[ $sums == 3 ]] || { echo 'the bytes that came out are not those that went in' && return 1; }
	timer -n "$logs_rounds" -w 1 @pipe sh -c "cat $disk/data/lines | cat >/dev/null" \
		@cowshed-run sh -c "$COWSHED --root $COWSHED_ROOT run --rm $data base cat /data/lines | cat >/dev/null" \
		@cowshed-run-no-log sh -c "$COWSHED --root $COWSHED_ROOT run --rm --log-driver none $data base cat /data/lines | cat >/dev/null" \
		@cowshed-logs sh -c "$COWSHED --root $COWSHED_ROOT logs logged | cat >/dev/null" "${peers[@]}" "${readers[@]}"
	stop_dockerd
}

prepare_logs
printf '\nlogs: %s MiB through standard output, %s rounds in turn\n' "$((logs_bytes >> 20))" "$logs_rounds"
measure_logs
remove_disk
