//! How far layers are: a line for each that is drawn anew on a terminal, or a line for each change.

use std::{
    io::{self, Write as _},
    os::fd::AsFd as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use cowshed::{
    container::{LayerState, Transfer, TransferListener},
    sys::console,
};

use crate::cli::text::{printable, size};

/// Of a bar, between its brackets.
const BAR: usize = 50;

/// Nobody reads faster.
const REDRAW: Duration = Duration::from_millis(100);

/// Which way layers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Pull,
    Push,
}

/// Where it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// To standard output; drawn anew where that is a terminal.
    Output,
    /// Not at all.
    Nowhere,
}

#[derive(Debug)]
struct Line {
    id: String,
    state: LayerState,
    shown: String,
    drawn: Instant,
}

#[derive(Debug)]
struct Screen {
    way: Way,
    /// Rows of the terminal, if it is one.
    rows: Option<usize>,
    lines: Vec<Line>,
}

/// A listener that tells what happens.
pub(super) fn listener(way: Way, told: Told) -> TransferListener {
    if told == Told::Nowhere {
        return Arc::new(|_| ());
    }
    let stdout = io::stdout();
    let rows = console::is_terminal(stdout.as_fd())
        .then(|| console::window_size(stdout.as_fd()).ok())
        .flatten()
        .map(|(rows, _)| usize::from(rows));
    let screen = Mutex::new(Screen {
        way,
        rows,
        lines: Vec::new(),
    });
    Arc::new(move |transfer| {
        let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        screen.show(transfer, &mut out);
        // A reader that has gone does not stop what was asked for.
        let mut stdout = io::stdout().lock();
        stdout.write_all(&out).and_then(|()| stdout.flush()).ok();
    })
}

impl Screen {
    fn show(&mut self, transfer: Transfer, out: &mut Vec<u8>) {
        match transfer {
            Transfer::Begins { name, repository } => {
                self.lines.clear();
                let text = format!("{name}: Pulling from {repository}");
                writeln!(out, "{}", printable(&text)).ok();
            }
            Transfer::Waits => {
                writeln!(out, "Another process pulls the same image: waiting for it").ok();
            }
            Transfer::Layer { id, state } => self.layer(id, state, out),
        }
    }

    fn layer(&mut self, id: String, state: LayerState, out: &mut Vec<u8>) {
        let found = self.lines.iter().position(|line| line.id == id);
        let is_moving = matches!(state, LayerState::Moving { .. });
        let is_repeated = is_moving || matches!(state, LayerState::Retrying(_));
        let now = Instant::now();
        let Some(at) = found else {
            let shown = text(self.way, &state);
            if let Some(shown) = shown.filter(|_| self.rows.is_some() || !is_moving) {
                writeln!(out, "{id}: {shown}").ok();
                self.lines.push(Line {
                    id,
                    state,
                    shown,
                    drawn: now,
                });
            }
            return;
        };
        let count = self.lines.len();
        let line = &mut self.lines[at];
        // What was there does not become complete by what is done for others.
        if line.state == LayerState::Exists || is_same_kind(&line.state, &state) && !is_repeated {
            return;
        }
        let Some(shown) = text(self.way, &state).filter(|shown| *shown != line.shown) else {
            return;
        };
        // More lines than the terminal has cannot be drawn anew.
        let drawn = self.rows.is_some_and(|rows| count < rows);
        if is_moving && (!drawn || now - line.drawn < REDRAW && line.drawn != now) {
            return;
        }
        (line.state, line.shown, line.drawn) = (state, shown, now);
        let shown = &line.shown;
        if drawn {
            let up = count - at;
            write!(out, "\x1b[{up}A\r\x1b[2K{id}: {shown}\x1b[{up}B\r").ok();
        } else {
            writeln!(out, "{id}: {shown}").ok();
        }
    }
}

fn is_same_kind(one: &LayerState, other: &LayerState) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Docker's words.
fn text(way: Way, state: &LayerState) -> Option<String> {
    let words = match (way, state) {
        (_, LayerState::Retrying(1)) => "Retrying in 1 second",
        (_, LayerState::Retrying(seconds)) => {
            return Some(format!("Retrying in {seconds} seconds"));
        }
        (Way::Pull, LayerState::Wanted) => "Pulling fs layer",
        (Way::Pull, LayerState::Exists) => "Already exists",
        (Way::Pull, LayerState::Moved) => "Download complete",
        (Way::Pull, LayerState::Complete) => "Pull complete",
        (Way::Pull, LayerState::Moving { done, total }) => {
            return Some(format!("Downloading {}", bar(*done, *total)));
        }
        (Way::Push, LayerState::Wanted) => "Preparing",
        (Way::Push, LayerState::Exists) => "Layer already exists",
        (Way::Push, LayerState::Compressing) => "Compressing",
        (Way::Push, LayerState::Complete) => "Pushed",
        (Way::Push, LayerState::Mounted(from)) => return Some(format!("Mounted from {from}")),
        (Way::Push, LayerState::Moving { done, total }) => {
            return Some(format!("Pushing {}", bar(*done, *total)));
        }
        (Way::Push, LayerState::Moved)
        | (Way::Pull, LayerState::Compressing | LayerState::Mounted(_)) => return None,
    };
    Some(words.to_owned())
}

/// `[=====>     ]  1.2MB/3.4MB`
fn bar(done: u64, total: u64) -> String {
    let length = if total == 0 {
        BAR
    } else {
        let share = u128::from(done.min(total)) * BAR as u128 / u128::from(total);
        usize::try_from(share).unwrap_or(BAR)
    };
    let head = if length == BAR { "" } else { ">" };
    let filled = format!("{}{head}", "=".repeat(length));
    format!("[{filled:BAR$}]  {}/{}", size(done, 4), size(total, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(rows: Option<usize>) -> Screen {
        Screen {
            way: Way::Pull,
            rows,
            lines: Vec::new(),
        }
    }

    fn told(screen: &mut Screen, states: &[(&str, LayerState)]) -> String {
        let mut out = Vec::new();
        for (id, state) in states {
            let (id, state) = ((*id).to_owned(), state.clone());
            screen.show(Transfer::Layer { id, state }, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bars_grow_with_what_is_done() {
        let empty = format!("[>{}]  0B/1MB", " ".repeat(49));
        assert_eq!(bar(0, 1_000_000), empty);
        let half = format!("[{}>{}]  500kB/1MB", "=".repeat(25), " ".repeat(24));
        assert_eq!(bar(500_000, 1_000_000), half);
        let full = format!("[{}]  1MB/1MB", "=".repeat(50));
        assert_eq!(bar(1_000_000, 1_000_000), full);
        assert_eq!(bar(0, 0), format!("[{}]  0B/0B", "=".repeat(50)));
        assert_eq!(bar(u64::MAX, 1).len(), bar(u64::MAX, 1).len());
    }

    #[test]
    fn without_a_terminal_each_change_is_a_line() {
        let moving = |done| LayerState::Moving { done, total: 9 };
        let states = [
            ("a", LayerState::Wanted),
            ("b", LayerState::Exists),
            ("a", moving(1)),
            ("a", moving(5)),
            ("a", LayerState::Moved),
            ("a", LayerState::Moved),
            ("a", LayerState::Complete),
            ("b", LayerState::Complete),
        ];
        assert_eq!(
            told(&mut screen(None), &states),
            "a: Pulling fs layer\nb: Already exists\na: Download complete\na: Pull complete\n"
        );
    }

    #[test]
    fn on_a_terminal_a_layers_own_line_is_drawn_anew() {
        let states = [
            ("a", LayerState::Wanted),
            ("b", LayerState::Wanted),
            ("a", LayerState::Moved),
        ];
        assert_eq!(
            told(&mut screen(Some(24)), &states),
            "a: Pulling fs layer\nb: Pulling fs layer\n\x1b[2A\r\x1b[2Ka: Download complete\x1b[2B\r"
        );
        assert_eq!(
            told(&mut screen(Some(2)), &states),
            "a: Pulling fs layer\nb: Pulling fs layer\na: Download complete\n"
        );
    }
}
