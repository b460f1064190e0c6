//! Prune against `run` and `create`: whatever is in use stays, and nobody is told of an error that
//! is not his.

use std::{process::Child, process::Stdio, time::Duration};

use crate::{
    dice::{Dice, say, seed},
    leftovers::assert_nothing_left,
    support::{Done, Shed, write_file, write_text},
};

const PRUNES: [&str; 6] = [
    "image prune -a -f",
    "image prune -f",
    "volume prune -f --no-trash",
    "container prune -f",
    "system prune -f -a --volumes",
    "rmi -f base",
];

fn spawn(shed: &Shed, line: &str) -> Child {
    let mut command = shed.command(line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn end(child: Child) -> Done {
    let output = child.wait_with_output().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What may be there at the beginning of a round.
struct Scene<'s> {
    shed: &'s Shed,
    has_image: bool,
    /// How often somebody came too late for the image, and for the volume.
    late: [usize; 2],
}

impl Scene<'_> {
    fn prepare(&mut self) {
        if !self.has_image {
            let path = self.shed.show("base.tar");
            self.shed
                .cowshed(&format!("import --sync=none {path} base"))
                .ok();
            self.has_image = true;
        }
        let file = self.shed.data("vol").join("kept");
        if !file.exists() {
            self.shed.cowshed("volume create vol").ok();
            write_text(&file, "kept\n");
        }
    }

    fn round(&mut self, dice: &mut Dice) {
        self.prepare();
        let prunes: Vec<_> = (0..=dice.below(2)).map(|_| *dice.pick(&PRUNES)).collect();
        let maker = *dice.pick(&[
            "run --rm --pull=never -v vol:/v base sh -c 'cat /file; cat /v/kept 2>/dev/null; exit 7'",
            "create --pull=never --name box -v vol:/v base cat /file",
            "run -d --pull=never --name box -v vol:/v -v /anon base sleep 1000",
        ]);
        let shed = self.shed;
        let mut pause = || {
            let most = *dice.pick(&[0, 0, 3, 10, 30]);
            let micros = dice.below(1 + most * 1000);
            std::thread::sleep(Duration::from_micros(u64::try_from(micros).unwrap()));
        };
        let mut prunes = prunes.into_iter();
        let first = prunes.next().map(|line| (line, spawn(shed, line)));
        pause();
        let made = spawn(shed, maker);
        pause();
        let second = prunes.next().map(|line| (line, spawn(shed, line)));
        let made = end(made);
        let mut takes_created = false;
        for (line, child) in first.into_iter().chain(second) {
            let done = end(child);
            let good = done.code == 0
                || line.starts_with("rmi") && done.err.contains("No such image: base");
            assert!(good, "{line}: {done:?}");
            takes_created |= line.starts_with("container") || line.starts_with("system");
        }
        self.judge(maker, &made, takes_created);
    }

    fn judge(&mut self, maker: &str, made: &Done, takes_created: bool) {
        let shed = self.shed;
        self.has_image = shed.cowshed("image inspect base").code == 0;
        let verb = maker.split(' ').next().unwrap();
        if made.err.contains("No such image: base") {
            assert_eq!(made.code, if verb == "run" { 125 } else { 1 }, "{made:?}");
            self.late[0] += 1;
            return;
        }
        let file = shed.data("vol").join("kept");
        if maker.contains("--rm") {
            assert_eq!(made.code, 7, "{maker}: {made:?}");
            let kept = made.out == "a file\nkept\n";
            assert!(kept || made.out == "a file\n", "{made:?}");
            self.late[1] += usize::from(!kept);
            return;
        }
        assert_eq!(made.code, 0, "{maker}: {made:?}");
        // It is in use from now on.
        assert!(shed.data("vol").is_dir(), "{maker}: the volume is gone");
        self.late[1] += usize::from(!file.exists());
        if verb == "create" {
            let started = shed.cowshed("start -a box");
            let taken = takes_created && started.err.contains("No such container");
            assert!(taken || started.out == "a file\n", "{started:?}");
        } else {
            let inside = shed.cowshed("exec box cat /file").ok();
            assert_eq!(inside, "a file\n");
        }
        shed.cowshed("rm -f -v box").ok();
    }
}

#[test]
#[ignore = "needs root"]
fn root_prune_takes_nothing_that_somebody_comes_to_use() {
    let (long, start) = seed("race");
    let rounds = if long { 10_000 } else { 150 };
    let mut shed = Shed::empty();
    write_file(&shed.path("base.tar"), crate::support::base());
    let mut dice = Dice::new(start);
    let mut scene = Scene {
        shed: &shed,
        has_image: false,
        late: [0, 0],
    };
    for _ in 0..rounds {
        scene.round(&mut dice);
    }
    let [image, volume] = scene.late;
    say(&format!(
        "{rounds} rounds; too late for the image {image} times, for the volume {volume} times"
    ));
    assert_nothing_left(&mut shed);
}
