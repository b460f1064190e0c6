//! `<<NAME`: texts that follow an instruction.

/// A text that was given below its instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heredoc {
    /// The line that ends it.
    pub(super) name: String,
    /// `<<-`: tabs at the beginning of lines go.
    pub(super) strips_tabs: bool,
    /// The lines, each with its end.
    pub(super) body: String,
}

/// Those that an instruction opens, in order.
pub(super) fn openings(text: &str) -> Vec<Heredoc> {
    let keyword = text.split_whitespace().next().unwrap_or_default();
    let may = ["RUN", "COPY", "ADD"]
        .iter()
        .any(|word| keyword.eq_ignore_ascii_case(word));
    if !may || !text.contains("<<") {
        return Vec::new();
    }
    words(text)
        .iter()
        .filter_map(|word| opening(word))
        .collect()
}

/// As a shell separates them; quotes stay.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None::<char>);
    for c in text.chars() {
        match quote {
            None if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.push(c);
            }
            Some(open) if c == open => {
                quote = None;
                word.push(c);
            }
            _ => word.push(c),
        }
    }
    words.push(word);
    words
}

/// `<<NAME`, `<<-NAME`, `3<<"NAME"`.
fn opening(word: &str) -> Option<Heredoc> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix("<<")?;
    let (strips_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let bare = |quote: char| rest.strip_prefix(quote)?.strip_suffix(quote);
    let name = bare('"').or_else(|| bare('\'')).unwrap_or(rest);
    let is_name = !name.is_empty() && !name.contains(['<', '"', '\'']);
    is_name.then(|| Heredoc {
        name: name.to_owned(),
        strips_tabs,
        body: String::new(),
    })
}
