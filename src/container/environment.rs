//! A container's environment variables and the small files in its /etc.

use super::ContainerRecord;
use crate::mount::Furniture;

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Docker's order: defaults, the image's, the user's; a later one takes the place of an earlier
/// one of its name.
pub(super) fn variables(
    hostname: &str,
    terminal: bool,
    image: &[String],
    user: &[String],
) -> Vec<String> {
    let mut variables = vec![PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if terminal {
        variables.push("TERM=xterm".to_owned());
    }
    merge(&mut variables, image);
    merge(&mut variables, user);
    variables
}

/// Adds variables; a later one takes the place of an earlier one of its name.
pub(super) fn merge(variables: &mut Vec<String>, more: &[String]) {
    for variable in more {
        let name = name_of(variable);
        match variables.iter_mut().find(|known| name_of(known) == name) {
            Some(known) => known.clone_from(variable),
            None => variables.push(variable.clone()),
        }
    }
}

/// What of a container's variables somebody said: all but our own defaults.
pub(super) fn told(record: &ContainerRecord, image: &[String]) -> Vec<String> {
    let hostname = format!("HOSTNAME={}", record.hostname);
    let is_default = |variable: &str| {
        let terminal = record.terminal && variable == "TERM=xterm";
        variable == PATH || variable == hostname || terminal
    };
    let is_images = |variable: &str| image.iter().any(|own| name_of(own) == name_of(variable));
    let told = |variable: &&String| is_images(variable) || !is_default(variable);
    record.env.iter().filter(told).cloned().collect()
}

fn name_of(variable: &str) -> &str {
    variable.split('=').next().unwrap_or(variable)
}

const LOCALHOST: &str = "127.0.0.1\tlocalhost\n\
    ::1\tlocalhost ip6-localhost ip6-loopback\n\
    fe00::0\tip6-localnet\n\
    ff00::0\tip6-mcastprefix\n\
    ff02::1\tip6-allnodes\n\
    ff02::2\tip6-allrouters\n";

/// hostname, hosts and resolv.conf of a container; the host's own with its network.
pub(super) fn files(hostname: &str, host_network: bool) -> Vec<Furniture> {
    let host = |path| std::fs::read(path).unwrap_or_default();
    let hosts = if host_network {
        host("/etc/hosts")
    } else {
        format!("{LOCALHOST}127.0.1.1\t{hostname}\n").into_bytes()
    };
    vec![
        Furniture {
            name: "hostname",
            content: format!("{hostname}\n").into_bytes(),
        },
        Furniture {
            name: "hosts",
            content: hosts,
        },
        Furniture {
            name: "resolv.conf",
            content: host("/etc/resolv.conf"),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_variables_win_in_place() {
        let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let image = texts(&["PATH=/image", "A=1"]);
        let user = texts(&["A=2", "B", "HOSTNAME=mine"]);
        let variables = variables("box", true, &image, &user);
        assert_eq!(
            variables,
            ["PATH=/image", "HOSTNAME=mine", "TERM=xterm", "A=2", "B"]
        );
    }
}
