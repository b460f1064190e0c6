//! Random choices that a seed repeats.

use std::io::Write as _;

/// `SplitMix64`: small, and good enough to choose commands.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end` without it.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    /// True so often of a hundred times.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    pub(crate) fn pick<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// Another one, for somebody else.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

/// What short runs take where nobody says: what they find, the next run finds, too.
const SEED: u64 = 1;

/// Whether the long version is wanted (`scripts/torture.sh`), and the seed, which is said aloud:
/// `COWSHED_SEED` repeats a short run, `COWSHED_TORTURE` a long one.
pub(crate) fn seed(test: &str) -> (bool, u64) {
    let of = |name| Some(std::env::var(name).ok()?.parse::<u64>().unwrap());
    let (long, short) = (of("COWSHED_TORTURE"), of("COWSHED_SEED"));
    let seed = long.or(short).unwrap_or(SEED);
    let variable = if long.is_some() {
        "COWSHED_TORTURE"
    } else {
        "COWSHED_SEED"
    };
    say(&format!("{test}: {variable}={seed}"));
    (long.is_some(), seed)
}

/// For whoever runs the tests; the capture of a passing test does not keep it back.
pub(crate) fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
