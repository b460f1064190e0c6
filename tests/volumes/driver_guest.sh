#!/bin/bash
# Runs in the guest, in an empty directory in memory.
export COWSHED_ROOT=$PWD/store
cowshed() { @COWSHED@ "$@"; }
check() { # check NAME TEXT COMMAND...: it says TEXT, whatever its code
	local name=$1 text=$2 said
	shift 2
	said=$("$@" 2>&1)
	if grep -qF -- "$text" <<<"$said" && ! grep -q 'TOO LATE' <<<"$said"; then echo "ok $name"; else echo "FAILED $name: $said"; fi
}
is() { # is NAME TEXT COMMAND...: it says exactly TEXT
	local name=$1 text=$2 said
	shift 2
	said=$("$@" 2>&1)
	if [ "$said" = "$text" ]; then echo "ok $name"; else echo "FAILED $name: $said"; fi
}
within() { # within SECONDS COMMAND...
	local most=$1 begun=$SECONDS
	shift
	"$@"
	[ $((SECONDS - begun)) -le "$most" ] || echo "after $((SECONDS - begun)) s: TOO LATE"
}
sh_in() { cowshed run --rm -v "$1:/x" base sh -c "$2"; }
mounted() { grep -c "$PWD/store/volumes" /proc/self/mountinfo; }

mkdir -p tree/bin
cp /bin/busybox tree/bin/
for program in sh cat echo mount sleep ls; do ln -s busybox tree/bin/$program; done
cowshed import --sync=none tree base >/dev/null
# The guest's kernel knows no lowerdir+.
echo 'echo from an image' >tree/bin/script
cowshed import --sync=none tree scripted >/dev/null
is 'image: cat' 'echo from an image' cowshed image cat scripted /bin/script
is 'image: ls-files' /bin/script cowshed image ls-files scripted /bin/script
view=$(cowshed image mount scripted)
is 'image: mount' 'echo from an image' cat "$view/bin/script"
is 'image: unmount' "$view" cowshed image unmount scripted

modprobe nfsd
mount -t nfsd nfsd /proc/fs/nfsd
mkdir -p /run/rpcbind /var/lib/nfs/sm /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs exported
: >/var/lib/nfs/etab
: >/var/lib/nfs/rmtab
: >/etc/exports
truncate -s 32M disk
mkfs.ext4 -q disk
mount -o loop disk exported
echo far >exported/there
create_nfs=(volume create -o type=nfs -o device=:/ -o 'o=addr=localhost,vers=4.2,proto=tcp' nfs)
check 'no server yet' 'does not answer at 127.0.0.1:2049: Connection refused' cowshed "${create_nfs[@]}"
exportfs -o rw,no_root_squash,insecure,fsid=0 "*:$PWD/exported" && rpc.nfsd --no-nfs-version 3 4 &&
	rpc.mountd --no-nfs-version 3
is 'nfs: create' nfs cowshed "${create_nfs[@]}"
is 'nfs: read' far sh_in nfs 'cat /x/there; echo new >/x/new'
is 'nfs: write' new cat exported/new
check 'nfs: address resolved' addr=127.0.0.1 sh_in nfs 'mount'
is 'nfs: unmounted' 0 mounted

mkdir -p samba/share
cat >samba/smb.conf <<-END
	[global]
	server role = standalone
	private dir = $PWD/samba
	lock directory = $PWD/samba
	state directory = $PWD/samba
	cache directory = $PWD/samba
	pid directory = $PWD/samba
	ncalrpc dir = $PWD/samba/rpc
	log file = $PWD/samba/log
	[s]
	path = $PWD/samba/share
	read only = no
END
printf 'pw,ro\npw,ro\n' | smbpasswd -c samba/smb.conf -s -a root >/dev/null && smbd -s samba/smb.conf -D
for _ in 1 2 3 4 5 6 7 8 9; do
	(: </dev/tcp/127.0.0.1/445) 2>/dev/null && break
	sleep 1
done
echo far >samba/share/there
echo pw,ro >secret
is 'cifs: create' cifs cowshed volume create -o type=cifs -o device=//localhost/s \
	-o "o=username=root,password-file=$PWD/secret,vers=3.1.1" cifs
check 'cifs: a password with a comma is no option' '(rw,nodev,relatime,vers=3.1.1' sh_in cifs 'mount; echo new >/x/new'
is 'cifs: write' new cat samba/share/new
echo wrong >secret
check 'cifs: wrong password' 'permission denied (EACCES)' sh_in cifs true

# Accepts, and says nothing.
busybox nc -ll -p 3050 -e sleep 100 &
sleep 1
is 'silent: create' silent cowshed volume create --no-check -o type=nfs -o device=:/ \
	-o o=addr=127.0.0.1,port=3050,vers=4.2,proto=tcp silent
export COWSHED_MOUNT_TIMEOUT=4
check 'silent: an error in time' 'did not answer within 4 s' within 15 sh_in silent true

cowshed run -d --name user -v nfs:/x base sleep 1000 >/dev/null
rpc.nfsd 0
others() {
	cowshed ps && cowshed volume ls && cowshed inspect user && cowshed volume prune -f && cowshed volume create new &&
		cowshed volume rm new && echo all well
}
check 'dead server: others go on' 'all well' within 10 others
check 'dead server: a second user' 'did not answer within 4 s' within 15 sh_in nfs 'ls /x'
check 'dead server: the end' user within 20 cowshed rm -f user
