//! A registry of ours: serves what it is given, and misbehaves as it is told.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread::Builder,
};

use serde_json::Value;

use crate::making::{Layer, Layout, OCI};

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// From where on bytes are wanted.
    pub(crate) fn start(&self) -> usize {
        let range = self.header("range").unwrap_or("bytes=0-");
        let start = range.trim_start_matches("bytes=").trim_end_matches('-');
        start.parse().unwrap()
    }
}

/// Answers a request, or leaves it to what is served.
pub(crate) type Answer = dyn Fn(&Seen, &mut TcpStream) -> bool + Send + Sync;

/// A server on loopback; it ends with the test's process.
pub(crate) struct Peer {
    pub(crate) host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What a registry has: path to media type and bytes.
pub(crate) type Content = BTreeMap<String, (String, Vec<u8>)>;

/// One image of these layers as `x:latest`.
pub(crate) fn image(layers: &[Layer]) -> Content {
    let mut layout = Layout::default();
    let entry = layout.image(layers, &crate::making::config_of(layers));
    content(&layout, &entry)
}

/// A layout's blobs, and one of its documents as `x:latest`.
pub(crate) fn content(layout: &Layout, top: &Value) -> Content {
    let mut content = Content::new();
    for (name, bytes) in &layout.files {
        let digest = format!("sha256:{}", name.rsplit('/').next().unwrap());
        let octets = "application/octet-stream".to_owned();
        content.insert(format!("/v2/x/blobs/{digest}"), (octets, bytes.clone()));
        let kind = serde_json::from_slice::<Value>(bytes).map_or(String::new(), |value| {
            let kind = if value.get("manifests").is_some() {
                "index"
            } else {
                "manifest"
            };
            format!("{OCI}{kind}.v1+json")
        });
        content.insert(format!("/v2/x/manifests/{digest}"), (kind, bytes.clone()));
    }
    let digest = top["digest"].as_str().unwrap();
    let document = content[&format!("/v2/x/manifests/{digest}")].clone();
    content.insert("/v2/x/manifests/latest".to_owned(), document);
    content
}

/// Writes an answer.
pub(crate) fn reply(out: &mut TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let length = body.len().to_string();
    let has_length = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let more = (!has_length).then_some(("Content-Length", length.as_str()));
    let lines = headers.iter().copied().chain(more);
    let lines: Vec<_> = lines
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{}",
        lines.concat()
    );
    // Whoever is gone does not want it.
    out.write_all(head.as_bytes()).ok();
    out.write_all(b"\r\n").ok();
    out.write_all(body).ok();
}

impl Peer {
    /// Serves `content`, after `answer` has had its way.
    pub(crate) fn start(
        content: Content,
        answer: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (content, answer): (_, Arc<Answer>) = (Arc::new(content), Arc::new(answer));
        let log = Arc::clone(&seen);
        let serve = move || {
            for stream in listener.incoming() {
                let (content, answer) = (Arc::clone(&content), Arc::clone(&answer));
                let log = Arc::clone(&log);
                let work = move || {
                    one(stream.unwrap(), &content, &*answer, &log);
                };
                Builder::new().spawn(work).unwrap();
            }
        };
        Builder::new().spawn(serve).unwrap();
        Self { host, seen }
    }

    pub(crate) fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }

    /// The requests so far whose path has this.
    pub(crate) fn seen(&self, part: &str) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        let fitting = seen.iter().filter(|one| one.path.contains(part));
        fitting.cloned().collect()
    }
}

fn one(stream: TcpStream, content: &Content, answer: &Answer, log: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream);
    // A greeting of TLS: there is none here.
    if reader
        .fill_buf()
        .is_ok_and(|bytes| bytes.first() == Some(&0x16))
    {
        return;
    }
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split(' ');
    let mut seen = Seen {
        method: words.next().unwrap().to_owned(),
        path: words.next().unwrap_or_default().to_owned(),
        headers: BTreeMap::new(),
    };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        seen.headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = seen
        .header("content-length")
        .map_or(0, |text| text.parse().unwrap());
    std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).ok();
    log.lock().unwrap().push(seen.clone());
    let mut stream = reader.into_inner();
    if !answer(&seen, &mut stream) {
        served(&seen, &mut stream, content);
    }
}

/// As a registry should.
fn served(seen: &Seen, out: &mut TcpStream, content: &Content) {
    if seen.path == "/v2/" {
        return reply(out, "200 OK", &[], b"{}");
    }
    let Some((kind, bytes)) = content.get(&seen.path) else {
        return reply(
            out,
            "404 Not Found",
            &[],
            b"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\"}]}",
        );
    };
    let start = seen.start();
    let range = format!("bytes {start}-{}/{}", bytes.len().max(1) - 1, bytes.len());
    let headers = [("Content-Type", kind.as_str()), ("Content-Range", &range)];
    if start == 0 {
        reply(out, "200 OK", &headers[..1], bytes);
    } else {
        reply(out, "206 Partial Content", &headers, &bytes[start..]);
    }
}
