//! `cowshed system df -v`: every image, container and volume with what it takes.

use cowshed::{
    container::{DiskUsage, Engine, ImageUsage, StoreSpace, VolumeUsage},
    ident::Digest,
};
use serde_json::Value;

use super::{images, ps_row, system_df_store as store, volume};
use crate::cli::{
    format::Format,
    output,
    report::Exit,
    template::{Labels, Row},
    text,
};

const IMAGES: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t\
                      {{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS: &str = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t\
                          {{.RunningFor}}\t{{.Status}}\t{{.Names}}";
const VOLUMES: &str = "{{.Name}}\t{{.Links}}\t{{.Size}}";
const CACHE: &str = "{{.ID}}\t{{.Type}}\t{{.Size}}\t{{.Created}}\t{{.LastUsed}}\t{{.Usage}}\t\
                     {{.Shared}}";

const CACHE_HEADERS: [(&str, &str); 7] = [
    ("ID", "CACHE ID"),
    ("Type", "CACHE TYPE"),
    ("Size", "SIZE"),
    ("Created", "CREATED"),
    ("LastUsed", "LAST USED"),
    ("Usage", "USAGE"),
    ("Shared", "SHARED"),
];

const ALL: [(&str, &str); 5] = [
    ("Images", "IMAGES"),
    ("Containers", "CONTAINERS"),
    ("Volumes", "VOLUMES"),
    ("BuildCache", "BUILD CACHE"),
    // Docker has no such key.
    ("Store", "STORE"),
];

/// Docker's four tables and one of the store, or one object with all of it for a format.
pub(super) fn print(
    engine: &Engine,
    (usage, space): (&DiskUsage, &StoreSpace),
    given: Option<&str>,
) -> Result<(), Exit> {
    let whole = given.is_some();
    let images = image_rows(engine, usage, whole)?;
    let containers: Vec<_> = usage
        .containers
        .iter()
        .map(|(container, size)| {
            let mut row = ps_row::row(container, None, whole);
            set(&mut row, "Size", &text::size(size.written, 3));
            row
        })
        .collect();
    let volumes: Vec<_> = usage.volumes.iter().map(volume_row).collect();
    if given.is_some() {
        let store = store::rows(space);
        let rows = [images, containers, volumes, Vec::new(), store];
        let names = ALL.iter().map(|(name, _)| (*name).to_owned());
        let row = Row {
            fields: names.zip(rows.map(list)).collect(),
            labels: Labels::Of(std::collections::BTreeMap::new()),
        };
        return Format::new(given, "", &ALL)?.print(&[row]);
    }
    let table = |title: &str, template: &str, headers: &[(&str, &str)], rows: &[Row]| {
        let text = Format::new(None, template, headers)?.render(rows)?;
        Ok::<_, Exit>(output::raw(&format!("{title}\n\n{text}"))?)
    };
    let titled = |what| format!("{what} space usage:");
    table(&titled("Images"), IMAGES, &images::HEADERS, &images)?;
    output::raw("\n")?;
    table(
        &titled("Containers"),
        CONTAINERS,
        &ps_row::HEADERS,
        &containers,
    )?;
    output::raw("\n")?;
    table(
        &titled("Local Volumes"),
        VOLUMES,
        &volume::HEADERS,
        &volumes,
    )?;
    output::raw("\n")?;
    table("Build cache usage: 0B", CACHE, &CACHE_HEADERS, &[])?;
    store::print_table(space)
}

/// An image by its first name, as Docker's.
fn image_rows(engine: &Engine, usage: &DiskUsage, whole: bool) -> Result<Vec<Row>, Exit> {
    let (mut lines, _told) = images::lines(engine)?;
    let mut seen = std::collections::BTreeSet::<Digest>::new();
    lines.retain(|line| seen.insert(line.record.manifest));
    let rows = lines.iter().filter_map(|line| {
        let of = |image: &&ImageUsage| image.record.manifest == line.record.manifest;
        let image = usage.images.iter().find(of)?;
        let mut row = images::row(line, whole);
        set(&mut row, "Containers", &image.containers.to_string());
        set(&mut row, "Digest", "");
        set(&mut row, "SharedSize", &text::size(image.shared, 4));
        let unique = image.size - image.shared;
        set(&mut row, "UniqueSize", &text::size(unique, 4));
        set(&mut row, "VirtualSize", &text::size(image.size, 4));
        Some(row)
    });
    Ok(rows.collect())
}

fn volume_row(usage: &VolumeUsage) -> Row {
    volume::measured_row(&usage.volume, usage.links, usage.size)
}

fn set(row: &mut Row, field: &str, text: &str) {
    row.fields.insert(field.to_owned(), text.into());
}

fn list(rows: Vec<Row>) -> Value {
    rows.into_iter()
        .map(|row| Value::Object(row.fields))
        .collect()
}
