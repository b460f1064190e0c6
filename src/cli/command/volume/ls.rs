//! `cowshed volume ls`.

use std::{cmp::Reverse, process::ExitCode};

use clap::{Args, ValueEnum};
use cowshed::{
    container::{Engine, VolumeUse, VolumeUsers},
    ident::{Timestamp, VolumeName},
    volume::{self, Looked, Volume, Volumes},
};

use super::{
    filter::{Filter, Subject},
    ls_row::{HEADERS, LONG, PLAIN, is_extra, row},
};
use crate::cli::{
    format::Format,
    output,
    report::{Exit, Outcome, note_damaged, note_damaged_containers},
    text::printable,
};

#[derive(Debug, Args)]
pub(super) struct LsArgs {
    /// Only names
    #[arg(short, long)]
    quiet: bool,
    /// Kind, size, users, age, last use and notes
    #[arg(short = 's', long, visible_alias = "size")]
    long: bool,
    /// dangling=BOOL, driver=NAME, label=KEY[=VALUE], name=PART, anonymous=BOOL, until=AGE,
    /// since=AGE, unused-since=AGE, size>SIZE or size<SIZE
    #[arg(short, long, value_name = "KEY=VALUE")]
    filter: Vec<String>,
    /// By what: the largest, newest or last used one first
    #[arg(long, value_enum, default_value_t, hide_default_value = true)]
    sort: Sort,
    /// The other way round
    #[arg(short, long)]
    reverse: bool,
    /// table, json, or a Go template: `table {{.Name}}\t{{.Mountpoint}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Sort {
    #[default]
    Name,
    Size,
    Created,
    Used,
}

/// A volume, and what was asked for about it.
#[derive(Debug)]
pub(super) struct Listed<'u> {
    pub(super) volume: Volume,
    /// Its record cannot be read, and `volume` says no more than its name.
    pub(super) damage: Option<String>,
    pub(super) users: &'u [VolumeUse],
    pub(super) bytes: u64,
    pub(super) last_used: Option<Timestamp>,
}

impl Listed<'_> {
    pub(super) fn is_live(&self) -> bool {
        self.users.iter().any(|user| user.status.is_live())
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            volume: &self.volume,
            used: !self.users.is_empty(),
            live: self.is_live(),
            bytes: self.bytes,
            last_used: self.last_used,
        }
    }
}

pub(super) fn ls(engine: &Engine, args: &LsArgs) -> Outcome {
    let filters = Filter::parse_all(&args.filter)?;
    let given = args.format.as_deref().filter(|given| !given.is_empty());
    let volumes = engine.volumes()?;
    let asks = |what: fn(&Filter) -> bool| filters.iter().any(what);
    let mut users = VolumeUsers::new();
    if args.long || args.sort == Sort::Used || asks(Filter::asks_for_users) {
        users = known_users(engine)?;
    }
    // Names first: there may be thousands, and to look at each takes its time.
    let mut names = volumes.names()?;
    names.retain(|name| {
        let used = users.contains_key(name);
        let says_no = |filter: &Filter| filter.fits_name(name.as_str(), used) == Some(false);
        !filters.iter().any(says_no)
    });
    let decided = |filter: &Filter| filter.fits_name("", false).is_some();
    let by_name = args.sort == Sort::Name && filters.iter().all(decided);
    if by_name && given.is_none() && (args.quiet || !args.long) {
        if args.reverse {
            names.reverse();
        }
        plain(&volumes, &names, args.quiet)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Docker lets a format win over -q here.
    let quiet = args.quiet.then_some("{{.Name}}");
    let format = Format::new(
        given.or(quiet),
        if args.long { LONG } else { PLAIN },
        &HEADERS,
    )?;
    let mentions = |field: &str| format.mentions(field);
    let extra = HEADERS
        .iter()
        .any(|(field, _)| is_extra(field) && mentions(field));
    if extra && users.is_empty() {
        users = known_users(engine)?;
    }
    let long = args.long || extra;
    let wanted = Wanted {
        // Docker's own field of this name is no reason to add anything up.
        sizes: args.long
            || mentions("SizeBytes")
            || args.sort == Sort::Size
            || asks(Filter::asks_for_size),
        last_uses: long || args.sort == Sort::Used || asks(Filter::asks_for_last_use),
    };
    let mut listed = look(&volumes, &names, wanted, &users)?;
    listed.retain(|one| filters.iter().all(|filter| filter.fits(&one.subject())));
    let damaged = listed.iter().filter_map(|one| {
        let why = one.damage.as_ref()?;
        Some((one.volume.record.name.as_str(), why.as_str()))
    });
    note_damaged("volumes", "cowshed volume rm", damaged);
    sort(&mut listed, args.sort, args.reverse);
    let rows: Vec<_> = listed
        .iter()
        .map(|one| row(one, (long, wanted.sizes)))
        .collect();
    format.print(&rows)?;
    Ok(ExitCode::SUCCESS)
}

/// Who is known to use them; a note tells of those of whom nothing is known.
fn known_users(engine: &Engine) -> Result<VolumeUsers, Exit> {
    let (users, damaged) = engine.known_volume_users()?;
    note_damaged_containers(&damaged);
    Ok(users)
}

/// Names, or Docker's table.
fn plain(volumes: &Volumes<'_>, names: &[VolumeName], quiet: bool) -> Result<(), Exit> {
    if quiet {
        let lines = names.iter().flat_map(|name| [name.as_str(), "\n"]);
        return Ok(output::raw(&lines.collect::<String>())?);
    }
    // By hand: to fill in a template ten thousand times takes as long as all the rest.
    let mut text = "DRIVER\tVOLUME NAME\n".to_owned();
    for (name, driver) in volumes.drivers(names)? {
        text.extend([printable(&driver).as_str(), "\t", name.as_str(), "\n"]);
    }
    Ok(output::raw(&output::tabulate(&text))?)
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    sizes: bool,
    last_uses: bool,
}

fn look<'u>(
    volumes: &Volumes<'_>,
    names: &[VolumeName],
    wanted: Wanted,
    users: &'u VolumeUsers,
) -> Result<Vec<Listed<'u>>, volume::Error> {
    let one = |name: &_| {
        let (volume, damage) = match volumes.look(name)? {
            None => return Ok(None),
            Some(Looked::Whole(volume)) => (volume, None),
            Some(Looked::Damaged(one)) => (one.volume, Some(one.why)),
        };
        let measured = wanted.sizes.then(|| volumes.usage(name)).transpose();
        let bytes = match measured {
            // Who knows what was done to it.
            Err(_) if damage.is_some() => 0,
            measured => measured?.map_or(0, |usage| usage.bytes),
        };
        let last_used = if wanted.last_uses {
            volumes.last_used(name)?
        } else {
            None
        };
        let users = users.get(name).map_or(&[][..], Vec::as_slice);
        Ok(Some(Listed {
            volume,
            damage,
            users,
            bytes,
            last_used,
        }))
    };
    let gone = |found: Result<_, volume::Error>| match found {
        // Removed between two looks.
        Err(volume::Error::NotFound { .. }) => Ok(None),
        found => found,
    };
    volumes.each(names, |name| gone(one(name)))
}

fn sort(listed: &mut [Listed<'_>], by: Sort, reverse: bool) {
    match by {
        // As they come.
        Sort::Name => {}
        Sort::Size => listed.sort_by_key(|one| Reverse(one.bytes)),
        Sort::Created => listed.sort_by_key(|one| Reverse(one.volume.record.created)),
        Sort::Used => listed.sort_by_key(|one| Reverse((one.is_live(), one.last_used))),
    }
    if reverse {
        listed.reverse();
    }
}
