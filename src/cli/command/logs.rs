//! `cowshed logs`

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use cowshed::{
    container::{Container, Engine},
    control::Link,
    log::{Entry, Follow, Lost, Query, Reader, Stream},
    sys::process,
};

use super::moment_arg::moment;
use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Go on with what is written until the container ends
    #[arg(short, long)]
    follow: bool,
    /// How many lines from the end, or all
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value = "all",
        allow_negative_numbers = true
    )]
    tail: String,
    /// Nothing before: 2026-01-02T15:04:05Z, seconds since 1970, or 10m ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Nothing after
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Put the time before each line
    #[arg(short, long)]
    timestamps: bool,
    /// Put what else was stored before each line
    #[arg(long)]
    details: bool,
    /// Name or id
    container: String,
}

impl LogsArgs {
    fn query(&self) -> Result<Query, Exit> {
        let tail = match self.tail.parse::<i64>() {
            Ok(count) => u64::try_from(count).ok(),
            Err(_) if self.tail == "all" => None,
            Err(_) => {
                let message = format!("invalid value for \"tail\": {:?}", self.tail);
                return Err(Exit::usage(message).or_code(1));
            }
        };
        Ok(Query {
            tail,
            since: moment("since", self.since.as_ref())?,
            until: moment("until", self.until.as_ref())?,
        })
    }
}

pub(crate) fn run(engine: &Engine, args: &LogsArgs) -> Outcome {
    let query = args.query()?;
    let container = engine.container(&args.container)?;
    let dir = engine.log_dir(&container.record)?;
    let mut printer = Printer::new(args);
    let skipped = if args.follow && container.status.is_live() {
        let mut follow = Follow::open(dir, query)?;
        let supervision = Supervision::of(engine, &container)?;
        print_on(&mut follow, &supervision, &mut printer)?;
        follow.skipped()
    } else {
        let mut reader = Reader::open(&dir, query)?;
        while let Some(entry) = reader.read_entry()? {
            printer.put(&entry)?;
        }
        reader.skipped()
    };
    printer.flush()?;
    if skipped > 0 {
        let what = if skipped == 1 { "line" } else { "lines" };
        report::line(&format!(
            "cowshed: note: {skipped} {what} of the log cannot be read"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_on(
    follow: &mut Follow,
    supervision: &Supervision,
    printer: &mut Printer,
) -> Result<(), Exit> {
    let stdout = io::stdout();
    loop {
        // Before reading: what was written until the end is read after it.
        let ended = supervision.has_ended();
        while let Some(entry) = follow.read_available()? {
            printer.put(&entry)?;
        }
        printer.flush()?;
        if ended || follow.is_done() {
            return Ok(());
        }
        let reader_gone = follow.wait(supervision.fd(), stdout.as_fd(), INTERVAL)?;
        if reader_gone {
            return Ok(());
        }
    }
}

/// How often to look, where nothing wakes us: never, in fact.
const INTERVAL: Duration = Duration::from_mins(1);

/// A link to the supervisor, which hangs up when the container has ended for good; none where that
/// has happened already.
struct Supervision(Option<Link>);

impl Supervision {
    fn of(engine: &Engine, container: &Container) -> Result<Self, Exit> {
        Ok(Self(engine.lifeline(container)?))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(Link::as_fd)
    }

    fn has_ended(&self) -> bool {
        self.0.as_ref().is_none_or(process::is_hung_up)
    }
}

/// Gives entries to our streams, a run of one stream with one write.
struct Printer {
    timestamps: bool,
    details: bool,
    stream: Stream,
    pending: Vec<u8>,
}

const PENDING_MAX: usize = 64 * 1024;

impl Printer {
    fn new(args: &LogsArgs) -> Self {
        Self {
            timestamps: args.timestamps,
            details: args.details,
            stream: Stream::Stdout,
            pending: Vec::new(),
        }
    }

    fn put(&mut self, entry: &Entry) -> io::Result<()> {
        if let Some(lost) = &entry.lost {
            self.flush()?;
            report::line(&format!("cowshed: note: {}", told(lost, entry)));
            return Ok(());
        }
        if entry.stream != self.stream || self.pending.len() >= PENDING_MAX {
            self.flush()?;
            self.stream = entry.stream;
        }
        if self.timestamps {
            self.pending
                .extend_from_slice(entry.time.fixed().as_bytes());
            self.pending.push(b' ');
        }
        if self.details {
            // Docker's place for attributes, which we do not store.
            self.pending.push(b' ');
        }
        self.pending.extend_from_slice(&entry.bytes);
        Ok(())
    }

    /// The container's bytes as they are: they are its user's, as with `run`.
    fn flush(&mut self) -> io::Result<()> {
        match self.stream {
            Stream::Stdout => output::bytes(&self.pending)?,
            Stream::Stderr => report::bytes(&self.pending),
        }
        self.pending.clear();
        Ok(())
    }
}

fn told(lost: &Lost, entry: &Entry) -> String {
    let time = entry.time.fixed();
    match lost {
        Lost::Bytes { count, cause } => {
            format!("{count} bytes before {time} could not be written to the log: {cause}")
        }
        Lost::Files { count: Some(count) } => {
            format!("{count} files of the log were rotated away before they were read")
        }
        Lost::Files { count: None } => {
            "files of the log may have been rotated away before they were read".to_owned()
        }
    }
}
