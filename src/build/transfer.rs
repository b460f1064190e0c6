//! `COPY`, `ADD` and `WORKDIR`: files go straight into a layer.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Error, Progress,
    builder::{Builder, Wanted},
    destination::{self, Makes},
    listing::Listing,
    place::Placing,
    sources,
    stage::State,
    tree::Tree,
    workbench::{Workbench, chains},
};
use crate::{dockerfile::Transfer, image::ImageRecord, process::find_ids, rootfs, sys::RootDir};

/// What a child says at its end.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    listing: Listing,
    remarks: Vec<String>,
    /// What went wrong, and what to do about it.
    error: Option<(String, Option<String>)>,
}

impl Answer {
    fn pack(self) -> Vec<u8> {
        serde_json::to_vec(&self).unwrap_or_default()
    }

    fn failed(what: String) -> Self {
        Self {
            error: Some((what, None)),
            ..Self::default()
        }
    }
}

/// A copy whose words are replaced.
#[derive(Debug)]
struct Copy {
    keyword: &'static str,
    sources: Vec<String>,
    destination: String,
    chown: Option<String>,
    chmod: Option<u32>,
    unpacks: bool,
}

impl Copy {
    /// Written as a directory.
    fn is_directory(&self) -> bool {
        let text = &self.destination;
        text.ends_with('/')
            || text
                .rsplit('/')
                .next()
                .is_some_and(|last| last == "." || last == "..")
    }
}

impl Builder<'_> {
    pub(super) fn transfer(&mut self, state: &mut State, transfer: &Transfer) -> Result<(), Error> {
        let copy = self.words(state, transfer)?;
        let from = transfer.from.as_deref();
        let from = from.map(|from| self.from(from)).transpose()?;
        if let Some((name, None)) = &from {
            let keyword = copy.keyword;
            state.is_anew = true;
            (self.tell)(Progress::Would(format!(
                "{keyword} from stage {name}, which would be made before"
            )));
            return Ok(());
        }
        let from = from.and_then(|(_, image)| image);
        let listing = self.list(&copy, from.as_ref())?;
        let single = matches!(&listing.sources[..], [one] if !one.is_directory);
        if listing.sources.len() > 1 && !copy.is_directory() {
            let what = format!(
                "When using {} with more than one source file, the destination must be a directory and \
                 end with a /",
                copy.keyword
            );
            return Err(Error::refused(what));
        }
        for remark in &listing.remarks {
            (self.tell)(Progress::Note(remark.clone()));
        }
        if copy.unpacks && single && copy.chown.is_some() {
            let note = "an archive that ADD unpacks keeps its own owners, whatever --chown says";
            (self.tell)(Progress::Note(note.to_owned()));
        }
        let wanted = deed(state, &copy, listing);
        if self.look(state, &wanted)? {
            return Ok(());
        }
        let Some(listing) = &wanted.listing else {
            return Ok(());
        };
        if self.request.dry_run {
            let count = listing.count();
            let would = format!("copy {count} files to {}", copy.destination);
            (self.tell)(Progress::Would(would));
            return Ok(());
        }
        let layer = self.place(state, &copy, (listing, from.as_ref()))?;
        for line in layer.remarks.clone().into_lines() {
            (self.tell)(Progress::Note(line));
        }
        self.commit(state, wanted, Some(layer))
    }

    /// Replaces variables and checks what can be checked.
    fn words(&self, state: &State, transfer: &Transfer) -> Result<Copy, Error> {
        let keyword = transfer.keyword();
        let word = |text: &String| {
            let escape = self.dockerfile.escape;
            state.expand(&self.arguments, escape, |words| words.word(text))
        };
        let sources = transfer.sources.iter().map(word);
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        for source in &sources {
            let is_url = ["http://", "https://", "ftp://", "git@", "git://"]
                .iter()
                .any(|scheme| source.starts_with(scheme));
            if is_url {
                let what = if transfer.is_add {
                    format!("ADD of a URL is not supported: {source}")
                } else {
                    format!("source can't be a URL for COPY: {source}")
                };
                return Err(Error::refused(what)
                    .with_hint("fetch it into the context first, and COPY or ADD the file"));
            }
        }
        let chmod = transfer.chmod.as_ref().map(word).transpose()?;
        Ok(Copy {
            keyword,
            sources,
            destination: word(&transfer.destination)?,
            chown: transfer.chown.as_ref().map(word).transpose()?,
            chmod: chmod.as_deref().map(mode).transpose()?,
            unpacks: transfer.is_add,
        })
    }

    /// `--from`: an earlier stage, or an image; the image of a stage that a dry run did not make is
    /// not known.
    fn from(&mut self, name: &str) -> Result<(String, Option<ImageRecord>), Error> {
        let invalid = |why: &str| {
            let what = format!("invalid from flag value {name}: {why}");
            Error::refused(what).with_hint("a stage before this one by name or number, or an image")
        };
        let stage = self.dockerfile.stage(name);
        match stage.and_then(|stage| self.finished.get(stage)) {
            Some(finished) if finished.is_unknown => return Ok((name.to_owned(), None)),
            Some(finished) => {
                let image = finished.image.clone();
                let image = image.ok_or_else(|| invalid("there is nothing in that stage"))?;
                return Ok((name.to_owned(), Some(image)));
            }
            None if stage.is_some() => return Err(invalid("that stage comes later")),
            None => {}
        }
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid("index out of bounds"));
        }
        match self.image(name, None, false) {
            Ok(image) => Ok((name.to_owned(), Some(image))),
            Err(error) => Err(invalid(&error.to_string())),
        }
    }

    /// The files, with their digests.
    fn list(&self, copy: &Copy, from: Option<&ImageRecord>) -> Result<Listing, Error> {
        let pulse = || self.pulse();
        let Some(image) = from else {
            let context = self.context;
            let tree = Tree::context(&context.root, &context.ignore, &pulse)?;
            return sources::list(&tree, copy.keyword, &copy.sources);
        };
        let bench = Workbench::begin(self.engine.store(), chains(Some(image)))?;
        let keeps_owners = copy.chown.is_none();
        let answer = self.enter(&bench, |root| {
            let listed = Tree::image(root, keeps_owners, &|| Ok(()))
                .and_then(|tree| sources::list(&tree, copy.keyword, &copy.sources));
            match listed {
                Ok(mut listing) => Answer {
                    remarks: std::mem::take(&mut listing.remarks),
                    listing,
                    error: None,
                },
                Err(error) => {
                    let hint = crate::error::Failure::hint(&error);
                    Answer {
                        error: Some((chain(&error), hint)),
                        ..Answer::default()
                    }
                }
            }
        })?;
        Ok(Listing {
            remarks: answer.remarks,
            ..answer.listing
        })
    }

    /// Does something in a child that has the image mounted.
    fn enter(
        &self,
        bench: &Workbench<'_>,
        work: impl FnOnce(&RootDir) -> Answer,
    ) -> Result<Answer, Error> {
        let said = bench.enter(|root| work(root).pack());
        // A signal ends the child, and then this is why.
        self.pulse()?;
        let answer: Answer = serde_json::from_slice(&said?).unwrap_or_else(|error| {
            Answer::failed(format!("the copying process said no sense: {error}"))
        });
        match answer.error {
            Some((what, hint)) => Err(Error::Refused { what, hint }),
            None => Ok(answer),
        }
    }

    /// Copies, and makes a layer of it.
    fn place(
        &self,
        state: &State,
        copy: &Copy,
        (listing, from): (&Listing, Option<&ImageRecord>),
    ) -> Result<rootfs::NewLayer, Error> {
        let store = self.engine.store();
        let bench = Workbench::begin(store, chains(state.image.as_ref()))?;
        let other = from.map(|image| Workbench::begin(store, chains(Some(image))));
        let other = other.transpose()?;
        let destination = state.absolute(&copy.destination);
        let place = |from: &RootDir, to: &RootDir| -> Answer {
            let owner = copy
                .chown
                .as_deref()
                .map(|text| owner(to, text))
                .transpose();
            let placed = owner.and_then(|owner| {
                let placing = Placing {
                    from,
                    to,
                    destination: Path::new(&destination),
                    is_directory: copy.is_directory(),
                    owner,
                    mode: copy.chmod,
                    unpacks: copy.unpacks,
                };
                placing.place(listing)
            });
            placed.map_or_else(Answer::failed, |()| Answer::default())
        };
        self.enter(&bench, |to| match &other {
            None => place(&self.context.root, to),
            // A child of the child has both mounted.
            Some(other) => match other.enter(|from| place(from, to).pack()) {
                Ok(said) => serde_json::from_slice(&said)
                    .unwrap_or_else(|error| Answer::failed(error.to_string())),
                Err(error) => Answer::failed(chain(&error)),
            },
        })?;
        bench.commit(self.latest(), self.request.durability)
    }

    pub(super) fn workdir(&mut self, state: &mut State, path: &str) -> Result<(), Error> {
        let escape = self.dockerfile.escape;
        let path = state.expand(&self.arguments, escape, |words| words.word(path))?;
        if path.is_empty() {
            return Err(Error::refused("cannot normalize nothing"));
        }
        let path = state.absolute(&path);
        let words = vec!["WORKDIR".to_owned(), path.clone()];
        let wanted = Wanted {
            deed: Self::files_deed(state, &format!("WORKDIR {path}"), words),
            ..Wanted::default()
        };
        state.config.known.set_working_dir(Some(path.clone()));
        if self.look(state, &wanted)? {
            return Ok(());
        }
        if self.request.dry_run {
            (self.tell)(Progress::Would(format!("make {path} where it is missing")));
            return Ok(());
        }
        let bench = Workbench::begin(self.engine.store(), chains(state.image.as_ref()))?;
        self.enter(&bench, |root| {
            let made = destination::directory(root, Path::new(&path), Makes::Last((0, 0)));
            match made {
                Ok(_) => Answer::default(),
                Err(error) => Answer::failed(format!("make directory {path}: {error}")),
            }
        })?;
        let layer = bench.commit(self.latest(), self.request.durability)?;
        self.commit(state, wanted, Some(layer))
    }
}

fn deed(state: &State, copy: &Copy, listing: Listing) -> Wanted {
    let digest = crate::ident::Digest::of(&listing.to_bytes()).hex();
    let mode = copy.chmod.map(|mode| format!("{mode:o}"));
    let flag = |name: &str, value: Option<&String>| {
        value.map_or_else(String::new, |value| format!("--{name}={value} "))
    };
    let text = format!(
        "{} {}{}{}:{digest} in {} ",
        copy.keyword,
        flag("chown", copy.chown.as_ref()),
        flag("chmod", mode.as_ref()),
        listing.kind(),
        copy.destination,
    );
    let words = [
        Some(copy.keyword.to_owned()),
        copy.chown.as_ref().map(|owner| format!("--chown={owner}")),
        mode.map(|mode| format!("--chmod={mode}")),
        Some(copy.destination.clone()),
    ];
    Wanted {
        deed: Builder::files_deed(state, &text, words.into_iter().flatten().collect()),
        listing: Some(listing),
        ..Wanted::default()
    }
}

/// An error and its causes on one line: a child has only texts to tell.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Octal.
fn mode(text: &str) -> Result<u32, Error> {
    let digits = !text.is_empty() && text.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let mode = u32::from_str_radix(text, 8).ok();
    let mode = mode.filter(|mode| digits && *mode <= 0o7777);
    mode.ok_or_else(|| {
        Error::refused(format!(
            "invalid chmod parameter: '{text}'. it should be octal string and between 0 and 07777"
        ))
    })
}

/// Ids by the image's own books; a number alone is the group's, too, as in Docker.
fn owner(root: &RootDir, text: &str) -> Result<(u32, u32), String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wanted = if is_number {
        format!("{text}:{text}")
    } else {
        text.to_owned()
    };
    find_ids(root, &wanted).map_err(|error| {
        let why = if error.detail().is_empty() {
            error.to_string()
        } else {
            error.detail().to_owned()
        };
        format!("unable to convert uid/gid chown string to host mapping: {why}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal() {
        assert_eq!(mode("755").unwrap(), 0o755);
        assert_eq!(mode("04755").unwrap(), 0o4755);
        for text in ["", "8", "10000", "u+x", "-1"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_destination_with_a_slash_or_a_dot_is_a_directory() {
        let is_directory = |destination: &str| {
            Copy {
                keyword: "COPY",
                sources: Vec::new(),
                destination: destination.to_owned(),
                chown: None,
                chmod: None,
                unpacks: false,
            }
            .is_directory()
        };
        for text in ["/a/", ".", "./", "a/.", "..", "/"] {
            assert!(is_directory(text), "{text}");
        }
        for text in ["/a", "a.", "..a", "a/b"] {
            assert!(!is_directory(text), "{text}");
        }
    }
}
