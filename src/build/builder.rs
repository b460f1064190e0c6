//! `Builder`: goes through the stages, step by step.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    BuildRequest, Built, Error, Fetch, Progress,
    arguments::Arguments,
    cache,
    change::{Deed, Scene, change},
    context::Context,
    created_by,
    listing::Listing,
    stage::State,
};
use crate::{
    container::{Engine, ImageStep, KeptImage},
    control::Console,
    dockerfile::{ArgDefinition, Dockerfile, Instruction, Stage, Step, parse_trigger},
    ident::{Digest, Timestamp},
    image::{BuildStep, ImageRecord, RunConfig},
    rootfs::NewLayer,
    store::Blobs,
    sys::TimeSpec,
};

/// A stage that was gone through.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) image: Option<ImageRecord>,
    /// Its hold on that image; an image that a build begins with is kept by the builder.
    pub(super) kept: Option<Rc<KeptImage>>,
    pub(super) config: RunConfig,
    /// A dry run does not know its image.
    pub(super) is_unknown: bool,
}

pub(super) struct Builder<'a> {
    pub(super) engine: &'a Engine,
    pub(super) request: &'a BuildRequest,
    pub(super) context: &'a Context<'a>,
    pub(super) dockerfile: &'a Dockerfile,
    pub(super) arguments: Arguments,
    pub(super) finished: Vec<Finished>,
    /// Images that stages begin with or take files from, by their ids.
    pub(super) bases: BTreeMap<Digest, KeptImage>,
    /// All images, newest first.
    images: Vec<ImageRecord>,
    epoch: Option<i64>,
    console: Console,
    pub(super) fetch: &'a mut Fetch<'a>,
    pub(super) tell: &'a mut dyn FnMut(Progress),
    number: usize,
    count: usize,
}

/// A step that was decided and is not looked up yet.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) deed: Deed,
    /// Build arguments that it saw.
    pub(super) arguments: BTreeMap<String, String>,
    /// Files that it copies.
    pub(super) listing: Option<Listing>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        request: &'a BuildRequest,
        (context, dockerfile): (&'a Context<'a>, &'a Dockerfile),
        epoch: Option<i64>,
        (fetch, tell): (&'a mut Fetch<'a>, &'a mut dyn FnMut(Progress)),
    ) -> Result<Self, Error> {
        Ok(Self {
            engine,
            request,
            context,
            dockerfile,
            arguments: Arguments::new(request.arguments.clone()),
            finished: Vec::new(),
            bases: BTreeMap::new(),
            images: engine.images()?.list()?,
            epoch,
            console: Console::new()?,
            fetch,
            tell,
            number: 0,
            count: 0,
        })
    }

    /// Builds up to a stage.
    pub(super) fn build(mut self, last: usize) -> Result<Built, Error> {
        let stages = &self.dockerfile.stages[..=last];
        let steps: usize = stages.iter().map(|stage| 1 + stage.steps.len()).sum();
        self.count = self.dockerfile.globals.len() + steps + self.request.labels.len();
        for global in &self.dockerfile.globals {
            self.announce(&global.text);
            self.globals(global)?;
        }
        for (number, stage) in stages.iter().enumerate() {
            let state = self.stage(stage, number == last)?;
            self.finished.push(Finished {
                is_unknown: self.request.dry_run && state.is_anew,
                image: state.image,
                kept: state.kept,
                config: state.config,
            });
        }
        let unused = self.arguments.unused();
        if !unused.is_empty() {
            let names = unused.join(" ");
            let warning = format!("One or more build-args [{names}] were not consumed");
            (self.tell)(Progress::Warning(warning));
        }
        let finished = self.finished.pop();
        // Until it has its names.
        let _kept = finished.as_ref().and_then(|last| last.kept.clone());
        let image = match finished {
            Some(finished) if finished.is_unknown => return Ok(Built { id: None }),
            finished => finished.and_then(|finished| finished.image),
        };
        let Some(image) = image else {
            let what = "No image was generated. Is your Dockerfile empty?";
            return Err(Error::refused(what));
        };
        (self.tell)(Progress::Done(image.id));
        if !self.request.dry_run {
            for name in &self.request.names {
                self.engine.tag(&image.id.to_string(), name)?;
                (self.tell)(Progress::Tagged(name.clone()));
            }
        }
        let id = Some(image.id);
        Ok(Built { id })
    }

    fn announce(&mut self, text: &str) {
        self.number += 1;
        (self.tell)(Progress::Step {
            number: self.number,
            count: self.count,
            text: text.to_owned(),
        });
    }

    /// A signal may have come.
    pub(super) fn pulse(&self) -> Result<(), Error> {
        match self.console.interrupted()? {
            Some(signal) => Err(Error::Interrupted { signal }),
            None => Ok(()),
        }
    }

    fn wrong(&self, line: usize, text: &str) -> impl FnOnce(Error) -> Error + use<> {
        let (file, text) = (self.dockerfile.file.clone(), text.to_owned());
        move |error| {
            if matches!(error, Error::Interrupted { .. }) {
                return error;
            }
            Error::Step {
                file,
                line,
                text,
                source: Box::new(error),
            }
        }
    }

    fn globals(&mut self, step: &Step<Vec<ArgDefinition>>) -> Result<(), Error> {
        for definition in &step.instruction {
            let default = definition.default.as_deref();
            let default = default.map(|text| self.expand_global(text)).transpose();
            let default = default.map_err(self.wrong(step.line, &step.text))?;
            self.arguments.declare_global(&ArgDefinition {
                name: definition.name.clone(),
                default,
            });
        }
        Ok(())
    }

    pub(super) fn expand_global(&self, text: &str) -> Result<String, Error> {
        let expander = crate::dockerfile::Expander {
            escape: self.dockerfile.escape,
            variables: &|name: &str| self.arguments.global(name),
        };
        expander.word(text).map_err(Error::refused)
    }

    fn stage(&mut self, stage: &Stage, is_last: bool) -> Result<State, Error> {
        let from = &stage.from;
        self.announce(&from.text);
        let base = self.base(&from.instruction);
        let base = base.map_err(self.wrong(from.line, &from.text))?;
        self.arguments.begin_stage();
        let image = base.image.clone();
        let on = image.map(|image| (image, base.config.clone()));
        let (mut own, triggers) = State::on(on, base.is_unknown);
        own.kept = base.kept;
        (self.tell)(Progress::Image(base.image.as_ref().map(|image| image.id)));
        self.triggers(&mut own, &from.instruction.image, &triggers)?;
        for step in &stage.steps {
            self.announce(&step.text);
            let done = self.step(&mut own, &step.instruction, step.line);
            done.map_err(self.wrong(step.line, &step.text))?;
        }
        if is_last {
            for (key, value) in self.request.labels.clone() {
                let text = format!("LABEL {key}={value}");
                self.announce(&text);
                let label = Instruction::Label(vec![(literal(&key), literal(&value))]);
                self.step(&mut own, &label, stage.from.line)?;
            }
        }
        Ok(own)
    }

    /// `ONBUILD`s of the base image.
    fn triggers(
        &mut self,
        state: &mut State,
        image: &str,
        triggers: &[String],
    ) -> Result<(), Error> {
        if triggers.is_empty() {
            return Ok(());
        }
        let count = triggers.len();
        (self.tell)(Progress::Triggers { count });
        for (at, text) in triggers.iter().enumerate() {
            let wrong = |error| Error::Step {
                file: format!("ONBUILD of {image}"),
                line: at + 1,
                text: text.clone(),
                source: Box::new(error),
            };
            let instruction = parse_trigger(text).map_err(Error::refused).map_err(wrong)?;
            self.step(state, &instruction, 0).map_err(wrong)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        state: &mut State,
        instruction: &Instruction,
        line: usize,
    ) -> Result<(), Error> {
        self.pulse()?;
        let mut scene = Scene {
            arguments: &mut self.arguments,
            escape: self.dockerfile.escape,
            line,
        };
        if let Some(deed) = change(state, instruction, &mut scene)? {
            let wanted = Wanted {
                deed,
                ..Wanted::default()
            };
            if self.look(state, &wanted)? {
                return Ok(());
            }
            if self.request.dry_run {
                (self.tell)(Progress::Would("change the configuration".to_owned()));
                return Ok(());
            }
            return self.commit(state, wanted, None);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all others were done by change()"
        )]
        match instruction {
            Instruction::Run(command) => self.run(state, command, line),
            Instruction::Transfer(transfer) => self.transfer(state, transfer),
            Instruction::Workdir(path) => self.workdir(state, path),
            _ => Ok(()),
        }
    }

    fn build_step(&self, state: &State, wanted: &Wanted) -> BuildStep {
        let sources = wanted.listing.as_ref();
        BuildStep {
            parent: state.image.as_ref().map(|image| image.id),
            instruction: wanted.deed.words.clone(),
            arguments: wanted.arguments.clone(),
            sources: sources.map(|listing| Digest::of(&listing.to_bytes())),
            epoch: self.epoch,
        }
    }

    /// Looks a step up; on a hit it is done.
    pub(super) fn look(&mut self, state: &mut State, wanted: &Wanted) -> Result<bool, Error> {
        let verdict = if self.request.no_cache {
            Err("--no-cache".to_owned())
        } else if state.is_anew {
            Err("a step before it is made anew".to_owned())
        } else {
            let blobs = Blobs::open(self.engine.store())?;
            let read = |digest| Listing::from_bytes(&blobs.read(digest).ok()?);
            let step = self.build_step(state, wanted);
            let verdict = cache::look(&self.images, &step, wanted.listing.as_ref(), &read);
            match verdict.hit {
                // Somebody may have removed it meanwhile.
                Some(image) => match self.engine.keep_image(&image)? {
                    Some(kept) => Ok(((image, kept), verdict.reason)),
                    None => Err("its image was removed a moment ago".to_owned()),
                },
                None => Err(verdict.reason),
            }
        };
        let (hit, reason) = match verdict {
            Ok((image, reason)) => (Some(image), reason),
            Err(reason) => (None, reason),
        };
        let is_hit = hit.is_some();
        (self.tell)(Progress::Cache {
            hit: is_hit,
            reason,
        });
        match hit {
            Some((image, kept)) => {
                (self.tell)(Progress::Image(Some(image.id)));
                state.kept = Some(Rc::new(kept));
                state.image = Some(image);
            }
            None => state.is_anew = true,
        }
        Ok(is_hit)
    }

    /// No time of a layer is later than this.
    pub(super) fn latest(&self) -> Option<TimeSpec> {
        self.epoch.map(|seconds| TimeSpec {
            seconds,
            nanoseconds: 0,
        })
    }

    /// Makes the image of a step.
    pub(super) fn commit(
        &mut self,
        state: &mut State,
        wanted: Wanted,
        layer: Option<NewLayer>,
    ) -> Result<(), Error> {
        let step = self.build_step(state, &wanted);
        let epoch = self
            .epoch
            .map(|seconds| i128::from(seconds) * 1_000_000_000);
        let created = epoch.and_then(Timestamp::from_nanosecond);
        let sources = wanted.listing.as_ref().map(Listing::to_bytes);
        let image_step = ImageStep {
            parent: state.image.as_ref(),
            config: state.config.clone(),
            created: created.unwrap_or_else(Timestamp::now),
            created_by: wanted.deed.created_by,
            author: wanted.deed.author,
            comment: None,
            names: Vec::new(),
            build: Some((step, sources)),
        };
        let (record, kept) = self.engine.make_kept_image(&image_step, layer)?;
        state.kept = kept.map(Rc::new);
        (self.tell)(Progress::Image(Some(record.id)));
        self.images.insert(0, record.clone());
        state.image = Some(record);
        Ok(())
    }

    /// Decides what the history says of files that are copied.
    pub(super) fn files_deed(state: &State, text: &str, words: Vec<String>) -> Deed {
        Deed {
            created_by: created_by::files(&state.shell(), text),
            words,
            author: None,
        }
    }
}

/// A text that no variable is replaced in.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}
