//! Which containers `ps` lists.

use cowshed::{
    container::{Container, DamagedContainer, Engine},
    image::ImageRecord,
    mount::RequestKind,
};
use regex::Regex;

use super::filter::{by_key, has_label, invalid, unknown};
use crate::cli::report::Exit;

/// Docker's words for what a container can be.
const STATUSES: [&str; 7] = [
    "created",
    "dead",
    "exited",
    "paused",
    "removing",
    "restarting",
    "running",
];
const HEALTHS: [&str; 4] = ["healthy", "none", "starting", "unhealthy"];

/// Without a check, and before the first start, there is none.
fn health(container: &Container) -> &'static str {
    let health = container.health.as_ref();
    health.map_or("none", |health| health.status.word())
}

/// One key of `--filter`; its values are alternatives, but for labels.
enum Filter {
    Id(Vec<String>),
    Name(Vec<Regex>),
    Label(Vec<String>),
    NotLabel(Vec<String>),
    Exited(Vec<i32>),
    Status(Vec<String>),
    Health(Vec<String>),
    Ancestor(Vec<ImageRecord>),
    /// Created before all of these, which are places in the list, newest first.
    Before(Vec<usize>),
    Since(Vec<usize>),
    Volume(Vec<String>),
    Network(Vec<String>),
}

/// All of `--filter`.
pub(crate) struct Filters(Vec<Filter>);

impl Filters {
    /// `all` is the list that places are in.
    pub(crate) fn parse(
        engine: &Engine,
        texts: &[String],
        all: &[Container],
    ) -> Result<Self, Exit> {
        let keys = by_key(texts)?.into_iter();
        let filters = keys.map(|(key, values)| Filter::of(engine, &key, values, all));
        Ok(Self(filters.collect::<Result<_, _>>()?))
    }

    /// Whether a status is asked for: then those that do not run are meant, too.
    pub(crate) fn ask_for_status(&self) -> bool {
        let mut filters = self.0.iter();
        filters.any(|filter| matches!(filter, Filter::Status(_)))
    }

    pub(crate) fn fit(&self, place: usize, container: &Container) -> bool {
        self.0.iter().all(|filter| filter.fits(place, container))
    }
}

impl Filters {
    /// One that cannot be read has an id, mostly a name, and is as good as dead.
    pub(crate) fn fit_damaged(&self, one: &DamagedContainer) -> bool {
        let name = one.name.as_ref().map_or("", |name| name.as_str());
        self.0.iter().all(|filter| match filter {
            Filter::Id(ids) => ids.iter().any(|own| one.id.as_str().starts_with(own)),
            Filter::Name(patterns) => patterns.iter().any(|pattern| pattern.is_match(name)),
            Filter::Status(words) => words.iter().any(|word| word == "dead"),
            Filter::Label(_)
            | Filter::NotLabel(_)
            | Filter::Exited(_)
            | Filter::Health(_)
            | Filter::Ancestor(_)
            | Filter::Before(_)
            | Filter::Since(_)
            | Filter::Volume(_)
            | Filter::Network(_) => false,
        })
    }
}

impl Filter {
    fn of(
        engine: &Engine,
        key: &str,
        values: Vec<String>,
        all: &[Container],
    ) -> Result<Self, Exit> {
        Ok(match key {
            "id" => Self::Id(values),
            "name" => Self::Name(each(key, &values, |value| Regex::new(value).ok())?),
            "label" => Self::Label(values),
            "label!" => Self::NotLabel(values),
            "exited" => Self::Exited(each(key, &values, |value| value.parse().ok())?),
            "status" => Self::Status(words(key, values, &STATUSES)?),
            "health" => Self::Health(words(key, values, &HEALTHS)?),
            "ancestor" => Self::Ancestor(images(engine, &values)?),
            "before" => Self::Before(places(engine, &values, all)?),
            "since" => Self::Since(places(engine, &values, all)?),
            "volume" => Self::Volume(values),
            "network" => Self::Network(values),
            key => return Err(unknown(key)),
        })
    }

    fn fits(&self, place: usize, container: &Container) -> bool {
        let record = &container.record;
        let (id, name) = (record.id.as_str(), record.name.as_str());
        match self {
            Self::Id(ids) => ids.iter().any(|own| !own.is_empty() && id.starts_with(own)),
            // Docker's names begin with a slash, and patterns may say so.
            Self::Name(patterns) => patterns
                .iter()
                .any(|pattern| pattern.is_match(name) || pattern.is_match(&format!("/{name}"))),
            Self::Label(wanted) => wanted.iter().all(|label| has_label(&record.labels, label)),
            Self::NotLabel(not) => !not.iter().any(|label| has_label(&record.labels, label)),
            Self::Exited(codes) => {
                let state = container.state.as_ref();
                let started = state.filter(|state| state.started.is_some());
                !container.status.is_live()
                    && started.is_some_and(|state| codes.contains(&state.exit_code))
            }
            Self::Status(words) => words.iter().any(|word| word == container.status.word()),
            Self::Health(words) => words.iter().any(|word| word == health(container)),
            Self::Ancestor(images) => images.iter().any(|image| descends(container, image)),
            Self::Before(places) => places.iter().all(|newer| place > *newer),
            Self::Since(places) => places.iter().all(|older| place < *older),
            Self::Volume(wanted) => wanted.iter().any(|wanted| mounts(container, wanted)),
            Self::Network(names) => {
                let own = serde_json::json!(record.network);
                names.iter().any(|name| own == name.as_str())
            }
        }
    }
}

fn each<T>(
    key: &str,
    values: &[String],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Exit> {
    let parsed = values.iter();
    let parsed = parsed.map(|value| parse(value).ok_or_else(|| invalid(key, value)));
    parsed.collect()
}

fn words(key: &str, values: Vec<String>, known: &[&str]) -> Result<Vec<String>, Exit> {
    match values.iter().find(|value| !known.contains(&value.as_str())) {
        Some(value) => Err(invalid(key, value)),
        None => Ok(values),
    }
}

/// An image that nobody has is nobody's ancestor.
fn images(engine: &Engine, names: &[String]) -> Result<Vec<ImageRecord>, Exit> {
    let images = engine.images()?;
    let mut found = Vec::new();
    for name in names {
        match images.resolve(name) {
            Ok(record) => found.push(record),
            Err(cowshed::image::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn places(engine: &Engine, names: &[String], all: &[Container]) -> Result<Vec<usize>, Exit> {
    let mut places = Vec::new();
    for name in names {
        let id = engine.container(name)?.record.id;
        // One that came or went since the list was made is the newest.
        let place = all.iter().position(|one| one.record.id == id);
        places.push(place.unwrap_or(0));
    }
    Ok(places)
}

/// Of this image, or of one that was made on top of it.
fn descends(container: &Container, image: &ImageRecord) -> bool {
    let record = &container.record;
    let chain = image.layers.last().map(|layer| layer.chain);
    record.image_id == image.id || chain.is_some_and(|chain| record.chains.contains(&chain))
}

/// Whether a volume, a bind's source or a place in the container is called so.
fn mounts(container: &Container, wanted: &str) -> bool {
    let mut mounts = container.record.mounts.iter();
    mounts.any(|mount| {
        let request = &mount.request;
        let source = match &request.kind {
            RequestKind::Bind(bind) => bind.source.to_str() == Some(wanted),
            RequestKind::Overlay(overlay) => overlay.lower.to_string() == wanted,
            RequestKind::Image(image) => image.image == wanted,
            RequestKind::Volume(_) | RequestKind::Tmpfs(_) => false,
        };
        source
            || mount.volumes().any(|volume| volume.as_str() == wanted)
            || request.target.to_str() == Some(wanted)
    })
}
