//! What the tests of `build` share: a context and a Dockerfile, and what came of a build.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::support::{Done, Shed, finish, write_text};

/// The first words of each build here.
const BUILD: &str = "build --sync=none -f Dockerfile";

impl Shed {
    /// A file of the context.
    pub(crate) fn context(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path("context").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_text(&path, content);
        path
    }

    /// Builds a Dockerfile with these flags, however it ends.
    pub(crate) fn try_build(&self, flags: &str, dockerfile: &str) -> Done {
        self.context(".keep", "");
        write_text(&self.path("Dockerfile"), dockerfile);
        finish(self.command(&format!("{BUILD} {flags} context")))
    }

    /// The same, which must succeed; its output.
    #[track_caller]
    pub(crate) fn build(&self, flags: &str, dockerfile: &str) -> String {
        let out = self.try_build(flags, dockerfile).ok();
        self.assert_no_containers();
        out
    }

    /// One thing that `inspect` says about an image.
    #[track_caller]
    pub(crate) fn image_config(&self, image: &str, pointer: &str) -> Value {
        self.inspect(image)
            .pointer(pointer)
            .cloned()
            .unwrap_or_default()
    }

    /// The history of an image, oldest first: instruction, and whether it has a layer.
    #[track_caller]
    pub(crate) fn steps(&self, image: &str) -> Vec<(String, bool)> {
        let id = self.image_config(image, "/Id");
        let hex = id.as_str().unwrap().trim_start_matches("sha256:");
        let path = self.store().join("blobs/sha256").join(hex);
        let document: Value = serde_json::from_str(&crate::support::read(path)).unwrap();
        let entry = |entry: &Value| {
            let text = entry["created_by"].as_str().unwrap_or_default();
            (text.to_owned(), entry["empty_layer"] != Value::Bool(true))
        };
        let history = document["history"].as_array().unwrap();
        history.iter().map(entry).collect()
    }

    /// How many layers an image has.
    #[track_caller]
    pub(crate) fn layer_count(&self, image: &str) -> usize {
        let layers = self.image_config(image, "/RootFS/Layers");
        layers.as_array().unwrap().len()
    }

    /// What a script says in a container of an image.
    #[track_caller]
    pub(crate) fn in_image(&self, image: &str, script: &str) -> String {
        let mut command = self.command(&format!(
            "run --rm --image-volume=ignore --entrypoint sh {image} -c"
        ));
        command.arg(script);
        finish(command).ok()
    }
}

/// The ids that a build printed, one a step.
pub(crate) fn ids(out: &str) -> Vec<String> {
    let lines = out.lines().filter_map(|line| line.strip_prefix(" ---> "));
    let is_id = |text: &&str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    lines.filter(is_id).map(str::to_owned).collect()
}

/// Why the cache had a step or not, one a step.
pub(crate) fn reasons(out: &str) -> Vec<String> {
    let lines = out
        .lines()
        .filter_map(|line| line.strip_prefix(" ---> cache "));
    lines.map(str::to_owned).collect()
}
