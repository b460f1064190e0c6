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
