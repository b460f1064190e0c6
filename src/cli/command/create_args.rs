//! The arguments that `create` and `run` share, and what they mean.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{ArgAction, Args, ValueEnum};
use cowshed::{
    container::{ImageVolumes, RestartPolicy, RunRequest, parse_signal},
    log::LogOptions,
    mount::{
        self, Access, Ephemeral, MountRequest, TmpfsSize, UnionOptions, VolumesFrom,
        parse_mount_flag, parse_tmpfs_flag, parse_volume_flag, parse_volumes_from,
    },
    process::Network,
};

use super::{
    accepted_args::AcceptedArgs, cid_file::CidFile, env_file, health_args::HealthArgs,
    limit_args::LimitArgs, missing_image::Fetching, security_args::SecurityArgs,
};
use crate::cli::report::Exit;

/// Which network a container sees.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum NetworkArg {
    /// Loopback only
    None,
    /// The host's
    Host,
}

impl From<NetworkArg> for Network {
    fn from(arg: NetworkArg) -> Self {
        match arg {
            NetworkArg::None => Self::None,
            NetworkArg::Host => Self::Host,
        }
    }
}

/// What becomes of the image's VOLUMEs that no mount covers.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ImageVolumeArg {
    /// Each gets an anonymous volume
    Anonymous,
    /// They are directories like any other
    Ignore,
    /// Each gets a tmpfs that begins with the image's content
    Tmpfs,
}

impl From<ImageVolumeArg> for ImageVolumes {
    fn from(arg: ImageVolumeArg) -> Self {
        match arg {
            ImageVolumeArg::Anonymous => Self::Anonymous,
            ImageVolumeArg::Ignore => Self::Ignore,
            ImageVolumeArg::Tmpfs => Self::Tmpfs,
        }
    }
}

#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Docker's run"
)]
pub(crate) struct CreateArgs {
    /// Remove the container and its anonymous volumes when it ends
    #[arg(long)]
    rm: bool,
    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    tty: bool,
    /// Name of the container
    #[arg(long)]
    name: Option<String>,
    /// Environment variable; without a value it is passed on
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    env: Vec<String>,
    /// File of environment variables
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User and group, as names of the image or as numbers
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Host name
    #[arg(short = 'h', long)]
    hostname: Option<String>,
    /// Replace the image's entrypoint; an empty text removes it
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Label of the container
    #[arg(short, long, value_name = "KEY[=VALUE]")]
    label: Vec<String>,
    /// Make the root read-only; volumes and tmpfs stay writable
    #[arg(long)]
    read_only: bool,
    /// Which network the container sees
    #[arg(long, alias = "net", value_enum, default_value = "none")]
    network: NetworkArg,
    /// Run a reaper of orphans as process 1
    #[arg(long)]
    init: bool,
    /// Size of /dev/shm
    #[arg(long, value_name = "BYTES")]
    shm_size: Option<String>,
    /// Volume or bind mount
    #[arg(short, long, value_name = "[SOURCE:]TARGET[:MODE]")]
    volume: Vec<String>,
    /// Mount of any type
    #[arg(long, value_name = "type=TYPE,src=SOURCE,dst=TARGET,…")]
    mount: Vec<String>,
    /// tmpfs mount
    #[arg(long, value_name = "TARGET[:OPTIONS]")]
    tmpfs: Vec<String>,
    /// Mount what another container has mounted
    #[arg(long, value_name = "CONTAINER[:ro|rw]")]
    volumes_from: Vec<String>,
    /// What becomes of the image's VOLUMEs that no mount covers
    #[arg(long, value_enum, value_name = "WHAT", default_value = "anonymous")]
    image_volume: ImageVolumeArg,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    health: HealthArgs,
    #[command(flatten)]
    security: SecurityArgs,
    #[command(flatten)]
    accepted: AcceptedArgs,
    /// When to start it again: no, on-failure[:N], always or unless-stopped
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "no",
        hide_default_value = true
    )]
    restart: String,
    /// What `stop` sends first
    #[arg(long, value_name = "SIGNAL")]
    stop_signal: Option<String>,
    /// Seconds that `stop` waits before it kills; -1 waits for ever
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    stop_timeout: Option<i32>,
    /// Write the container's id to this new file
    #[arg(long, value_name = "FILE")]
    cidfile: Option<PathBuf>,
    /// How output is kept: json-file, local or none
    #[arg(long, value_name = "DRIVER")]
    log_driver: Option<String>,
    /// max-size=BYTES or max-file=COUNT
    #[arg(long, value_name = "KEY=VALUE")]
    log_opt: Vec<String>,
    /// overlay.redirect_dir=on or overlay.metacopy=on: renames directories and changes owners of the
    /// image's files without copying them
    #[arg(long, value_name = "KEY=VALUE")]
    storage_opt: Vec<String>,
    /// Never sync what the container changes in its root: faster, and a crash of the machine may leave
    /// anything of it
    #[arg(long, conflicts_with = "ephemeral")]
    volatile: bool,
    /// Keep what the container changes in its root in memory, SIZE at most: it goes when the program ends
    ///
    /// SIZE is in bytes (64m) or a share of the memory (10%); 0 is no limit, and without one it is half of
    /// the memory.
    #[arg(long, value_name = "SIZE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    ephemeral: Option<String>,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    /// The image, then the program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "IMAGE [COMMAND [ARG…]]"
    )]
    image_and_command: Vec<String>,
}

impl CreateArgs {
    /// `-i`
    pub(crate) fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// `-t`
    pub(crate) fn has_terminal(&self) -> bool {
        self.tty
    }

    /// Where the id goes, too; a file that is there already is somebody's.
    pub(crate) fn cidfile(&self) -> Result<CidFile, Exit> {
        CidFile::new(self.cidfile.clone())
    }

    /// What to do about an image that is not here.
    pub(crate) fn fetching(&self) -> Fetching {
        self.accepted.fetching()
    }

    /// Everything parsed; nothing looked up.
    pub(crate) fn request(self) -> Result<RunRequest, Exit> {
        let mounts = self.mounts()?;
        let (env, log) = (self.variables()?, self.log()?);
        let (labels, volumes_from) = (self.labels()?, self.volumes_from()?);
        let union = self.union()?;
        self.accepted.check()?;
        // An empty text is as good as none: a script's variable may be empty.
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let name = given(self.name).map(|name| name.parse()).transpose();
        let mut words = self.image_and_command.into_iter();
        let image = words.next().unwrap_or_default();
        // What follows the image may begin with a dash, so the parser lets the image, too.
        if image.starts_with('-') {
            return Err(Exit::usage(format!("unknown flag: {image}")));
        }
        let usage = |error: mount::Error| Exit::from(error).or_code(125);
        let shm = self.shm_size.map(|text| mount::parse_bytes(&text));
        let refused = |error: cowshed::container::Error| Exit::from(error).or_code(125);
        let restart: RestartPolicy = self.restart.parse().map_err(refused)?;
        if self.rm && restart != RestartPolicy::No {
            let what = "conflicting options: cannot specify both --restart and --rm";
            return Err(Exit::usage(what));
        }
        let stop_signal = self.stop_signal.as_deref().map(parse_signal).transpose();
        let default = RunRequest::new(image);
        Ok(RunRequest {
            name: name.map_err(|error: cowshed::ident::Error| Exit::from(error).or_code(125))?,
            args: words.collect(),
            entrypoint: self.entrypoint,
            env,
            workdir: given(self.workdir),
            user: given(self.user),
            hostname: given(self.hostname),
            labels,
            root: if self.read_only {
                Access::ReadOnly
            } else {
                Access::ReadWrite
            },
            network: self.network.into(),
            reaper: self.init,
            terminal: self.tty,
            interactive: self.interactive,
            restart,
            limits: self.limits.limits()?,
            ulimits: self.limits.ulimits()?,
            security: self.security.security()?,
            health: self.health.check()?,
            stop_signal: stop_signal.map_err(refused)?,
            stop_timeout: self.stop_timeout,
            auto_remove: self.rm,
            log,
            shm_bytes: shm.transpose().map_err(usage)?.unwrap_or(default.shm_bytes),
            mounts,
            volumes_from,
            image_volumes: self.image_volume.into(),
            union,
            ..default
        })
    }

    fn union(&self) -> Result<UnionOptions, Exit> {
        let parsed = UnionOptions::parse(&self.storage_opt);
        let size = self.ephemeral.as_deref().filter(|text| !text.is_empty());
        let size = size.map(|text| {
            let refused = |_| {
                let what = format!("invalid size for --ephemeral: {text:?}");
                Exit::usage(what)
                    .with_hint("bytes such as 64m, or a share of the memory such as 10%")
            };
            text.parse::<TmpfsSize>().map_err(refused)
        });
        let size = size.transpose()?;
        Ok(UnionOptions {
            volatile: self.volatile,
            ephemeral: self.ephemeral.as_ref().map(|_| Ephemeral { size }),
            ..parsed.map_err(|error| Exit::from(error).or_code(125))?
        })
    }

    fn log(&self) -> Result<LogOptions, Exit> {
        LogOptions::parse(self.log_driver.as_deref(), &self.log_opt)
            .map_err(|error| Exit::from(error).or_code(125))
    }

    fn labels(&self) -> Result<BTreeMap<String, String>, Exit> {
        let pair = |label: &String| {
            let (key, value) = label.split_once('=').unwrap_or((label, ""));
            (key.to_owned(), value.to_owned())
        };
        let from_files = self.accepted.labels()?;
        Ok(from_files.iter().chain(&self.label).map(pair).collect())
    }

    fn volumes_from(&self) -> Result<Vec<VolumesFrom>, Exit> {
        let parsed = self
            .volumes_from
            .iter()
            .map(|text| parse_volumes_from(text));
        let parsed = parsed.collect::<Result<Vec<_>, _>>();
        parsed.map_err(|error| Exit::from(error).or_code(125))
    }

    fn mounts(&self) -> Result<Vec<MountRequest>, Exit> {
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let volumes = self
            .volume
            .iter()
            .map(|text| (text, "--volume", parse_volume_flag(text, &cwd)));
        let mounts = self
            .mount
            .iter()
            .map(|text| (text, "--mount", parse_mount_flag(text, &cwd)));
        let tmpfs = self
            .tmpfs
            .iter()
            .map(|text| (text, "--tmpfs", parse_tmpfs_flag(text)));
        volumes
            .chain(mounts)
            .chain(tmpfs)
            .map(|(_, _, parsed)| parsed.map_err(|error| Exit::from(error).or_code(125)))
            .collect()
    }

    fn variables(&self) -> Result<Vec<String>, Exit> {
        let mut variables = Vec::new();
        for file in &self.env_file {
            variables.extend(env_file::read(file)?);
        }
        variables.extend(self.env.iter().cloned());
        env_file::resolve(variables)
    }
}
