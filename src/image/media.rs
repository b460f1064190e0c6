//! Media types: which documents and layers we take (OCI image-spec media-types.md, Docker schema 2).

/// What a descriptor points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Index,
    Manifest,
    Config,
    Layer,
}

const KNOWN: &[(&str, Media)] = &[
    ("application/vnd.oci.image.index.v1+json", Media::Index),
    (
        "application/vnd.docker.distribution.manifest.list.v2+json",
        Media::Index,
    ),
    (
        "application/vnd.oci.image.manifest.v1+json",
        Media::Manifest,
    ),
    (
        "application/vnd.docker.distribution.manifest.v2+json",
        Media::Manifest,
    ),
    ("application/vnd.oci.image.config.v1+json", Media::Config),
    (
        "application/vnd.docker.container.image.v1+json",
        Media::Config,
    ),
    ("application/vnd.oci.image.layer.v1.tar", Media::Layer),
    ("application/vnd.oci.image.layer.v1.tar+gzip", Media::Layer),
    ("application/vnd.oci.image.layer.v1.tar+zstd", Media::Layer),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        Media::Layer,
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        Media::Layer,
    ),
    (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
        Media::Layer,
    ),
    ("application/vnd.docker.image.rootfs.diff.tar", Media::Layer),
    (
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        Media::Layer,
    ),
    (
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        Media::Layer,
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        Media::Layer,
    ),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        Media::Layer,
    ),
    // Not in any specification, written by tools that keep xz and bzip2 layers as they are.
    ("application/vnd.oci.image.layer.v1.tar+xz", Media::Layer),
    ("application/vnd.oci.image.layer.v1.tar+bzip2", Media::Layer),
];

/// `None` for what we do not take.
pub(super) fn of(text: &str) -> Option<Media> {
    KNOWN
        .iter()
        .find(|(known, _)| *known == text)
        .map(|(_, media)| *media)
}
