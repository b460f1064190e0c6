//! Random commands, and after each of them the store beside a pure model of it.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use crate::{
    dice::{say, seed},
    model_steps::{any_step, line},
    model_world::{ARCHIVES, CONTAINERS, IMAGES, Step, VOLUMES, World},
    support::{Shed, Tar, processes_of, wait_until, write_file},
};

/// Archives of the images that can be loaded; the first one is `base`.
fn make_archives(shed: &Shed) {
    write_file(&shed.path("base.tar"), crate::support::base());
    shed.cowshed(&format!(
        "import --sync=none {} base",
        shed.show("base.tar")
    ))
    .ok();
    for (number, name) in IMAGES.iter().enumerate().take(ARCHIVES) {
        if number > 0 {
            let layer = Tar::new().file("number", 0o644, &[u8::try_from(number).unwrap()]);
            shed.image(name, layer, &[]);
        }
        let to = shed.show(&format!("archive-{number}.tar"));
        shed.cowshed(&format!("save -o {to} {name}")).ok();
    }
}

/// Another store, with nothing in it.
fn empty(shed: &Shed) {
    let ids = shed.cowshed("ps -aq").ok();
    if !ids.is_empty() {
        let ids = ids.replace('\n', " ");
        shed.cowshed(&format!("rm -f {ids}")).ok();
    }
    wait_until("no process is left", || {
        processes_of(&shed.store(), "any").is_empty()
    });
    fs::remove_dir_all(shed.store()).unwrap();
}

fn column(shed: &Shed, line: &str) -> Result<Vec<String>, String> {
    let done = shed.cowshed(line);
    if done.code != 0 {
        return Err(format!("{line}: {done:?}"));
    }
    let mut rows: Vec<_> = done.out.lines().map(str::to_owned).collect();
    rows.sort();
    Ok(rows)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what}: found {found:?}, wanted {wanted:?}"))
}

/// A number for each image in the order of the model's, so that ids can be compared.
fn images(shed: &Shed, world: &World, ids: &mut BTreeMap<usize, String>) -> Result<(), String> {
    let format = "images --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'";
    let rows = column(shed, format)?;
    let nameless = world
        .images
        .iter()
        .filter(|image| !world.names.values().any(|named| named == *image));
    let found = rows
        .iter()
        .filter(|row| row.starts_with("<none>:<none> "))
        .count();
    same("images without a name", &found, &nameless.count())?;
    let mut named = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.starts_with("<none>")) {
        let (name, id) = row.split_once(' ').unwrap();
        let at = IMAGES.iter().position(|known| *known == name);
        named.insert(at.ok_or_else(|| format!("image {name}"))?, id.to_owned());
    }
    let shown = |of: Vec<&usize>| of.into_iter().map(|at| IMAGES[*at]).collect::<Vec<_>>();
    let (found, wanted) = (
        shown(named.keys().collect()),
        shown(world.names.keys().collect()),
    );
    same("names", &found, &wanted)?;
    for (name, image) in &world.names {
        let known = ids.entry(*image).or_insert_with(|| named[name].clone());
        same(IMAGES[*name], &named[name], known)?;
    }
    Ok(())
}

fn containers(shed: &Shed, world: &World) -> Result<(), String> {
    let rows = column(shed, "ps -a --format '{{.Names}} {{.State}}'")?;
    let mut wanted: Vec<_> = world
        .containers
        .iter()
        .map(|(name, one)| format!("{} {}", CONTAINERS[*name], one.status))
        .collect();
    wanted.sort();
    same("ps -a", &rows, &wanted)
}

fn volumes(shed: &Shed, world: &World) -> Result<(), String> {
    let rows = column(
        shed,
        "system df -v --format '{{range .Volumes}}{{println .Name .Links}}{{end}}'",
    )?;
    let (anonymous, named): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .filter(|row| !row.is_empty())
        .partition(|row| row.len() > 64);
    let links = |name: &usize| format!("{} {}", VOLUMES[*name], world.links(*name));
    let wanted: Vec<_> = world.volumes.keys().map(links).collect();
    same("volumes and links", &named, &wanted)?;
    same(
        "anonymous volumes",
        &anonymous.len(),
        &world.anonymous.len(),
    )?;
    for (name, volume) in &world.volumes {
        let path = shed.data(VOLUMES[*name]).join("mark");
        let found = fs::read_to_string(path).ok();
        let wanted = volume.mark.map(|mark| format!("{mark}\n"));
        same(VOLUMES[*name], &found, &wanted)?;
    }
    Ok(())
}

/// What is not as in the model, and after how many steps.
type Wrong = (usize, String);

/// Does the steps on an empty store.
fn follow(shed: &Shed, dir: &Path, steps: &[Step]) -> Result<(), Wrong> {
    let (mut world, mut ids) = (World::default(), BTreeMap::new());
    for (number, step) in steps.iter().enumerate() {
        let done = one(shed, dir, (&mut world, &mut ids), step);
        done.map_err(|wrong| (number + 1, wrong))?;
    }
    let check = shed.cowshed("system check");
    if check.code == 0 {
        return Ok(());
    }
    Err((steps.len(), format!("{check:?}")))
}

fn one(
    shed: &Shed,
    dir: &Path,
    (world, ids): (&mut World, &mut BTreeMap<usize, String>),
    step: &Step,
) -> Result<(), String> {
    let text = line(step, &dir.display().to_string());
    let wanted = world.apply(step);
    let done = shed.cowshed(&text);
    let refused = if text.starts_with("run ") { 125 } else { 1 };
    let told = match wanted {
        Ok(()) => done.code == 0,
        Err(why) => done.code == refused && done.err.contains(why),
    };
    if !told {
        return Err(format!("{text}: wanted {wanted:?}, got {done:?}"));
    }
    if let (Step::Kill { name }, Ok(())) = (step, wanted) {
        shed.cowshed(&format!("wait {}", CONTAINERS[*name])).ok();
    }
    let looked = containers(shed, world)
        .and_then(|()| images(shed, world, ids))
        .and_then(|()| volumes(shed, world));
    looked.map_err(|wrong| format!("after {text}: {wrong}"))
}

/// Fewer steps that go wrong as well: none after the fault, and none that it does without.
fn shorten(shed: &Shed, steps: &[Step], mut wrong: Wrong) -> (Vec<Step>, String) {
    let mut steps = steps[..wrong.0].to_vec();
    for at in (0..steps.len()).rev() {
        let mut fewer = steps.clone();
        fewer.remove(at);
        let followed = follow(shed, &shed.path(""), &fewer);
        empty(shed);
        if let Err(still) = followed {
            steps = fewer[..still.0].to_vec();
            wrong = still;
        }
    }
    (steps, wrong.1)
}

#[test]
#[ignore = "needs root"]
fn root_random_commands_do_what_a_model_says() {
    let (long, start) = seed("model");
    let (cases, length) = if long { (400, 60) } else { (18, 30) };
    let mut shed = Shed::empty();
    make_archives(&shed);
    empty(&shed);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&start.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        // We know where it went wrong, and shorten it ourselves.
        max_shrink_iters: 0,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (count, first) = (std::cell::Cell::new(0), std::cell::RefCell::new(None));
    let done = runner.run(&vec(any_step(), length / 2..length), |steps| {
        count.set(count.get() + steps.len());
        let followed = follow(&shed, &shed.path(""), &steps);
        empty(&shed);
        followed.map_err(|wrong| {
            let why = TestCaseError::fail(wrong.1.clone());
            first.replace(Some(wrong));
            why
        })
    });
    if let (Err(TestError::Fail(_, steps)), Some(wrong)) = (&done, first.take()) {
        let (steps, why) = shorten(&shed, steps, wrong);
        let lines: Vec<_> = steps.iter().map(|step| line(step, "DIR")).collect();
        panic!("{why}\nthe shortest way there:\n{}", lines.join("\n"));
    }
    done.unwrap();
    say(&format!("{cases} sequences, {} steps", count.get()));
    // The last store is gone with all that was in it.
    shed.strict = false;
}
