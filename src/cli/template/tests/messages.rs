//! What is said of templates that make nothing.

use super::*;

#[test]
fn what_cannot_be_understood_is_told_with_its_line() {
    all_fail(&[
        ("{{.Id", "1: unclosed action"),
        ("{{.Id}", "1: bad character U+007D '}'"),
        ("{{end}}", "1: unexpected {{end}}"),
        ("{{if .Id}}x", "1: unexpected EOF"),
        ("a\n{{if}}x{{end}}", "2: missing value for if"),
        ("{{}}", "1: missing value for command"),
        ("{{nosuch .Id}}", "1: function \"nosuch\" not defined"),
        ("{{$x}}", "1: undefined variable \"$x\""),
        (
            "{{with $y := .Id}}{{end}}{{$y}}",
            "1: undefined variable \"$y\"",
        ),
        ("{{\"open}}", "1: unterminated quoted string"),
        ("{{`open}}", "1: unterminated raw quoted string"),
        ("{{'ab'}}", "1: malformed character constant: 'ab'"),
        ("{{\"\\z\"}}", "1: invalid syntax"),
        ("{{3x}}", "1: bad number syntax: \"3x\""),
        ("{{/* open", "1: unclosed comment"),
        ("{{(.Id}}", "1: unclosed left paren"),
        ("{{.Id)}}", "1: unexpected right paren"),
        ("{{.Id.}}", "1: unexpected <.> in operand"),
        ("{{\"x\".Foo}}", "1: unexpected . after term \"\\\"x\\\"\""),
        ("{{.Id == 1}}", "1: unexpected \"=\" in operand"),
        ("{{1 | 2}}", "1: non executable command in pipeline stage 2"),
        ("{{break}}", "1: {{break}} outside {{range}}"),
        (
            "{{range $a, $b, $c := .Args}}{{end}}",
            "1: too many declarations in range",
        ),
        (
            "{{if .Id}}{{else}}{{else}}{{end}}",
            "1: expected end; found {{else}}",
        ),
        ("{{template}}", "1: unexpected \"}}\" in template clause"),
        (
            "{{if .Id}}{{define \"x\"}}{{end}}{{end}}",
            "1: unexpected <define> in command",
        ),
    ]);
}

#[test]
fn what_does_not_go_with_the_object_is_told_with_its_place() {
    all_fail(&[
        (
            "{{.Foo}}",
            "1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"",
        ),
        (
            "a\n{{.State.Foo}}",
            "2:8: executing \"\" at <.State.Foo>: map has no entry for key \"Foo\"",
        ),
        (
            "{{$x := .State}}{{$x.Foo}}",
            "1:20: executing \"\" at <$x.Foo>: map has no entry for key \"Foo\"",
        ),
        (
            "{{index .Args 9}}",
            "1:2: executing \"\" at <index .Args 9>: error calling index: index out of range: 9",
        ),
        (
            "{{index .Config.Labels 1}}",
            "1:2: executing \"\" at <index .Config.Labels 1>: error calling index: value has type int; should be string",
        ),
        (
            "{{slice .Id 5 9}}",
            "1:2: executing \"\" at <slice .Id 5 9>: error calling slice: index out of range: 5",
        ),
    ]);
    let hint = cowshed::error::Failure::hint(&render("{{.State.Foo}}").unwrap_err());
    assert_eq!(
        hint.unwrap(),
        "there are: Status, Running, Pid, ExitCode, Error"
    );
}

#[test]
fn what_does_not_go_together_is_told_with_its_place() {
    all_fail(&[
        (
            "{{len 3}}",
            "1:2: executing \"\" at <len 3>: error calling len: len of type int",
        ),
        (
            "{{lt 1 2.0}}",
            "1:2: executing \"\" at <lt 1 2.0>: error calling lt: incompatible types for comparison",
        ),
        (
            "{{eq 1}}",
            "1:2: executing \"\" at <eq 1>: error calling eq: missing argument for comparison",
        ),
        (
            "{{upper 5}}",
            "1:8: executing \"\" at <5>: expected string; found 5",
        ),
        (
            "{{join .Id \",\"}}",
            "1:7: executing \"\" at <.Id>: wrong type for value; expected []string; got string",
        ),
        (
            "{{upper \"a\" \"b\"}}",
            "1:2: executing \"\" at <upper>: wrong number of args for upper: want 1 got 2",
        ),
        (
            "{{and}}",
            "1:2: executing \"\" at <and>: wrong number of args for and: want at least 1 got 0",
        ),
        (
            "{{range .Id}}{{end}}",
            "1:8: executing \"\" at <.Id>: range can't iterate over abc",
        ),
        (
            "{{.Id .Name}}",
            "1:2: executing \"\" at <.Id>: Id is not a method but has arguments",
        ),
        (
            "{{\"a\" \"b\"}}",
            "1:2: executing \"\" at <\"a\">: can't give argument to non-function \"a\"",
        ),
        (
            "{{nil}}",
            "1:2: executing \"\" at <nil>: nil is not a command",
        ),
        (
            "{{9223372036854775808}}",
            "1:2: executing \"\" at <9223372036854775808>: 9223372036854775808 overflows int",
        ),
        (
            "{{template \"nope\"}}",
            "1:11: executing \"\" at <{{template \"nope\"}}>: template \"nope\" not defined",
        ),
        (
            "{{pad \"x\" -1 2}}",
            "1:2: executing \"\" at <pad \"x\" -1 2>: error calling pad: strings: negative Repeat count",
        ),
    ]);
}
