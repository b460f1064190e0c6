//! Ctrl-C, or a polite kill: what the command began is put away, and it ends with 128 and the signal's
//! number (semantics 65).

use std::{
    ffi::CString, os::unix::ffi::OsStrExt as _, path::Path, process::ExitCode, thread,
    time::Duration,
};

use clap::Args;
use cowshed::{
    container::{self, Engine},
    store,
    sys::last_words,
};
use nix::sys::signal::Signal;

use super::report::{Exit, Outcome};

/// Whoever interrupts us again that much later means us, too.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the program that we become is told.
#[derive(Debug, Args)]
pub(crate) struct TidyArgs {
    /// The signal that ended the command before
    #[arg(long, value_name = "NUMBER")]
    after: i32,
}

/// From now on a signal makes us `system tidy`.
pub(super) fn prepare(root: &Path) {
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let Ok(root) = CString::new(absolute.as_os_str().as_bytes()) else {
        return;
    };
    let words = |signal: Signal| {
        let number = CString::new((signal as i32).to_string()).unwrap_or_default();
        let words = [c"cowshed", c"--root", &root, c"system", c"tidy", c"--after"];
        words
            .map(ToOwned::to_owned)
            .into_iter()
            .chain([number])
            .collect()
    };
    // Without it a signal ends us as ever, and the next command tidies up.
    last_words::become_at_signal(words).ok();
}

/// What we became: nobody else calls it.
pub(crate) fn tidy(root: &Path, args: &TidyArgs) -> Outcome {
    let patience = thread::Builder::new().spawn(|| {
        thread::sleep(PATIENCE);
        last_words::end_at_signal();
    });
    if patience.is_err() {
        last_words::end_at_signal();
    }
    let mut outcome = "what was begun is put away";
    if root.join("store.json").exists() {
        match Engine::open(root) {
            Ok(engine) => engine.put_away(),
            Err(container::Error::Store(store::Error::Doomed { .. })) => {
                outcome = "the store is half destroyed, and system destroy finishes it";
            }
            // Left to the next command, as after a kill.
            Err(_) => outcome = "the next command puts away what was begun",
        }
    }
    let name = Signal::try_from(args.after).map_or("a signal", Signal::as_str);
    let code = u8::try_from(128 + args.after).unwrap_or(1);
    let what = format!("interrupted by {name}: {outcome}");
    Err::<ExitCode, _>(Exit::usage(what).or_code(code))
}
