#!/usr/bin/env bash
# Completes base: recipe.sh OUT, where OUT holds copies of this folder's layers.
set -euo pipefail
cd "$1/1-busybox"

mkdir -p bin dev proc sys run tmp var/tmp mnt usr/lib
for name in sbin usr/bin usr/sbin; do
	case $name in usr/*) ln -s ../bin "$name" ;; *) ln -s bin "$name" ;; esac
done
cp /bin/busybox bin/busybox
chmod 0755 bin/busybox
for applet in $(bin/busybox --list); do
	[[ $applet == busybox ]] || ln bin/busybox "bin/$applet"
done
chmod 1777 tmp var/tmp
chmod 0700 root
if [[ $EUID -eq 0 ]]; then chown -R 1000:1000 home/app; fi
