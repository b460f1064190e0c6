//! The way into a build: everything is opened and checked before the first step.

use super::{
    BuildRequest, Built, Error, Fetch, Progress, arguments::EPOCH, builder::Builder,
    context::Context,
};
use crate::{container::Engine, dockerfile, store::sweep};

/// Makes an image of a Dockerfile and its context, telling what it does; images that are not here
/// are fetched. The calling process must
/// have one thread; signals that mean an end are held from now on.
///
/// # Errors
///
/// Of the image nothing stays; the steps that were finished are in the cache.
pub fn build(
    engine: &Engine,
    request: &BuildRequest,
    fetch: &mut Fetch<'_>,
    tell: &mut dyn FnMut(Progress),
) -> Result<Built, Error> {
    sweep(engine.store())?;
    let context = Context::open(engine.store(), request)?;
    let dockerfile = dockerfile::parse(&context.file, &context.text)?;
    let last = match &request.target {
        None => dockerfile.stages.len() - 1,
        Some(target) => dockerfile.stage(target).ok_or_else(|| {
            let what = format!("failed to reach build target {target} in Dockerfile");
            let names = dockerfile.stages.iter();
            let names: Vec<_> = names
                .filter_map(|stage| stage.from.instruction.name.as_deref())
                .collect();
            Error::refused(what).with_hint(format!("stages with a name: {}", names.join(", ")))
        })?,
    };
    let epoch = epoch(request)?;
    for warning in &dockerfile.warnings {
        tell(Progress::Warning(warning.clone()));
    }
    Builder::new(
        engine,
        request,
        (&context, &dockerfile),
        epoch,
        (fetch, tell),
    )?
    .build(last)
}

/// The argument wins over the environment, being nearer.
fn epoch(request: &BuildRequest) -> Result<Option<i64>, Error> {
    let argument = request.arguments.get(EPOCH).cloned().flatten();
    let Some(text) = argument.or_else(|| request.epoch.clone()) else {
        return Ok(None);
    };
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    // What no calendar holds is none either.
    let seconds = text.parse::<i64>().ok();
    let seconds = seconds.filter(|seconds| digits && *seconds < 253_402_300_800);
    let bad = || {
        Error::refused(format!("invalid {EPOCH}: {text}"))
            .with_hint("seconds since 1970, as date +%s")
    };
    seconds.map(Some).ok_or_else(bad)
}
