//! `RUN`: a command in a container of the image so far; what it changed becomes a layer.

use super::{
    Error, Progress,
    builder::{Builder, Wanted},
    change::{Deed, with_shell},
    created_by,
    stage::State,
    workbench::{Workbench, chains},
};
use crate::{
    container::{self, Explain, ImageVolumes, Ran, Removal, RunRequest, Way},
    control::{Attachment, DetachKeys, Parting},
    dockerfile::{Command, clean},
    ident::ContainerId,
    image::HealthCheck,
};

impl Builder<'_> {
    pub(super) fn run(
        &mut self,
        state: &mut State,
        command: &Command,
        line: usize,
    ) -> Result<(), Error> {
        let words = with_shell(state, command);
        let visible = state.arguments(&self.arguments);
        let mut told = visible.clone();
        told.retain(|name, _| self.arguments.is_told(name));
        let wanted = Wanted {
            deed: Deed {
                created_by: created_by::command(&told, &words),
                words: [vec!["RUN".to_owned()], words.clone()].concat(),
                author: None,
            },
            arguments: told,
            listing: None,
        };
        if self.look(state, &wanted)? {
            return Ok(());
        }
        if self.request.dry_run {
            (self.tell)(Progress::Would(format!("run {}", words.join(" "))));
            return Ok(());
        }
        let Some(image) = &state.image else {
            let program = words.first().cloned().unwrap_or_default();
            let what = format!("run {program:?}: there is nothing in scratch, no program either");
            return Err(Error::refused(what).with_hint("COPY or ADD a root file system first"));
        };
        let store = self.engine.store();
        let bench = Workbench::for_container(store, chains(Some(image)))?;
        let request = RunRequest {
            args: words.clone(),
            entrypoint: Some(String::new()),
            env: visible
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            network: self.request.network,
            auto_remove: true,
            image_volumes: ImageVolumes::Ignore,
            health: Some(HealthCheck::none()),
            changes_to: Some(bench.name().to_owned()),
            ..RunRequest::new(image.id.to_string())
        };
        let id = self.in_container(request, &words)?;
        if !bench.has_received() {
            let what = format!("container {} left no changes", id.short());
            return Err(
                Error::refused(what).with_hint("somebody removed it while it ran: try again")
            );
        }
        (self.tell)(Progress::Removed(id));
        self.note_volumes(state, &bench, line);
        let layer = bench.commit(self.latest(), self.request.durability)?;
        for line in layer.remarks.clone().into_lines() {
            (self.tell)(Progress::Note(line));
        }
        self.commit(state, wanted, Some(layer))
    }

    /// Runs a command to its end. Nothing of the container is left, however it ended.
    fn in_container(
        &mut self,
        request: RunRequest,
        words: &[String],
    ) -> Result<ContainerId, Error> {
        let made = self.engine.make(request, &mut Explain::silent());
        let made = made.map_err(interrupted)?;
        let id = made.id().clone();
        (self.tell)(Progress::Running(id.clone()));
        let way = Way::Attached {
            attachment: Attachment {
                stdin: false,
                terminal: false,
                // A signal is for the build, not for the command: that may not care for it.
                sig_proxy: false,
                detach_keys: "ctrl-p,ctrl-q".parse::<DetachKeys>()?,
            },
            outputs: (true, true),
            owner: true,
        };
        let ran = self.engine.launch(made, way, &mut Explain::silent());
        match ran.map_err(interrupted)? {
            Ran::Ended(0) => Ok(id),
            Ran::Ended(code) => Err(Error::Command {
                command: words.join(" "),
                code,
            }),
            Ran::Left(Parting::Signal(signal)) => {
                self.put_away(&id)?;
                Err(Error::Interrupted { signal })
            }
            Ran::Left(Parting::Keys) | Ran::Detached(_) => {
                self.put_away(&id)?;
                Err(Error::refused("build: the command was left alone"))
            }
        }
    }

    fn put_away(&self, id: &ContainerId) -> Result<(), Error> {
        let removal = Removal {
            force: true,
            volumes: true,
        };
        match self.engine.remove_container(id.as_str(), removal) {
            // Its supervisor was quicker.
            Err(container::Error::NotFound { .. }) => Ok(()),
            done => Ok(done.map(drop)?),
        }
    }

    /// Says where Docker's classic builder would have lost something (semantics 32).
    fn note_volumes(&mut self, state: &State, bench: &Workbench<'_>, line: usize) {
        let volumes = state.config.known.volumes().clone().unwrap_or_default();
        for volume in volumes {
            let path = clean(&format!("/{volume}"));
            if !bench.has_changed(&path) {
                continue;
            }
            let file = &self.dockerfile.file;
            let since = match state.volumes.get(&path) {
                Some(since) => format!("{file}:{since}"),
                None => "the base image".to_owned(),
            };
            let note = format!(
                "{file}:{line}: what this wrote below {path} stays in the image; Docker's classic \
                 builder loses it, because {since} made {path} a VOLUME before"
            );
            (self.tell)(Progress::Note(note));
        }
    }
}

fn interrupted(error: container::Error) -> Error {
    if let container::Error::Interrupted { signal } = error {
        return Error::Interrupted { signal };
    }
    error.into()
}
