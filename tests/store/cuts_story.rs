//! What is done before the power is cut: commands chosen by a seed, and what is true after each.

use std::collections::BTreeMap;

use crate::{
    cuts_look::{Files, hash},
    cuts_rig::Disk,
    dice::Dice,
    support::{Shed, Tar, write_file},
};

/// What the store has, as far as somebody was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct World {
    /// Ids by name.
    pub(crate) images: BTreeMap<String, String>,
    pub(crate) volumes: BTreeMap<String, Files>,
    /// Ids by name.
    pub(crate) containers: BTreeMap<String, String>,
    /// What is in archives of volumes, beside the store.
    pub(crate) backups: BTreeMap<String, Files>,
}

/// Commands in a row, each with what is true when it has said that it is done.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) lines: Vec<String>,
    /// Of the beginning, and after each line.
    pub(crate) worlds: Vec<World>,
    /// What a line writes into a volume bit by bit.
    pub(crate) writes: Vec<Option<(String, String)>>,
}

const IMAGES: [&str; 5] = ["base:latest", "im:1", "im:2", "im:3", "im:4"];
const VOLUMES: [&str; 4] = ["v1", "v2", "v3", "v4"];
const CONTAINERS: [&str; 4] = ["c1", "c2", "c3", "c4"];

const COPIED: &[u8] = &[b'c'; 200_000];

/// Archives for `load` and `import`, beside the recorded disk.
pub(crate) fn make_archives(shed: &Shed) {
    write_file(&shed.path("base.tar"), crate::support::base());
    write_file(&shed.path("copied"), COPIED);
    let imported = Tar::new().file("imported", 0o644, COPIED).finish();
    write_file(&shed.path("imported.tar"), &imported);
    for number in 1..4_u8 {
        let noise: Vec<u8> = (0..150_000_u32)
            .map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3] ^ number)
            .collect();
        let layer = Tar::new()
            .file("noise", 0o644, &noise)
            .file("number", 0o644, &[number])
            .dir("tree", 0o755)
            .file("tree/a", 0o600, b"a")
            .hard_link("tree/b", "tree/a");
        shed.image(&format!("im:{number}"), layer, &[]);
        let line = format!(
            "save -o {} im:{number}",
            shed.show(&format!("im-{number}.tar"))
        );
        shed.cowshed(&line).ok();
        shed.cowshed(&format!("rmi im:{number}")).ok();
    }
}

/// Tells a story on a disk; each line that is done is marked by its number.
pub(crate) fn tell(disk: &Disk<'_>, shed: &Shed, dice: &mut Dice, length: usize) -> Story {
    let mut teller = Teller {
        disk,
        shed,
        world: World::default(),
        story: Story {
            lines: Vec::new(),
            worlds: vec![World::default()],
            writes: Vec::new(),
        },
    };
    let base = format!("import {} base", shed.show("base.tar"));
    let id = teller.command(&base);
    teller
        .world
        .images
        .insert(IMAGES[0].to_owned(), id.trim().to_owned());
    teller.done(base, None);
    while teller.story.lines.len() < length {
        teller.step(dice);
    }
    // A disk with something mounted from it cannot be taken off.
    for name in teller.world.containers.keys() {
        shed.cowshed(&format!("kill {name}"));
    }
    teller.story
}

struct Teller<'a> {
    disk: &'a Disk<'a>,
    shed: &'a Shed,
    world: World,
    story: Story,
}

impl Teller<'_> {
    fn command(&self, line: &str) -> String {
        self.shed.cowshed(line).ok()
    }

    fn done(&mut self, line: String, write: Option<(String, String)>) {
        self.disk.mark(&(self.story.lines.len() + 1).to_string());
        self.story.lines.push(line);
        self.story.worlds.push(self.world.clone());
        self.story.writes.push(write);
    }

    fn id_of_image(&self, name: &str) -> String {
        let line = format!("image inspect --format {{{{.Id}}}} {name}");
        self.command(&line).trim().to_owned()
    }

    /// One that is there, if any is.
    fn some<T>(dice: &mut Dice, of: &BTreeMap<String, T>) -> Option<String> {
        let names: Vec<_> = of.keys().cloned().collect();
        (!names.is_empty()).then(|| dice.pick(&names).clone())
    }

    fn free<T>(dice: &mut Dice, all: &[&str], of: &BTreeMap<String, T>) -> Option<String> {
        let names: Vec<_> = all.iter().filter(|name| !of.contains_key(**name)).collect();
        (!names.is_empty()).then(|| (**dice.pick(&names)).to_owned())
    }

    /// `None` where the dice want what cannot be: nothing is done then.
    fn step(&mut self, dice: &mut Dice) -> Option<()> {
        match dice.below(20) {
            0..2 => {
                self.load(dice);
                Some(())
            }
            2 => self.tag(dice),
            3 => self.remove_image(dice),
            4 => self.commit(dice),
            5..7 => self.create_volume(dice),
            7..10 => self.write(dice),
            10 => self.back_up(dice),
            11 => self.restore(dice),
            12 => self.copy(dice),
            13 => self.rename_volume(dice),
            14 => self.remove_volume(dice),
            15..18 => self.make_container(dice),
            18 => self.change_container(dice),
            _ => {
                self.prune(dice);
                Some(())
            }
        }
    }

    fn load(&mut self, dice: &mut Dice) {
        let number = 1 + dice.below(3);
        let line = format!("load -q -i {}", self.shed.show(&format!("im-{number}.tar")));
        self.command(&line);
        let name = format!("im:{number}");
        let id = self.id_of_image(&name);
        self.world.images.insert(name, id);
        self.done(line, None);
    }

    fn tag(&mut self, dice: &mut Dice) -> Option<()> {
        let (from, to) = (
            Self::some(dice, &self.world.images)?,
            *dice.pick(&IMAGES[1..]),
        );
        let line = format!("tag {from} {to}");
        self.command(&line);
        let id = self.world.images[&from].clone();
        self.world.images.insert(to.to_owned(), id);
        self.done(line, None);
        Some(())
    }

    fn remove_image(&mut self, dice: &mut Dice) -> Option<()> {
        let name = Self::some(dice, &self.world.images).filter(|name| name != IMAGES[0])?;
        let line = format!("rmi -f {name}");
        self.command(&line);
        self.world.images.remove(&name);
        self.done(line, None);
        Some(())
    }

    fn commit(&mut self, dice: &mut Dice) -> Option<()> {
        let container = Self::some(dice, &self.world.containers)?;
        let name = *dice.pick(&IMAGES[1..]);
        let line = format!(
            "commit -m step-{} {container} {name}",
            self.story.lines.len()
        );
        let done = self.shed.cowshed(&line);
        // One whose image went by force can be committed no more.
        if done.code != 0 {
            assert!(done.err.contains("No such image"), "{done:?}");
            return None;
        }
        let id = done.ok().trim().to_owned();
        self.world.images.insert(name.to_owned(), id);
        self.done(line, None);
        Some(())
    }

    fn create_volume(&mut self, dice: &mut Dice) -> Option<()> {
        let name = Self::free(dice, &VOLUMES, &self.world.volumes)?;
        let line = format!("volume create {name}");
        self.command(&line);
        self.world.volumes.insert(name, Files::new());
        self.done(line, None);
        Some(())
    }

    fn write(&mut self, dice: &mut Dice) -> Option<()> {
        let volume = Self::some(dice, &self.world.volumes)?;
        let (step, count) = (self.story.lines.len(), 1 + dice.below(3000));
        let file = format!("file-{}", dice.below(4));
        let line = format!(
            "run --rm -v {volume}:/v base sh -c 'yes step-{step} | head -n {count} >/v/new-{file}; \
             dd of=/v/new-{file} bs=1 count=0 conv=notrunc,fsync 2>/dev/null; mv /v/new-{file} /v/{file}; \
             dd if=/file of=/v/sync conv=fsync 2>/dev/null'"
        );
        self.command(&line);
        let text = format!("step-{step}\n").repeat(count);
        let files = self.world.volumes.get_mut(&volume).unwrap();
        files.insert(file.clone(), hash(text.as_bytes()));
        files.insert("sync".to_owned(), hash(b"a file\n"));
        self.done(line, Some((volume, file)));
        Some(())
    }

    fn back_up(&mut self, dice: &mut Dice) -> Option<()> {
        let volume = Self::some(dice, &self.world.volumes)?;
        let name = format!("backup-{}.tar", self.story.lines.len());
        let line = format!("volume backup -q -o {} {volume}", self.disk.file(&name));
        self.command(&line);
        let files = self.world.volumes[&volume].clone();
        self.world.backups.insert(name, files);
        self.done(line, None);
        Some(())
    }

    fn restore(&mut self, dice: &mut Dice) -> Option<()> {
        let backup = Self::some(dice, &self.world.backups)?;
        let volume = (*dice.pick(&VOLUMES)).to_owned();
        let how = if self.world.volumes.contains_key(&volume) {
            "--replace"
        } else {
            ""
        };
        let line = format!(
            "volume restore -q {how} {} {volume}",
            self.disk.file(&backup)
        );
        self.command(&line);
        let files = self.world.backups[&backup].clone();
        self.world.volumes.insert(volume, files);
        self.done(line, None);
        Some(())
    }

    /// A file of the host into a volume, a tar into one, or one volume to another.
    fn copy(&mut self, dice: &mut Dice) -> Option<()> {
        let volume = Self::some(dice, &self.world.volumes)?;
        let mut files = self.world.volumes[&volume].clone();
        let (line, to) = match dice.below(3) {
            0 => {
                files.insert("copied".to_owned(), hash(COPIED));
                let from = self.shed.show("copied");
                (format!("volume cp {from} {volume}:/copied"), volume)
            }
            1 => {
                files.insert("imported".to_owned(), hash(COPIED));
                let from = self.shed.show("imported.tar");
                (format!("volume import {volume} {from}"), volume)
            }
            _ => {
                let to = Self::free(dice, &VOLUMES, &self.world.volumes)?;
                (format!("volume cp {volume} {to}"), to)
            }
        };
        self.command(&line);
        self.world.volumes.insert(to.clone(), files);
        let write = [("volume cp /", "copied"), ("volume import", "imported")];
        let write = write.iter().find(|(verb, _)| line.starts_with(verb));
        let write = write.map(|(_, file)| (to, (*file).to_owned()));
        self.done(line, write);
        Some(())
    }

    fn rename_volume(&mut self, dice: &mut Dice) -> Option<()> {
        let from = Self::some(dice, &self.world.volumes)?;
        let to = Self::free(dice, &VOLUMES, &self.world.volumes)?;
        let line = format!("volume rename {from} {to}");
        self.command(&line);
        let files = self.world.volumes.remove(&from).unwrap();
        self.world.volumes.insert(to, files);
        self.done(line, None);
        Some(())
    }

    fn remove_volume(&mut self, dice: &mut Dice) -> Option<()> {
        let volume = Self::some(dice, &self.world.volumes)?;
        let line = format!("volume rm {volume}");
        self.command(&line);
        self.world.volumes.remove(&volume);
        self.done(line, None);
        Some(())
    }

    fn make_container(&mut self, dice: &mut Dice) -> Option<()> {
        let name = Self::free(dice, &CONTAINERS, &self.world.containers)?;
        let image = Self::some(dice, &self.world.images)?;
        let (verb, program) = *dice.pick(&[
            ("create", "true"),
            ("run -d", "sh -c 'echo here >/file; exit 3'"),
            ("run -d", "sh -c 'exec sleep 1000'"),
        ]);
        let line = format!("{verb} --name {name} {image} {program}");
        let id = self.command(&line);
        self.world.containers.insert(name, id.trim().to_owned());
        self.done(line, None);
        Some(())
    }

    fn change_container(&mut self, dice: &mut Dice) -> Option<()> {
        let old = Self::some(dice, &self.world.containers)?;
        if dice.percent(50)
            && let Some(new) = Self::free(dice, &CONTAINERS, &self.world.containers)
        {
            let line = format!("rename {old} {new}");
            self.command(&line);
            let id = self.world.containers.remove(&old).unwrap();
            self.world.containers.insert(new, id);
            self.done(line, None);
        } else {
            let line = format!("rm -f {old}");
            self.command(&line);
            self.world.containers.remove(&old);
            self.done(line, None);
        }
        Some(())
    }

    fn prune(&mut self, dice: &mut Dice) {
        let line = *dice.pick(&[
            "container prune -f",
            "image prune -f",
            "volume prune -f",
            "volume prune -f --no-trash",
            "system prune -f --volumes",
        ]);
        self.command(line);
        // What it takes is another test's business.
        let is_left = |list: String, name: &String| list.lines().any(|line| line == name);
        let names = self.command("ps -a --format {{.Names}}");
        self.world
            .containers
            .retain(|name, _| is_left(names.clone(), name));
        let names = self.command("volume ls -q");
        self.world
            .volumes
            .retain(|name, _| is_left(names.clone(), name));
        self.done(line.to_owned(), None);
    }
}
