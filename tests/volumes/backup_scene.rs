//! What the tests of backups share: a volume with everything that a file system can hold, and a
//! way to tell whether two trees are the same.

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use crate::support::Shed;

/// Runs a script of the host's shell in a directory; its output.
#[track_caller]
pub(crate) fn host(dir: &Path, script: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(dir);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{script}\n{out}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    out
}

/// Does something over and over while this lives.
pub(crate) fn meanwhile<T>(mut over_and_over: impl FnMut() + Send, work: impl FnOnce() -> T) -> T {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // A test that fails must end, too.
        let _stop = Stop(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                over_and_over();
            }
        });
        work()
    })
}

/// Fills a volume called `data`.
pub(crate) fn rich() -> Shed {
    let shed = Shed::empty();
    shed.cowshed("volume create --label team=a --label 'note=두 단어' data")
        .ok();
    let long = "긴".repeat(85);
    host(
        &shed.data("data"),
        &format!(
            "umask 022
             echo content >한국어; echo two >'name with \"quotes\" and \\back'
             mkdir -p sub/deep empty closed; echo x >closed/file; chmod 0700 closed
             mkdir {long}; echo long >{long}/{long}
             ln 한국어 sub/hard; ln sub/hard sub/deep/third
             ln -s 한국어 link; ln -s /etc/passwd absolute; ln -s nowhere dangling
             mkfifo fifo; mknod null c 1 3; mknod disk b 7 200; mknod hidden c 0 0
             truncate -s 64M holes; printf tail >>holes; printf mid | dd of=holes bs=1 seek=1000000 conv=notrunc status=none
             truncate -s 1M allholes; dd if=/dev/zero of=zeros bs=4096 count=20 status=none
             : >.wh.gone; : >.wh..wh..opq
             for mode in 4755 2755 1777 0000; do echo m >mode$mode; chmod $mode mode$mode; done
             chown 1000:1001 sub; chown -h 5:6 link; chown 4000000000:3000000000 zeros
             touch -d '1969-12-31 23:59:58.25 UTC' 한국어; touch -h -d '2020-02-02 02:02:02.123456789' dangling
             setfacl -m u:1000:rw,g:5:r mode0000; setfacl -d -m u:7:rwx empty; setfacl -m g:9:x empty
             setfattr -n user.color -v red sub; setfattr -n user.empty -v '' sub
             setfattr -n trusted.mine -v secret zeros
             setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 mode4755
             head -c 300000 /dev/urandom >random
             touch -d 2001-02-03 sub/deep sub closed; chmod 1750 .; chown 7:8 .; touch -d 2002-03-04 .",
        ),
    );
    shed
}

/// Everything about a tree that a backup must keep, as text.
#[track_caller]
pub(crate) fn facts(dir: &Path) -> String {
    let list = "find . ! -type s -printf '%P|%y|%m|%U:%G|%n|%l|%T@\\n' | sort
         find . ! -type s -printf '%P|%s|%y\\n' | grep -v '|d$' | sort
         find . -type f -print0 | sort -z | xargs -0 sha256sum
         find . -type b -o -type c | sort | xargs -r stat -c '%n %t:%T'
         getfattr -R -h -d -m - -e hex . 2>/dev/null | grep -v '^$' || true";
    host(dir, list)
}
