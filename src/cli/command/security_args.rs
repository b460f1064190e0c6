//! The flags that say what a container's processes may do to the kernel, shared by `run` and `create`.

use clap::Args;
use cowshed::process::Security;

use crate::cli::report::Exit;

#[derive(Debug, Args)]
#[command(next_help_heading = "Security")]
pub(crate) struct SecurityArgs {
    /// Capability that root in the container has besides Docker's default ones, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// Capability that root in the container does not have, or ALL
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// no-new-privileges: no program gets more rights, whatever its set-user-id bit says
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
}

impl SecurityArgs {
    pub(crate) fn security(&self) -> Result<Security, Exit> {
        let parsed = Security::parse(&self.cap_add, &self.cap_drop, &self.security_opt);
        parsed.map_err(|error| Exit::from(error).or_code(125))
    }
}
