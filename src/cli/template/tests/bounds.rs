//! No text makes it panic or go on without end.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cli::template::quote;

#[test]
fn nothing_goes_on_without_end() {
    let deep =
        |open: &str, inner: &str, close: &str| open.repeat(20_000) + inner + &close.repeat(20_000);
    for text in [
        format!("{{{{{}}}}}", deep("(", "1", ")")),
        deep("{{if .}}", "", "{{end}}"),
        deep("{{if .}}{{else ", "", "{{end}}"),
        format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(20_000)),
        deep("{{with .}}{{range 2}}", "x", "{{end}}{{end}}"),
        deep("{{block \"x\" .}}", "", "{{end}}"),
        "{{define \"R\"}}{{template \"R\"}}{{end}}{{template \"R\"}}".to_owned(),
        "{{define \"R\"}}{{if 1}}{{with 1}}{{template \"R\" (((print 1)))}}{{end}}{{end}}{{end}}{{template \"R\"}}".to_owned(),
        "{{define \"R\"}}{{template \"R\"}}{{template \"R\"}}{{end}}{{template \"R\"}}".to_owned(),
        "{{range 9223372036854775807}}{{end}}".to_owned(),
        "{{range 1000000}}{{range 1000000}}x{{end}}{{end}}".to_owned(),
        "{{$x := \"xx\"}}{{range 99}}{{$x = print $x $x}}{{end}}".to_owned(),
        "{{$x := \"xx\"}}{{range 22}}{{$x = print $x $x}}{{end}}{{join (split $x \"\") $x}}".to_owned(),
        "{{range 999}}{{printf \"%999999d\" 1}}{{end}}".to_owned(),
        "{{pad \"x\" 9223372036854775807 9223372036854775807}}".to_owned(),
    ] {
        let start: String = text.chars().take(60).collect();
        assert!(render(&text).is_err(), "{start}");
    }
    // What is allowed fits on a small stack.
    let nested = "{{if .}}".repeat(90) + "x" + &"{{end}}".repeat(90);
    assert_eq!(render(&nested).unwrap(), "x");
    let round = format!("{{{{{}1{}}}}}", "(".repeat(90), ")".repeat(90));
    assert_eq!(render(&round).unwrap(), "1");
}

/// Pieces of which some make sense together.
const PIECES: [&str; 58] = [
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "{{/*",
    "*/}}",
    ".",
    ".State",
    ".Pid",
    ".Args",
    ".Config",
    ".Labels",
    ".Mounts",
    "$",
    "$x",
    "$y",
    " := ",
    " = ",
    ", ",
    " | ",
    "(",
    ")",
    "if ",
    "else ",
    "else",
    "end",
    "range ",
    "with ",
    "define ",
    "template ",
    "block ",
    "break",
    "continue",
    "index ",
    "slice ",
    "len ",
    "print ",
    "printf ",
    "eq ",
    "lt ",
    "and ",
    "or ",
    "not ",
    "json ",
    "join ",
    "split ",
    "truncate ",
    "pad ",
    "\"%-*.[2]d%q%x한\"",
    "\"\\xff\"",
    "`raw`",
    "'x'",
    "-1 ",
    "3 ",
    "1e9 ",
    "nil ",
    "true ",
    "한국어 ",
];

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        render(&text).ok();
        render(&format!("{{{{{text}}}}}")).ok();
    }

    #[test]
    fn no_pieces_make_it_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        let text = pieces.concat();
        render(&text).ok();
        render(&format!("{{{{{text}}}}}")).ok();
    }

    #[test]
    fn no_verb_makes_it_panic(verb in "%[-+# 0]{0,3}([0-9]{0,3}|\\*)(\\.([0-9]{0,2}|\\*))?(\\[[0-9]?\\])?[a-zA-Z%가]", number in any::<i32>()) {
        let data = json!({"n": number, "s": "한국어\u{7}", "l": [1, "x", null], "f": 0.1, "o": {"k": "v"}});
        for field in ["n", "s", "l", "f", "o", "none"] {
            let text = format!("{{{{printf {verb:?} .{field} .s}}}}");
            let template = Template::parse(&text).unwrap();
            template.render(Data::Object(&data)).ok();
        }
    }

    #[test]
    fn text_without_actions_is_itself(text in "[^{]*") {
        prop_assert_eq!(render(&text).unwrap(), text);
    }

    #[test]
    fn a_quoted_text_is_what_was_quoted(text in any::<String>()) {
        let quoted = quote(&text, false);
        prop_assert_eq!(render(&format!("{{{{{quoted}}}}}")).unwrap(), text.clone());
        let ascii = quote(&text, true);
        prop_assert!(ascii.is_ascii());
        prop_assert_eq!(render(&format!("{{{{{ascii}}}}}")).unwrap(), text);
    }
}
