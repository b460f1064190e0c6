//! Archives that are an OCI layout and a docker-archive at once, as engines write them since 2024.
//!
//! The layout has the manifests, so that an image keeps its digest; `manifest.json` lists what is to
//! be loaded, and the names that it gets.

use super::{Bundle, Error, Offered, docker_archive, oci_layout};

/// Every image that `manifest.json` lists, with its manifest where the layout has it.
pub(super) fn offered(bundle: &Bundle) -> Result<Vec<Offered>, Error> {
    let mut listed = docker_archive::offered(bundle)?;
    // A layout that leads to platforms which are not in the archive says nothing of those that are.
    let mut laid_out = oci_layout::offered(bundle).unwrap_or_default();
    for image in &mut listed {
        let is_same = |other: &Offered| other.config == image.config;
        if let Some(at) = laid_out.iter().position(is_same) {
            let same = laid_out.swap_remove(at);
            image.manifest = same.manifest;
            image.layers = same.layers;
        }
    }
    Ok(listed)
}
