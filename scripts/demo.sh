#!/usr/bin/env bash
# demo.sh [--lang en|ko] [--keep]: builds cowshed and shows what it does, in a store of its own that is removed at
# the end unless --keep is given. Every step checks that it showed what it says; the exit code is 1 if one did not.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

lang=en keep=
case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in ko*) lang=ko ;; esac
while [[ $# -gt 0 ]]; do
	case $1 in
	--lang) lang=${2:?--lang needs en or ko} && shift 2 ;;
	--lang=*) lang=${1#*=} && shift ;;
	--keep) keep=yes && shift ;;
	*) sed -n '2,3s/^# //p' "$0" && exit 2 ;;
	esac
done
[[ $lang == en || $lang == ko ]] || { echo "demo.sh: --lang is en or ko, not $lang" >&2 && exit 2; }

if [[ $EUID -ne 0 ]]; then # mounting takes root
	exec sudo --preserve-env=COWSHED,CARGO_TARGET_DIR -- "$0" --lang "$lang" ${keep:+--keep}
fi

steps=0 bold='' colour='' plain=''
if [[ -t 1 && ! ${NO_COLOR:-} ]]; then bold=$'\e[1m' colour=$'\e[36m' plain=$'\e[0m'; fi
say() { # say ENGLISH KOREAN: the next step's story
	steps=$((steps + 1))
	if [[ $lang == ko ]]; then shift; fi
	printf '\n%s%d. %s%s\n' "$bold" "$steps" "$1" "$plain"
}
show() { # show COMMAND...: prints it as one would type it, runs it, keeps its output in $output and its code in $code
	local word line='$'
	for word in "$@"; do
		if [[ $word =~ ^[[:alnum:]_./:=@%,{}-]+$ ]]; then line+=" $word"; else line+=" '$word'"; fi
	done
	printf '%s%s%s\n' "$colour" "$line" "$plain"
	code=0
	output=$("$@" 2>&1) || code=$?
	[[ -z $output ]] || grep -e "${only:-}" <<<"$output" || true # $only: the lines worth showing
}
expect() { # expect CODE [REGEX]: of the last command shown
	if [[ $code -ne $1 || ! $output =~ ${2:-} ]]; then
		echo "demo.sh: step $steps: expected exit code $1${2:+ and output like \"$2\"}, got exit code $code" >&2
		exit 1
	fi
}
refuse() { # refuse TEXT: must not be in the output of the last command shown
	[[ $output != *"$1"* ]] || { echo "demo.sh: step $steps: did not expect \"$1\"" >&2 && exit 1; }
}
cowshed() { "$COWSHED" "$@"; }
data_of() { # data_of CONTAINER KEY: one directory of its union mount
	cowshed inspect "$1" | python3 -c 'import json, sys
found = json.load(sys.stdin)
print((found[0] if isinstance(found, list) else found)["GraphDriver"]["Data"][sys.argv[1]])' "$2"
}

"$here/scripts/apt.sh" busybox-static ca-certificates gcc libc6-dev python3
COWSHED=${COWSHED:-$("$here/scripts/build.sh" | tail -n 1)}
home=$(mktemp -d "${TMPDIR:-/tmp}/cowshed-demo.XXXXXX")
export COWSHED_ROOT=$home/store
cleanup() {
	cd /
	if [[ $keep ]]; then echo "kept: COWSHED_ROOT=$COWSHED_ROOT $COWSHED" >&2; else rm -rf "$home"; fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM
"$here/scripts/fixtures.sh" "$home/fixtures" >/dev/null
cd "$home/fixtures/images"

say 'An image is a stack of layers. We load one with three, written by somebody else'\''s tool.' \
	'이미지는 레이어를 쌓은 것입니다. 다른 도구로 만든 3층짜리 이미지를 불러옵니다.'
show cowshed load -i three-layers.oci.tar && expect 0 'three-layers'
show cowshed images && expect 0 'three-layers'
only='"sha256:[0-9a-f]*",\?$' show cowshed image inspect three-layers && expect 0 'sha256:.*sha256:.*sha256:'
show cowshed run --rm three-layers cat /etc/motd && expect 0 'from layer 3'

say 'A container only adds an upper directory above the layers. Reading the 100 MB file puts nothing into it.' \
	'컨테이너는 레이어 위에 upper 디렉터리 하나를 더할 뿐입니다. 100 MB 파일을 읽어도 거기에는 아무것도 생기지 않습니다.'
show cowshed run --name reader three-layers sh -c 'wc -c < /var/big.bin' && expect 0 '104857600'
show cowshed diff reader && expect 0 && refuse big.bin
mapfile -td: layers < <(printf %s "$(data_of reader LowerDir)")
show du -sh "${layers[@]}" && expect 0 '10[01]M'
upper=$(data_of reader UpperDir)
show du -sh "$upper" && expect 0 '^[0-9.]+K?[[:space:]]'

say 'Writing one byte of it copies all of it up: copy-on-write.' \
	'그 파일에 한 바이트만 써도 파일 전체가 위로 복사됩니다. 이것이 copy-on-write입니다.'
show cowshed run --name writer three-layers sh -c 'printf X | dd of=/var/big.bin bs=1 conv=notrunc 2>/dev/null; head -c 3 /var/big.bin'
expect 0 '^Xne'
show cowshed diff writer && expect 0 'C /var/big.bin'
upper=$(data_of writer UpperDir)
show du -sh "$upper" && expect 0 '^10[01]M'

say 'The image did not change: the next container sees the old byte.' \
	'이미지는 그대로입니다. 다음 컨테이너는 원래 바이트를 봅니다.'
show cowshed run --rm three-layers head -c 3 /var/big.bin && expect 0 '^one'

say 'Remove the container, and what it wrote goes with it.' \
	'컨테이너를 지우면 그 안에 쓴 것도 함께 사라집니다.'
show cowshed rm reader writer && expect 0 'writer'
show ls "$upper" && expect 2

say 'A volume outlives containers.' '볼륨은 컨테이너보다 오래 삽니다.'
show cowshed volume create notes && expect 0 'notes'
show cowshed run --rm -v notes:/data three-layers sh -c 'echo "written by the first" > /data/note' && expect 0
show cowshed run --rm -v notes:/data three-layers cat /data/note && expect 0 'written by the first'

say 'A bind mount is one directory seen from both sides.' \
	'바인드 마운트는 양쪽에서 보이는 하나의 디렉터리입니다.'
mkdir "$home/shared" && echo 'from the host' >"$home/shared/host"
show cowshed run --rm -v "$home/shared:/shared" three-layers sh -c 'cat /shared/host; echo "from the container" > /shared/container'
expect 0 'from the host'
show cat "$home/shared/container" && expect 0 'from the container'

say 'A tmpfs lives in memory, and is gone with its container.' \
	'tmpfs는 메모리에만 있고 컨테이너와 함께 사라집니다.'
show cowshed run --name scratch --tmpfs /scratch three-layers sh -c 'echo secret > /scratch/file; ls /scratch; grep " /scratch " /proc/mounts'
expect 0 'file.*tmpfs'
upper=$(data_of scratch UpperDir)
show find "$upper" -name file && expect 0 '^$'

say 'Nothing stays behind.' '아무것도 남지 않습니다.'
show cowshed rm scratch && expect 0
show cowshed volume rm notes && expect 0
show cowshed rmi three-layers && expect 0
show grep "$home" /proc/self/mounts && expect 1 '^$'
printf '\n%s\n' "demo: $steps steps, all as told"
