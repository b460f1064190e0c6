//! Names of hosts to their addresses.

use std::{net::IpAddr, process::Command};

use nix::errno::Errno;

use super::{Result, SysError};

/// The addresses of a host, the best first; an address stands for itself.
///
/// Blocks as long as the resolver does. getent(1) asks it for us: the C library's own resolver is made
/// of parts that a static program does not have.
pub fn addresses_of(host: &str) -> Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let failed = |why: &str| SysError::new("getent", format!("{host}: {why}"), Errno::ENXIO);
    if host.starts_with('-') {
        return Err(failed("no name begins so"));
    }
    let asked = Command::new("getent").args(["ahosts", host]).output();
    let answer = asked.map_err(|_| failed("no getent(1) here to ask, give its address"))?;
    let text = String::from_utf8_lossy(&answer.stdout);
    // One line a kind of socket.
    let lines = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in lines.filter_map(|word| word.parse().ok()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(failed("no such name is known"));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_have_addresses() {
        assert!(addresses_of("localhost").unwrap()[0].is_loopback());
        assert_eq!(addresses_of("::1").unwrap().len(), 1);
        for bad in ["-n", "no-such-name.invalid", ""] {
            assert!(addresses_of(bad).is_err(), "{bad}");
        }
    }
}
