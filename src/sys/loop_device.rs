//! Loop devices: a regular file becomes a block device for as long as something uses it (loop(4)).

use std::{
    ffi::OsStr,
    fs::File,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::ffi::OsStrExt as _,
    },
    path::PathBuf,
};

use nix::errno::Errno;

use super::{At as _, Result, SysError, lock::Lock, metadata_of, raw};

const READ_ONLY: u32 = 1;
/// The device lets go of its file when nobody has it open or mounted any more.
const AUTOCLEAR: u32 = 4;

/// How often another process may be quicker to take a free device.
const RETRIES: usize = 64;

/// `struct loop_info64` of linux/loop.h.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

impl Default for LoopInfo {
    fn default() -> Self {
        Self {
            device: 0,
            inode: 0,
            rdevice: 0,
            offset: 0,
            size_limit: 0,
            number: 0,
            encrypt_type: 0,
            encrypt_key_size: 0,
            flags: 0,
            file_name: [0; 64],
            crypt_name: [0; 64],
            encrypt_key: [0; 32],
            init: [0; 2],
        }
    }
}

/// `struct loop_config` of linux/loop.h.
#[repr(C)]
#[derive(Debug)]
pub(super) struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// A loop device that has its file while this is held, and while it is mounted.
#[derive(Debug)]
pub struct LoopDevice {
    /// Where it is.
    pub path: PathBuf,
    _open: File,
}

/// Makes a block device of a file.
///
/// A file that has a loop device already keeps that one: a file system that is mounted through two
/// devices at once destroys itself.
pub fn attach(file: &File, shown: &str, read_only: bool) -> Result<LoopDevice> {
    // Of two who do this at one moment, the second finds the device of the first.
    let _turn = Lock::exclusive(super::reopen(file.as_fd())?)?;
    if let Some(device) = existing(file)? {
        return Ok(device);
    }
    let control = open("/dev/loop-control", false)?;
    let mut info = LoopInfo {
        flags: AUTOCLEAR | if read_only { READ_ONLY } else { 0 },
        ..LoopInfo::default()
    };
    let name = shown.as_bytes();
    let length = name.len().min(info.file_name.len() - 1);
    info.file_name[..length].copy_from_slice(&name[..length]);
    let config = LoopConfig {
        fd: file.as_raw_fd().unsigned_abs(),
        block_size: 0,
        info,
        reserved: [0; 8],
    };
    for _ in 0..RETRIES {
        let number = raw::loop_get_free(control.as_fd()).at("ioctl", || "LOOP_CTL_GET_FREE")?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open(&path.display().to_string(), read_only)?;
        match raw::loop_configure(device.as_fd(), &config) {
            Ok(()) => {
                return Ok(LoopDevice {
                    path,
                    _open: device,
                });
            }
            Err(Errno::EBUSY) => {}
            Err(errno) => {
                return Err(errno).at("ioctl", || {
                    format!("{}, LOOP_CONFIGURE, {shown}", path.display())
                });
            }
        }
    }
    Err(SysError::new("ioctl", "LOOP_CTL_GET_FREE", Errno::EBUSY))
}

fn open(path: &str, read_only: bool) -> Result<File> {
    let mut options = File::options();
    let file = options.read(true).write(!read_only).open(path);
    file.at("open", || path)
}

/// A loop device and the file that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedLoop {
    /// Where it is.
    pub path: PathBuf,
    /// The file, where it was when it was last somewhere.
    pub file: PathBuf,
    /// The file has no name any more.
    pub is_deleted: bool,
    /// It lets go of its file when nobody has it any more.
    pub autoclear: bool,
    /// Another device is made of it.
    pub is_held: bool,
}

/// All loop devices that have a file, as sysfs tells; none where there is no sysfs.
pub fn backed() -> Vec<BackedLoop> {
    let Ok(devices) = std::fs::read_dir("/sys/block") else {
        return Vec::new();
    };
    let device = |entry: std::fs::DirEntry| {
        let own = entry.path();
        let file = std::fs::read(own.join("loop/backing_file")).ok()?;
        let file = file.strip_suffix(b"\n").unwrap_or(&file);
        let live = file.strip_suffix(b" (deleted)");
        let autoclear = std::fs::read(own.join("loop/autoclear")).unwrap_or_default();
        let mut holders = std::fs::read_dir(own.join("holders")).ok()?;
        Some(BackedLoop {
            path: PathBuf::from("/dev").join(entry.file_name()),
            file: PathBuf::from(OsStr::from_bytes(live.unwrap_or(file))),
            is_deleted: live.is_some(),
            autoclear: autoclear.starts_with(b"1"),
            is_held: holders.next().is_some(),
        })
    };
    devices.flatten().filter_map(device).collect()
}

/// The device that has this very file from its beginning.
fn existing(file: &File) -> Result<Option<LoopDevice>> {
    let own = metadata_of(file)?;
    let Ok(devices) = std::fs::read_dir("/sys/block") else {
        return Ok(None);
    };
    for entry in devices.flatten() {
        let used = entry.path().join("loop/backing_file").exists();
        let path = PathBuf::from("/dev").join(entry.file_name());
        let Some(device) = used
            .then(|| File::open(&path))
            .and_then(std::io::Result::ok)
        else {
            continue;
        };
        // Asked of the open device, which cannot lose its file any more.
        let Ok(info) = raw::loop_status(device.as_fd()) else {
            continue;
        };
        if (info.device, info.inode, info.offset) == (own.dev(), own.ino(), 0) {
            return Ok(Some(LoopDevice {
                path,
                _open: device,
            }));
        }
    }
    Ok(None)
}
