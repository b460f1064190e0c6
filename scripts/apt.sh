#!/usr/bin/env bash
# apt.sh PACKAGE...: installs what is missing of them by apt-get, through sudo where that is needed.
set -euo pipefail

missing=()
for package in "$@"; do
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -gt 0 ]] || exit 0
if ! command -v apt-get >/dev/null; then
	echo "apt.sh: no apt-get here; please install: ${missing[*]}" >&2
	exit 1
fi
as_root=()
[[ $EUID -eq 0 ]] || as_root=(sudo)
get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
echo "installing ${missing[*]}" >&2
# The package lists of a fresh machine are empty or old: fetch them only if the first try fails.
if ! "${get[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1; then
	"${get[@]}" update >&2
	"${get[@]}" install -y --no-install-recommends "${missing[@]}" >&2
fi
