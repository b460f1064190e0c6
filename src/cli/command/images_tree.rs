//! `image ls --tree`: images on the layers that they share.

use std::collections::BTreeMap;

use cowshed::ident::ChainId;

use super::images::Line;
use crate::cli::text;

/// A layer that is on another one, or on nothing.
#[derive(Debug, Default)]
struct Node {
    bytes: u64,
    diff_id: String,
    /// Images whose topmost layer this is.
    images: Vec<Image>,
    /// In the order in which they were met: their images are the newest first.
    above: Vec<ChainId>,
    /// Images that have it.
    users: usize,
}

#[derive(Debug)]
struct Image {
    name: String,
    id: String,
    bytes: u64,
    /// Bytes that no other image has.
    unique: u64,
}

/// The lines of the tree. `lines` are those of `images`.
pub(super) fn lines(lines: &[Line]) -> Vec<String> {
    let mut tree = Tree::default();
    let mut seen = Vec::new();
    for line in lines {
        if !seen.contains(&line.record.id) {
            seen.push(line.record.id);
            tree.count(line);
        }
    }
    for line in lines {
        tree.add(line);
    }
    let mut out = Vec::new();
    for image in &tree.bare {
        out.push(image.shown());
    }
    for (number, root) in tree.roots.iter().enumerate() {
        if number > 0 || !tree.bare.is_empty() {
            out.push(String::new());
        }
        tree.draw(*root, ("", ""), &mut out);
    }
    out
}

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<ChainId, Node>,
    roots: Vec<ChainId>,
    /// Images without a layer.
    bare: Vec<Image>,
}

impl Tree {
    /// Puts an image's layers where they belong.
    fn count(&mut self, line: &Line) {
        let mut below: Option<ChainId> = None;
        for layer in &line.record.layers {
            if !self.nodes.contains_key(&layer.chain) {
                let siblings = match below.and_then(|chain| self.nodes.get_mut(&chain)) {
                    Some(node) => &mut node.above,
                    None => &mut self.roots,
                };
                siblings.push(layer.chain);
            }
            let node = self.nodes.entry(layer.chain).or_default();
            node.bytes = layer.bytes;
            node.diff_id = layer.diff_id.0.short();
            node.users += 1;
            below = Some(layer.chain);
        }
    }

    /// Hangs a name on its topmost layer.
    fn add(&mut self, line: &Line) {
        let layers = &line.record.layers;
        let own = layers.iter().filter(|layer| {
            let node = self.nodes.get(&layer.chain);
            node.is_some_and(|node| node.users == 1)
        });
        let image = Image {
            name: line
                .name
                .as_ref()
                .map_or_else(|| "<none>".to_owned(), cowshed::ident::Reference::familiar),
            id: line.record.id.short(),
            bytes: line.record.bytes(),
            unique: own.map(|layer| layer.bytes).sum(),
        };
        let top = layers
            .last()
            .and_then(|layer| self.nodes.get_mut(&layer.chain));
        match top {
            Some(node) => node.images.push(image),
            None => self.bare.push(image),
        }
    }

    /// `first` stands before the node's own line, `rest` before all below it.
    fn draw(&self, root: ChainId, (first, rest): (&str, &str), out: &mut Vec<String>) {
        // By hand: an image may have more layers than a stack has frames.
        let mut pending = vec![(root, first.to_owned(), rest.to_owned())];
        while let Some((chain, first, rest)) = pending.pop() {
            let Some(node) = self.nodes.get(&chain) else {
                continue;
            };
            let shared = match node.users {
                1 => String::new(),
                users => format!("  shared by {users} images"),
            };
            let size = text::size(node.bytes, 3);
            out.push(format!("{first}{}  {size}{shared}", node.diff_id));
            let last = node.images.len() + node.above.len();
            let branch = |number: usize| {
                if number + 1 == last {
                    "└─ "
                } else {
                    "├─ "
                }
            };
            for (number, image) in node.images.iter().enumerate() {
                out.push(format!("{rest}{}{}", branch(number), image.shown()));
            }
            let mut next = Vec::new();
            for (number, above) in node.above.iter().enumerate() {
                let number = number + node.images.len();
                let bar = if number + 1 == last { "   " } else { "│  " };
                next.push((
                    *above,
                    format!("{rest}{}", branch(number)),
                    format!("{rest}{bar}"),
                ));
            }
            pending.extend(next.into_iter().rev());
        }
    }
}

impl Image {
    fn shown(&self) -> String {
        let size = |bytes| text::size(bytes, 3);
        format!(
            "{} ({})  {} = {} unique + {} shared",
            self.name,
            self.id,
            size(self.bytes),
            size(self.unique),
            size(self.bytes - self.unique)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cowshed::{
        ident::{DiffId, Digest, Timestamp},
        image::{BlobRef, ImageRecord, LayerRef},
    };

    fn line(name: &str, layers: &[(&str, u64)]) -> Line {
        let diff_ids: Vec<_> = layers
            .iter()
            .map(|(text, _)| DiffId(Digest::of(text.as_bytes())))
            .collect();
        let chains = ChainId::stack(&diff_ids);
        let layer = |number: usize| LayerRef {
            chain: chains[number],
            diff_id: diff_ids[number],
            blob: BlobRef {
                digest: diff_ids[number].0,
                size: 1,
                media_type: String::new(),
            },
            bytes: layers[number].1,
        };
        let id = Digest::of(name.trim_end_matches(char::is_numeric).as_bytes());
        Line {
            record: ImageRecord {
                manifest: id,
                id,
                layers: (0..layers.len()).map(layer).collect(),
                imported: Timestamp::now(),
                sources: Vec::new(),
                step: None,
            },
            name: Some(name.parse().unwrap()),
            created: None,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn images_stand_on_the_layers_that_they_share() {
        let shown = lines(&[
            line("app:1", &[("base", 1000), ("app", 20)]),
            line("base:1", &[("base", 1000)]),
            line("base:2", &[("base", 1000)]),
            line("web:1", &[("base", 1000), ("lib", 5), ("web", 7)]),
            line("other:1", &[("other", 3)]),
            line("empty:1", &[]),
        ]);
        let plain: Vec<String> = shown
            .iter()
            .map(|line| {
                let short = |word: &str| {
                    word.len() == 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
                };
                let words = line
                    .split(' ')
                    .map(|word| if short(word) { "ID" } else { word });
                words.collect::<Vec<_>>().join(" ")
            })
            .map(|line| {
                let mut line = line;
                while let Some(start) = line.find('(') {
                    let end = line[start..].find(')').unwrap() + start;
                    line.replace_range(start..=end, "ID");
                }
                line
            })
            .collect();
        assert_eq!(
            plain,
            [
                "empty:1 ID  0B = 0B unique + 0B shared",
                "",
                "ID  1kB  shared by 3 images",
                "├─ base:1 ID  1kB = 0B unique + 1kB shared",
                "├─ base:2 ID  1kB = 0B unique + 1kB shared",
                "├─ ID  20B",
                "│  └─ app:1 ID  1.02kB = 20B unique + 1kB shared",
                "└─ ID  5B",
                "   └─ ID  7B",
                "      └─ web:1 ID  1.01kB = 12B unique + 1kB shared",
                "",
                "ID  3B",
                "└─ other:1 ID  3B = 3B unique + 0B shared",
            ]
        );
    }

    #[test]
    fn thousands_of_layers_are_no_trouble() {
        let names: Vec<_> = (0..3000).map(|number| number.to_string()).collect();
        let layers: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        assert_eq!(lines(&[line("deep:1", &layers)]).len(), 3001);
    }
}
