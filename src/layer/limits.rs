//! `Limits`: how much a stranger's layer may ask for.

/// Bounds of one layer; the default admits every real image known to us.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Entries, whiteouts and repeated names included.
    pub entries: u64,
    /// Sum of the files' logical sizes, holes included (a sparse header of 2^62 bytes costs
    /// nothing to send).
    pub bytes: u64,
    /// One component of a path (NAME_MAX).
    pub name_bytes: usize,
    /// A whole path; openat2(2) takes no more.
    pub path_bytes: usize,
    /// Components of a path.
    pub depth: usize,
    /// One extended header: PAX records, a GNU long name, a sparse map.
    pub pax_bytes: u64,
    /// One extended attribute's value (xattr(7)).
    pub xattr_bytes: usize,
    /// What is remembered until the layer's end: paths of directories, links and whiteouts, with
    /// their attributes.
    pub kept_bytes: u64,
    /// The window of a zstd blob and the dictionary of an xz blob; allocated only by blobs that
    /// use it. The default admits `xz -9`.
    pub window_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 8_000_000,
            bytes: 256 << 30,
            name_bytes: 255,
            path_bytes: 4095,
            depth: 2048,
            pax_bytes: 1 << 20,
            xattr_bytes: 64 << 10,
            kept_bytes: 32 << 20,
            window_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// As the default, for an archive of files with many directories.
    pub fn archive() -> Self {
        Self {
            kept_bytes: 512 << 20,
            ..Self::default()
        }
    }

    /// A user's own files may be as many and as large as they are.
    pub fn own() -> Self {
        Self {
            entries: u64::MAX,
            bytes: u64::MAX,
            kept_bytes: 512 << 20,
            ..Self::default()
        }
    }
}
