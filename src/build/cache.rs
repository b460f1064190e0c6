//! The cache: which step was made before, and why another one was not. Pure.

use std::fmt::Write as _;

use super::listing::Listing;
use crate::{
    ident::Digest,
    image::{BuildStep, ImageRecord},
};

/// What the cache says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The image of the step, if there is one.
    pub(super) hit: Option<ImageRecord>,
    /// One line.
    pub(super) reason: String,
}

/// Looks for a step among all images, newest first. `read` finds the listing of an older step.
pub(super) fn look(
    images: &[ImageRecord],
    wanted: &BuildStep,
    listing: Option<&Listing>,
    read: &dyn Fn(Digest) -> Option<Listing>,
) -> Verdict {
    let made = |image: &&ImageRecord| image.step.as_ref() == Some(wanted);
    if let Some(image) = images.iter().find(made) {
        return Verdict {
            hit: Some(image.clone()),
            reason: hit_reason(wanted, listing),
        };
    }
    let steps = images.iter().filter_map(|image| image.step.as_ref());
    let siblings: Vec<_> = steps.filter(|step| step.parent == wanted.parent).collect();
    Verdict {
        hit: None,
        reason: miss_reason(&siblings, (wanted, listing), read),
    }
}

fn hit_reason(wanted: &BuildStep, listing: Option<&Listing>) -> String {
    let mut same = "same parent, same instruction".to_owned();
    if !wanted.arguments.is_empty() {
        same.push_str(", same build arguments");
    }
    if let Some(listing) = listing {
        let count = listing.count();
        let word = if count == 1 { "file" } else { "files" };
        write!(same, ", same content of {count} {word}").ok();
    }
    same
}

fn miss_reason(
    siblings: &[&BuildStep],
    (wanted, listing): (&BuildStep, Option<&Listing>),
    read: &dyn Fn(Digest) -> Option<Listing>,
) -> String {
    let parent = match wanted.parent {
        Some(parent) => format!("image {}", parent.short()),
        None => "nothing".to_owned(),
    };
    let Some(newest) = siblings.first() else {
        return format!("no step was built on {parent} before");
    };
    let same = |step: &&&BuildStep| step.instruction == wanted.instruction;
    if let Some(step) = siblings.iter().find(same) {
        if step.epoch != wanted.epoch {
            return "SOURCE_DATE_EPOCH changed".to_owned();
        }
        if step.sources != wanted.sources {
            let before = step.sources.and_then(read);
            return match (listing, before) {
                (Some(now), Some(before)) => now.difference(&before),
                _ => "the files changed".to_owned(),
            };
        }
        return arguments_reason(step, wanted);
    }
    let alike = |step: &&&BuildStep| step.instruction.first() == wanted.instruction.first();
    match siblings.iter().find(alike) {
        Some(before) => format!("the instruction changed, it was: {}", shown(before)),
        None => format!(
            "the instruction is another one, on {parent} it was: {}",
            shown(newest)
        ),
    }
}

/// As one would write it; what was copied is in the listing.
fn shown(step: &BuildStep) -> String {
    let words = &step.instruction;
    match words.split_last() {
        Some((last, before)) if step.sources.is_some() => {
            format!("{} … {last}", before.join(" "))
        }
        _ => words.join(" "),
    }
}

/// Which of them is not as it was.
fn arguments_reason(before: &BuildStep, wanted: &BuildStep) -> String {
    for (name, value) in &wanted.arguments {
        match before.arguments.get(name) {
            Some(was) if was == value => {}
            Some(was) => {
                return format!("build argument {name} changed from {was:?} to {value:?}");
            }
            None => return format!("build argument {name} was not there"),
        }
    }
    let mut names = before.arguments.keys();
    let gone = names.find(|name| !wanted.arguments.contains_key(*name));
    match gone {
        Some(name) => format!("build argument {name} is gone"),
        None => "the step was made in another way".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        build::listing::{Entry, Kind, Source},
        layer::PathBytes,
    };

    fn step(words: &[&str]) -> BuildStep {
        BuildStep {
            parent: Some(Digest::of(b"parent")),
            instruction: words.iter().map(ToString::to_string).collect(),
            arguments: std::collections::BTreeMap::new(),
            sources: None,
            epoch: None,
        }
    }

    fn image(step: BuildStep) -> ImageRecord {
        ImageRecord {
            manifest: Digest::of(b"manifest"),
            id: Digest::of(b"id"),
            layers: Vec::new(),
            imported: "2026-01-01T00:00:00Z".parse().unwrap(),
            sources: Vec::new(),
            step: Some(step),
        }
    }

    fn reason(known: &[BuildStep], wanted: &BuildStep) -> String {
        let images: Vec<_> = known.iter().cloned().map(image).collect();
        let verdict = look(&images, wanted, None, &|_| None);
        assert_eq!(verdict.hit, None);
        verdict.reason
    }

    #[test]
    fn only_the_very_same_step_is_a_hit() {
        let known = step(&["RUN", "/bin/sh", "-c", "x"]);
        let verdict = look(&[image(known.clone())], &known, None, &|_| None);
        assert_eq!(verdict.hit, Some(image(known.clone())));
        assert_eq!(verdict.reason, "same parent, same instruction");
        let one_word = step(&["RUN", "/bin/sh -c x"]);
        assert!(
            reason(std::slice::from_ref(&known), &one_word).starts_with("the instruction changed")
        );
        let parent = Some(Digest::of(b"other"));
        let elsewhere = BuildStep {
            parent,
            ..known.clone()
        };
        assert!(reason(&[known], &elsewhere).starts_with("no step was built on image"));
    }

    #[test]
    fn each_miss_has_its_reason() {
        let known = step(&["RUN", "x"]);
        assert_eq!(
            reason(
                &[step(&["ENV", "A=1"]), known.clone()],
                &step(&["RUN", "y"])
            ),
            "the instruction changed, it was: RUN x"
        );
        let copied = BuildStep {
            sources: Some(Digest::of(b"listing")),
            ..step(&["COPY", "--chown=a", "/app"])
        };
        let other = reason(&[copied], &known);
        assert!(other.starts_with("the instruction is another one, on image"));
        assert!(other.ends_with("it was: COPY --chown=a … /app"), "{other}");
        let with = |name: &str, value: &str| BuildStep {
            arguments: [(name.to_owned(), value.to_owned())].into(),
            ..known.clone()
        };
        assert_eq!(
            reason(&[with("V", "1")], &with("V", "2")),
            "build argument V changed from \"1\" to \"2\""
        );
        assert_eq!(
            reason(std::slice::from_ref(&known), &with("V", "2")),
            "build argument V was not there"
        );
        assert_eq!(
            reason(&[with("V", "1")], &known),
            "build argument V is gone"
        );
        let epoch = Some(0);
        let clamped = BuildStep {
            epoch,
            ..known.clone()
        };
        assert_eq!(reason(&[known], &clamped), "SOURCE_DATE_EPOCH changed");
        let nothing = BuildStep {
            parent: None,
            ..step(&["ADD"])
        };
        assert_eq!(reason(&[], &nothing), "no step was built on nothing before");
    }

    #[test]
    fn a_changed_file_is_named() {
        let listing = |content: &str| Listing {
            sources: vec![Source {
                name: PathBytes::new("src"),
                path: PathBytes::new("src"),
                is_directory: true,
                entries: vec![Entry {
                    path: PathBytes::new("src/app.js"),
                    kind: Kind::File {
                        size: 1,
                        content: Digest::of(content.as_bytes()),
                    },
                    mode: 0o644,
                    owner: None,
                    xattrs: None,
                }],
            }],
            remarks: Vec::new(),
        };
        let copy = |listing: &Listing| BuildStep {
            sources: Some(Digest::of(&listing.to_bytes())),
            ..step(&["COPY", "/app"])
        };
        let (old, new) = (listing("1"), listing("2"));
        let images = [image(copy(&old))];
        let verdict = look(&images, &copy(&new), Some(&new), &|_| Some(old.clone()));
        assert_eq!(verdict.reason, "file src/app.js changed");
        let verdict = look(&images, &copy(&old), Some(&old), &|_| None);
        assert!(verdict.hit.is_some());
        assert!(verdict.reason.ends_with("same content of 1 file"));
        let verdict = look(&images, &copy(&new), Some(&new), &|_| None);
        assert_eq!(verdict.reason, "the files changed");
    }
}
