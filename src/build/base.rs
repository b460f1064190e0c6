//! The images that a build begins with or takes files from.

use super::{
    Error,
    builder::{Builder, Finished},
};
use crate::{
    dockerfile::{Base, Stage},
    ident::Reference,
    image::{self, ImageRecord, Platform, RunConfig},
};

impl Builder<'_> {
    /// What `FROM` names: a stage, nothing, or an image.
    pub(super) fn base(&mut self, from: &Base) -> Result<Finished, Error> {
        let name = self.expand_global(&from.image)?;
        if name.is_empty() {
            let what = format!("base name ({}) should not be blank", from.image);
            return Err(Error::refused(what));
        }
        let named = |stage: &Stage| {
            let own = stage.from.instruction.name.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(&name))
        };
        let before = &self.dockerfile.stages[..self.finished.len()];
        if let Some(number) = before.iter().position(named) {
            return Ok(self.finished[number].clone());
        }
        if name == "scratch" {
            return Ok(Finished {
                image: None,
                kept: None,
                config: RunConfig::default(),
                is_unknown: false,
            });
        }
        let platform = from.platform.as_deref();
        let platform = platform.map(|text| self.expand_global(text)).transpose()?;
        let platform = platform.filter(|text| !text.is_empty());
        let image = self.image(&name, platform.as_deref(), self.request.pull)?;
        let document = self.engine.images()?.config_bytes(&image)?;
        Ok(Finished {
            config: RunConfig::of_document(&document)?,
            image: Some(image),
            kept: None,
            is_unknown: false,
        })
    }

    /// An image by its name: fetched where it is wanted anew, not here, or not for this platform.
    pub(super) fn image(
        &mut self,
        name: &str,
        platform: Option<&str>,
        anew: bool,
    ) -> Result<ImageRecord, Error> {
        let wanted = platform.map(str::parse::<Platform>).transpose()?;
        let images = self.engine.images()?;
        let reference = name.parse::<Reference>().ok();
        let may_fetch = !self.request.dry_run && reference.is_some();
        // An id is nobody's name.
        let is_id = || -> Result<bool, Error> {
            let names = images.names()?;
            let is_name = reference
                .as_ref()
                .is_some_and(|name| name.digest().is_some() || names.contains_key(name));
            Ok(!is_name)
        };
        match images.resolve(name) {
            Err(image::Error::NotFound { .. }) if may_fetch => {}
            // A name that cannot be one is told so.
            Err(image::Error::NotFound { .. }) if reference.is_none() => {
                name.parse::<Reference>().map_err(image::Error::from)?;
            }
            Err(error) => return Err(error.into()),
            Ok(image) => {
                let found = Platform::of_image(&images.config(&image)?);
                let fits = wanted
                    .as_ref()
                    .is_none_or(|wanted| wanted.is_met_by(&found));
                if fits && (!anew || !may_fetch || is_id()?) {
                    return self.keep_base(image);
                }
                if !may_fetch {
                    let wanted = platform.unwrap_or_default();
                    let what = format!("image {name} is for {found}, not for {wanted}");
                    return Err(Error::refused(what));
                }
            }
        }
        (self.fetch)(name, platform).map_err(|unfetched| Error::NotFetched {
            name: name.to_owned(),
            unfetched,
        })?;
        self.keep_base(images.resolve(name)?)
    }

    /// Nobody removes it while the build lasts.
    fn keep_base(&mut self, image: ImageRecord) -> Result<ImageRecord, Error> {
        if !self.bases.contains_key(&image.id) {
            let gone = || Error::refused(format!("image {} was removed a moment ago", image.id));
            let kept = self.engine.keep_image(&image)?.ok_or_else(gone)?;
            self.bases.insert(image.id, kept);
        }
        Ok(image)
    }
}
