//! `--since` and `--until`.

use cowshed::ident::{Timestamp, parse_moment};

use crate::cli::report::Exit;

/// Parses the value of a flag; an empty one is none.
pub(crate) fn moment(flag: &str, text: Option<&String>) -> Result<Option<Timestamp>, Exit> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match parse_moment(text, Timestamp::now()) {
        Ok(moment) => Ok(Some(moment)),
        Err(error) => {
            let message = format!("invalid value for \"{flag}\": {error}");
            Err(Exit::usage(message).or_code(1))
        }
    }
}
