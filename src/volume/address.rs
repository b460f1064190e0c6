//! The server of an NFS or CIFS volume: its name in the options, its address for the kernel.

use std::{
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use nix::errno::Errno;

use super::{environment::Problem, options::MountSpec};
use crate::sys::{Result as SysResult, SysError, addresses_of};

/// For the look before the mount.
const PATIENCE: Duration = Duration::from_secs(3);

/// The option that the kernel wants the address in.
const KEY: &str = "addr";

/// A server as the options name it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server<'a> {
    host: &'a str,
    port: u16,
}

/// The options for the kernel: with the address of the server, where there is one (Docker resolves
/// `addr=` as well).
pub(super) fn resolved(spec: &MountSpec) -> SysResult<Vec<(String, Option<String>)>> {
    let mut data = spec.data.clone();
    if let Some(server) = server(spec) {
        let address = Some(resolve(server.host)?.to_string());
        match data.iter_mut().find(|(key, _)| key == KEY) {
            Some((_, value)) => *value = address,
            None => data.push((KEY.to_owned(), address)),
        }
    }
    Ok(data)
}

/// Whether the server has an address and listens.
pub(super) fn check(spec: &MountSpec) -> Result<(), Problem> {
    let Some(server) = server(spec) else {
        return Ok(());
    };
    let address = resolve(server.host).map_err(|error| Problem {
        what: format!("find server {}: {}", server.host, error.detail()),
        remedy: Some("check its name, or give its address: -o o=addr=192.0.2.1".to_owned()),
    })?;
    let udp = |value: &Option<String>| {
        value
            .as_deref()
            .is_some_and(|value| value.starts_with("udp"))
    };
    if spec
        .data
        .iter()
        .any(|(key, value)| key == "udp" || key == "proto" && udp(value))
    {
        return Ok(());
    }
    let place = SocketAddr::new(address, server.port);
    match TcpStream::connect_timeout(&place, PATIENCE) {
        Ok(_) => Ok(()),
        Err(error) => Err(Problem {
            what: format!("server {} does not answer at {place}: {error}", server.host),
            remedy: Some("start it; --no-check makes the volume all the same".to_owned()),
        }),
    }
}

fn server(spec: &MountSpec) -> Option<Server<'_>> {
    let (host, default) = match &*spec.kind {
        "nfs" | "nfs4" => (nfs_host(&spec.device), 2049),
        "cifs" | "smb3" => (cifs_host(&spec.device), 445),
        _ => return None,
    };
    let value = |key: &str| {
        let found = spec.data.iter().find(|(one, _)| one == key);
        found.and_then(|(_, value)| value.as_deref())
    };
    let host = value(KEY).or_else(|| value("ip")).or(host)?;
    let port = value("port").and_then(|port| port.parse().ok());
    let port = port.filter(|port| *port != 0).unwrap_or(default);
    Some(Server { host, port })
}

/// `host:/path` or `[address]:/path`.
fn nfs_host(device: &str) -> Option<&str> {
    let host = match device.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?.0,
        None => device.split_once(':')?.0,
    };
    Some(host).filter(|host| !host.is_empty())
}

/// `//host/share`, or the same with backslashes.
fn cifs_host(device: &str) -> Option<&str> {
    let rest = device
        .strip_prefix("//")
        .or_else(|| device.strip_prefix("\\\\"))?;
    let host = rest.split(['/', '\\']).next()?;
    Some(host).filter(|host| !host.is_empty())
}

/// Blocks as long as the resolver does.
fn resolve(host: &str) -> SysResult<IpAddr> {
    let found = addresses_of(host)?.first().copied();
    found.ok_or_else(|| SysError::new("getent", host, Errno::ENXIO))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn spec(kind: &str, device: &str, o: &str) -> MountSpec {
        let pairs = [("type", kind), ("device", device), ("o", o)];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        MountSpec::parse(&BTreeMap::from(pairs)).unwrap().unwrap()
    }

    #[test]
    fn the_server_is_in_the_options_or_in_the_device() {
        for (kind, device, o, host, port) in [
            ("nfs", ":/data", "addr=a.example,vers=4", "a.example", 2049),
            ("nfs", "b.example:/data", "port=20490", "b.example", 20490),
            ("nfs4", "[2001:db8::1]:/data", "", "2001:db8::1", 2049),
            ("cifs", "//c.example/share", "username=x", "c.example", 445),
            (
                "cifs",
                "//c.example/share",
                "addr=192.0.2.7",
                "192.0.2.7",
                445,
            ),
        ] {
            let spec = spec(kind, device, o);
            assert_eq!(server(&spec), Some(Server { host, port }), "{device}");
        }
        assert_eq!(server(&spec("nfs", ":/data", "vers=4")), None);
        assert_eq!(server(&spec("tmpfs", "a:/b", "")), None);
    }

    #[test]
    fn the_kernel_gets_an_address() {
        let data = resolved(&spec("nfs", "127.0.0.1:/data", "vers=4")).unwrap();
        let pair = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        assert_eq!(data, [pair("vers", "4"), pair("addr", "127.0.0.1")]);
        let data = resolved(&spec("nfs", ":/data", "addr=localhost,hard")).unwrap();
        assert_eq!(data[0].0, "addr");
        assert!(
            data[0]
                .1
                .as_ref()
                .unwrap()
                .parse::<IpAddr>()
                .unwrap()
                .is_loopback()
        );
        assert_eq!(data[1], ("hard".to_owned(), None));
    }
}
