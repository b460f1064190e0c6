//! `cowshed pull`

use std::process::ExitCode;

use clap::Args;
use cowshed::{
    container::{Engine, PullRequest, Pulled},
    ident::Reference,
    image::Platform,
    registry::Client,
};

use super::{
    progress::{self, Told, Way},
    sync_arg::SyncArg,
};
use crate::cli::{
    output,
    report::{self, Exit, Outcome},
};

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of Docker's pull"
)]
pub(crate) struct PullArgs {
    /// Every tag of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Another platform than this machine's
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    platform: Option<String>,
    /// Only the name, when it is there
    #[arg(short, long)]
    quiet: bool,
    /// What is on disk when it is reported as done
    #[arg(long, value_enum, default_value = "full")]
    sync: SyncArg,
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    /// For a command whose output is another's
    #[arg(long, hide = true)]
    in_passing: bool,
    /// NAME[:TAG], NAME@DIGEST
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Whether a text that is a reference names a tag or digest itself.
pub(super) fn is_bare(text: &str) -> bool {
    let last = text.rsplit('/').next().unwrap_or_default();
    !last.contains([':', '@'])
}

pub(crate) fn run(engine: &Engine, args: &PullArgs) -> Outcome {
    let reference: Reference = args.image.parse().map_err(Exit::from)?;
    let platform = args.platform.as_deref().map(str::parse::<Platform>);
    let platform = platform.transpose().map_err(Exit::from)?;
    let told = if args.quiet {
        Told::Nowhere
    } else {
        Told::Output
    };
    let listener = progress::listener(Way::Pull, told);
    let client = Client::new()?;
    let pull = |reference: &Reference| {
        let request = PullRequest {
            reference: reference.clone(),
            platform: platform.clone(),
            durability: args.sync.into(),
        };
        let pulled = engine.pull(&client, &request, &listener)?;
        if let (Some(wanted), Some(own)) = (&platform, &pulled.other_platform) {
            let name = pulled.name.familiar();
            report::line(&format!(
                "WARNING: image with reference {name} was found but does not match the specified platform: wanted \
                 {wanted}, actual: {own}"
            ));
        }
        Ok(pulled)
    };
    if args.all_tags {
        return all(engine, args, (&client, &reference), pull);
    }
    if is_bare(&args.image) && !args.quiet && !args.in_passing {
        output::line("Using default tag: latest")?;
    }
    let pulled = pull(&reference)?;
    if !args.quiet {
        output::line(&format!("Digest: {}", pulled.digest))?;
        status(pulled.is_new, &pulled.name.familiar())?;
    }
    if !args.in_passing {
        output::line(&pulled.name.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn all(
    engine: &Engine,
    args: &PullArgs,
    (client, reference): (&Client, &Reference),
    pull: impl Fn(&Reference) -> Result<Pulled, cowshed::container::Error>,
) -> Outcome {
    if !is_bare(&args.image) {
        let what = "tag can't be used with --all-tags/-a";
        return Err(Exit::usage(what).or_code(1));
    }
    let tags = engine.tags_at(client, reference)?;
    let mut is_new = false;
    for tag in tags {
        // A tag that is none cannot be asked for.
        let Some(reference) = reference.with_tag(&tag) else {
            continue;
        };
        let pulled = pull(&reference)?;
        is_new |= pulled.is_new;
        if !args.quiet {
            output::line(&format!("Digest: {}", pulled.digest))?;
        }
    }
    let repository = reference.familiar_repository();
    if !args.quiet {
        status(is_new, &repository)?;
    }
    output::line(&format!("{}/{}", reference.domain(), reference.path()))?;
    Ok(ExitCode::SUCCESS)
}

fn status(is_new: bool, name: &str) -> std::io::Result<()> {
    output::line(&if is_new {
        format!("Status: Downloaded newer image for {name}")
    } else {
        format!("Status: Image is up to date for {name}")
    })
}
