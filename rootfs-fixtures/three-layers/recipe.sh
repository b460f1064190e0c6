#!/usr/bin/env bash
# Completes three-layers: recipe.sh OUT, where OUT holds copies of this folder's layers.
set -euo pipefail
cd "$1"

(
	cd 2-grow
	chmod 0755 opt/tool/bin/tool
	# Written out, not sparse: a copy-up of it must cost what it says.
	yes 'one hundred megabytes of cowshed fixture' 2>/dev/null | head -c 104857600 >var/big.bin || true
	ln srv/docs/linked-a srv/docs/linked-b
	ln srv/docs/linked-a opt/linked-c
	ln -s tool/bin opt/current
	ln -s kept.txt srv/docs/turns-into-file
	ln -s docs srv/latest
	if [[ $EUID -eq 0 ]]; then chown 1000:50 srv/docs/kept.txt; fi
)
(
	cd 3-change
	ln -s archive srv/latest                           # another target
	printf 'was a symlink\n' >srv/docs/turns-into-file # a symlink becomes a file
	ln -s kept.txt srv/docs/turns-into-link            # a new symlink
	: >srv/docs/.wh.linked-b                           # one of three names goes, the others stay
)
