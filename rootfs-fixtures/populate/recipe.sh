#!/usr/bin/env bash
# Completes populate: recipe.sh OUT, where OUT holds copies of this folder's layers.
set -euo pipefail
cd "$1/2-data/data"

ln shared/one shared/two
ln shared/one one-more-name
ln -s hello.txt link-relative
ln -s /data/shared/one link-absolute
ln -s missing link-dangling
mkfifo -m 0620 queue
mkdir -m 0750 private
mkdir -m 2775 team
mkdir -m 1777 drop
mkdir -p empty/deep/deeper
printf '#!/bin/sh\nid -u\n' >whoami
truncate -s 1M sparse
printf 'end\n' >>sparse
printf 'no bit for anybody\n' >sealed

if [[ $EUID -eq 0 ]]; then
	chown 1000:50 hello.txt private
	chown 0:50 team
	chown 12345:54321 한국어/안녕.txt
	chown -h 1000:1000 link-relative
	chown 1000:1000 queue .
	mknod -m 0666 null c 1 3
fi
# After the owners: chown takes setuid and setgid away.
if [[ $EUID -eq 0 ]]; then chmod 0000 sealed; fi # anybody else could not read it back
chmod 4755 whoami
chmod 2755 team
chmod 0640 hello.txt
chmod 0751 .
touch -d '1970-01-01 00:00:00 UTC' empty/deep
touch -d '2001-02-03 04:05:06.789012345 UTC' hello.txt
touch -h -d '1999-12-31 23:59:59 UTC' link-relative
touch -d '2040-01-01 00:00:00 UTC' shared/one # past 2^31 seconds
