# shellcheck shell=bash disable=SC2154,SC2086,SC2206 # bench.sh sets the rest; commands are words
# bench-volumes.sh: sourced by bench.sh. Ten thousand volumes: what a list costs, and what everything else costs beside them.

volumes_count=10000 volumes_rounds=20
if [[ $quick ]]; then volumes_count=2000 volumes_rounds=10; fi
fixtures=$scratch/fixtures

prepare_volumes() {
	fresh_disk 8G
	"$here/scripts/fixtures.sh" "$fixtures" >/dev/null
	few=$disk/few many=$disk/many
	local store
	for store in "$few" "$many"; do
		"$COWSHED" --root "$store" import --sync=none --layer "$fixtures/base/1-busybox" -c 'CMD ["sh"]' base >/dev/null
		"$COWSHED" --root "$store" volume create vol >/dev/null
	done
	seq -f 'app-%05g-data' "$volumes_count" | xargs -n 1 -P 2 "$COWSHED" --root "$many" volume create >/dev/null
}

# Docker's client makes one a call; its API is quicker, and what is there in the end is the same.
fill_docker() {
	docker -H "unix://$scratch/docker.sock" load -q -i "$fixtures/images/three-layers.docker.tar" >/dev/null || return 1
	python3 - "$scratch/docker.sock" "$volumes_count" <<'PY'
import http.client, json, socket, sys
path, count = sys.argv[1], int(sys.argv[2])
connection = http.client.HTTPConnection("docker")
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
for number in range(count):
    body = json.dumps({"Name": f"app-{number:05}-data"})
    connection.request("POST", "/v1.41/volumes/create", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    answer.read()
PY
}

measure_volumes() {
	local docker="docker -H unix://$scratch/docker.sock" lists=() creates=() runs=()
	if command -v dockerd >/dev/null && start_dockerd && fill_docker; then
		lists=(@docker-ls $docker volume ls @docker-ls-q $docker volume ls -q)
		creates=(@docker-create-many $docker volume create)
		runs=(@docker-ps-many $docker ps)
	else
		echo 'docker: not run'
	fi
	local ours=("$COWSHED" --root "$many")
	printf '\nlists of %s volumes, %s rounds in turn\n' "$volumes_count" "$volumes_rounds"
	timer -n "$volumes_rounds" -w 2 @ls "${ours[@]}" volume ls @ls-q "${ours[@]}" volume ls -q \
		@ls-json "${ours[@]}" volume ls --format json @ls-dangling "${ours[@]}" volume ls -f dangling=true \
		@ls-long "${ours[@]}" volume ls --long "${lists[@]}"
	printf '\ncreate beside one volume and beside %s\n' "$volumes_count"
	timer -n "$volumes_rounds" -w 2 @create-few "$COWSHED" --root "$few" volume create \
		@create-many "${ours[@]}" volume create "${creates[@]}"
	printf '\nps, and run --rm -v vol:/data base true\n'
	timer -n "$volumes_rounds" -w 2 @ps-few "$COWSHED" --root "$few" ps @ps-many "${ours[@]}" ps "${runs[@]}"
	timer -n "$((volumes_rounds * 3))" -w 2 @run-few "$COWSHED" --root "$few" run --rm -v vol:/data base true \
		@run-many "${ours[@]}" run --rm -v vol:/data base true
	stop_dockerd
}

prepare_volumes
measure_volumes
remove_disk
