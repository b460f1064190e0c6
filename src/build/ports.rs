//! `EXPOSE`: ports and ranges of them.

/// `80`, `53/udp` and `8000-8002` as the configuration names them.
pub(super) fn expand(text: &str) -> Result<Vec<String>, String> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !["tcp", "udp", "sctp"].contains(&protocol.as_str()) {
        return Err(format!("Invalid proto: {protocol}"));
    }
    let bad = || format!("Invalid containerPort: {range}");
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse::<u16>().map_err(|_| bad());
    let (first, last) = (number(first)?, number(last)?);
    if last < first {
        return Err(bad());
    }
    Ok((first..=last)
        .map(|port| format!("{port}/{protocol}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_have_protocols() {
        assert_eq!(expand("80").unwrap(), ["80/tcp"]);
        assert_eq!(expand("53/UDP").unwrap(), ["53/udp"]);
        assert_eq!(expand("8-10").unwrap(), ["8/tcp", "9/tcp", "10/tcp"]);
        for text in ["abc", "", "70000", "9-8", "1-", "80/x"] {
            assert!(expand(text).is_err(), "{text}");
        }
        assert_eq!(expand("abc").unwrap_err(), "Invalid containerPort: abc");
    }
}
