//! Randomness from the kernel.

use super::{At as _, Result, raw};

/// 32 random bytes (getrandom(2)): enough for an id that nobody else makes.
pub fn random_bytes() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    // Up to 256 bytes always come whole (getrandom(2)).
    raw::getrandom(&mut bytes).at("getrandom", String::new)?;
    Ok(bytes)
}
