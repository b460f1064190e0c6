//! `cowshed push`

use std::process::ExitCode;

use clap::Args;
use cowshed::{container::Engine, ident::Reference, registry::Client};

use super::{
    progress::{self, Told, Way},
    pull::is_bare,
};
use crate::cli::{
    output,
    report::{Exit, Outcome},
};

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// Every tag of the repository that is here
    #[arg(short, long)]
    all_tags: bool,
    /// Only the name, when it is there
    #[arg(short, long)]
    quiet: bool,
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    /// NAME[:TAG]
    #[arg(value_name = "IMAGE")]
    image: String,
}

pub(crate) fn run(engine: &Engine, args: &PushArgs) -> Outcome {
    let reference: Reference = args.image.parse().map_err(Exit::from)?;
    let say = |text: &str| {
        if args.quiet {
            Ok(())
        } else {
            output::line(text)
        }
    };
    let repository = format!("{}/{}", reference.domain(), reference.path());
    let names = if !args.all_tags {
        if is_bare(&args.image) {
            say("Using default tag: latest")?;
        }
        vec![reference.clone()]
    } else if is_bare(&args.image) {
        engine.names_of(&reference)?
    } else {
        let what = "tag can't be used with --all-tags/-a";
        return Err(Exit::usage(what).or_code(1));
    };
    say(&format!("The push refers to repository [{repository}]"))?;
    if names.is_empty() {
        let repository = reference.familiar_repository();
        return Err(cowshed::container::Error::NothingToPush { repository }.into());
    }
    let client = Client::new()?;
    for name in names {
        let told = if args.quiet {
            Told::Nowhere
        } else {
            Told::Output
        };
        let listener = progress::listener(Way::Push, told);
        let pushed = engine.push(&client, &name, &listener)?;
        if args.quiet {
            output::line(&name.to_string())?;
        } else {
            let tag = name.tag().unwrap_or_default();
            let (digest, size) = (pushed.digest, pushed.size);
            output::line(&format!("{tag}: digest: {digest} size: {size}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
