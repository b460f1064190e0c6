//! What templates make.

use serde_json::json;

use super::*;

#[test]
fn fields_and_their_values() {
    all(&[
        ("{{.State.Pid}}", "4242"),
        (
            "{{ .Id }} {{.State.Running}} {{(.State).Pid}} {{(.).Id}}",
            "abc true 4242 abc",
        ),
        ("{{.이름}}", "한국어"),
        (
            "{{.Args}} {{.Config.Labels}}",
            "[-c echo hi] map[a.b:x y k:v z:]",
        ),
        ("{{.State}}", "{running true 4242 0 }"),
        (
            "{{.Config.Volumes}} {{.Config.Entrypoint}} {{.HostConfig.Init}}",
            "map[] [] <nil>",
        ),
        (
            "{{.Config.Labels.k}} {{.Config.Labels.nope}} {{.Config.Labels.a.b}}",
            "v <no value> <no value>",
        ),
        (
            "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}",
            "none",
        ),
        ("{{(index .Mounts 0).Source}}", "/a"),
        // A bind has no name.
        (
            "{{range .Mounts}}[{{.Name}}{{with .Driver}}{{.}}{{end}}]{{end}}",
            "[][v]",
        ),
        ("{{.GraphDriver.Data.LowerDir}}", "/l"),
    ]);
}

#[test]
fn what_docker_users_type() {
    all(&[
        ("{{json .State.Pid}} {{json .Config.Volumes}}", "4242 null"),
        (
            "{{json .HostConfig}}",
            r#"{"NetworkMode":"none","Tmpfs":{"/t":"size=1m"},"Init":null}"#,
        ),
        ("{{json .Markup}}", r#""<a href='x'>&\"</a>""#),
        (
            "{{range .Mounts}}{{.Source}}:{{.Destination}} {{end}}",
            "/a:/b /c:/d ",
        ),
        (
            r#"{{index .Config.Labels "a.b"}}|{{index .Config.Labels "nope"}}|"#,
            "x y||",
        ),
        (r#"{{join .Args ", "}}"#, "-c, echo hi"),
        (
            "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}",
            "a.b=x y;k=v;z=;",
        ),
        (
            r#"{{if eq .State.Status "running"}}up{{else}}down{{end}}"#,
            "up",
        ),
        (
            r#"{{if and (eq .State.Status "running") (gt .State.Pid 0)}}y{{end}}"#,
            "y",
        ),
        (
            r#"{{printf "%-10s|%5d" .Name .State.Pid}}"#,
            "/c        | 4242",
        ),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
        (r#"{{join .Config.Env "\n"}}"#, "A=1\nB=2"),
        (
            r#"{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}{{end}}{{end}}"#,
            "v",
        ),
        (r#"{{index (split .Name "/") 1}}"#, "c"),
        (
            r#"{{slice .Name 1}} {{len .Mounts}} {{.Name | upper | printf "%s%s" "y"}}"#,
            "c 2 y/C",
        ),
        (r"{{.Name}}\t{{.Id}}", r"/c\tabc"),
    ]);
}

#[test]
fn what_scripts_have() {
    all(&[
        (
            "{{range $i, $m := .Mounts}}{{if $i}}, {{end}}{{$m.Source}}{{end}}",
            "/a, /c",
        ),
        (
            "{{range .Mounts}}{{if .RW}}rw{{else}}ro{{end}} {{end}}",
            "rw ro ",
        ),
        (
            "{{with index .Mounts 0}}{{.Source}} {{.Destination}}{{end}}",
            "/a /b",
        ),
        (
            "{{range $p, $c := .HostConfig.Tmpfs}}{{$p}}->{{$c}}{{end}}",
            "/t->size=1m",
        ),
        (
            r#"{{range $e := .Config.Env}}{{with split $e "="}}{{index . 0}}:{{index . 1}} {{end}}{{end}}"#,
            "A:1 B:2 ",
        ),
        (
            r#"{{define "m"}}{{.Source}}|{{end}}{{range .Mounts}}{{template "m" .}}{{end}}"#,
            "/a|/c|",
        ),
        (
            "{{if gt (len .Mounts) 1}}many{{end}} {{if not .State.Error}}fine{{end}}",
            "many fine",
        ),
        (
            r#"{{"k" | index .Config.Labels}} {{1 | slice .Id}}"#,
            "v bc",
        ),
        ("{{- range .Args -}} {{.}} {{- end -}}", "-cecho hi"),
        (
            "{{range $i, $x := .Args}}{{$i = 7}}{{$i}}{{end}}{{if $x := 0}}{{else}}{{$x}}{{end}}",
            "770",
        ),
    ]);
}

#[test]
fn blocks() {
    all(&[
        (
            "{{if .State.Error}}a{{else if .State.Pid}}b{{else}}c{{end}}",
            "b",
        ),
        ("{{with .State}}{{.Pid}} {{$.Id}}{{end}}", "4242 abc"),
        ("{{with $x := .Id}}{{$x}}{{.}}{{end}}", "abcabc"),
        (
            "{{with .Config.Volumes}}a{{else with .Id}}b{{.}}{{else}}c{{end}}",
            "babc",
        ),
        ("{{range .Config.Entrypoint}}x{{else}}none{{end}}", "none"),
        (
            "{{range $i, $v := .Args}}{{$i}}={{$v}} {{end}}",
            "0=-c 1=echo hi ",
        ),
        ("{{range $v := .Config.Labels}}{{$v}};{{end}}", "x y;v;;"),
        (
            "{{range 3}}{{.}}{{end}}{{range $i := 2}}{{$i}}{{end}}",
            "01201",
        ),
        (
            r#"{{range .Args}}{{if eq . "-c"}}{{continue}}{{end}}{{.}}{{break}}{{end}}"#,
            "echo hi",
        ),
        (
            "{{$x := 1}}{{range .Args}}{{$x = .}}{{end}}{{$x}}",
            "echo hi",
        ),
        (
            "{{define \"T\"}}[{{.}}]{{end}}{{template \"T\" .Id}}{{template \"T\"}}",
            "[abc][<no value>]",
        ),
        ("{{block \"B\" .Id}}<{{.}}>{{end}}", "<abc>"),
        // A struct is gone through as the map that its JSON is.
        (
            "{{range $k, $v := .GraphDriver}}{{$k}}={{$v}} {{end}}",
            "Data=map[LowerDir:/l MergedDir:/m] Name=overlay2 ",
        ),
        ("a {{- .Id -}} b", "aabcb"),
        ("a  {{- /* c */ -}}  b{{/* c */}}", "ab"),
        ("{{- 3}} {{-3}} {{ -3 }}{{\n.Id\n}}", "3 -3 -3abc"),
        ("{{\"a\"}}}}", "a}}"),
    ]);
}

#[test]
fn literals() {
    all(&[
        (
            r#"{{`raw \n`}} {{"q\tq"}} {{'a'}} {{'\n'}} {{'한'}}"#,
            "raw \\n q\tq 97 10 54620",
        ),
        (r#"{{"\u00e9 \x41 \101 \""}}"#, "é A A \""),
        (
            "{{0x10}} {{1e3}} {{1_000}} {{0b11}} {{0o17}} {{017}} {{+5}}",
            "16 1000 1000 3 15 15 5",
        ),
        (
            "{{1.0}} {{.5}} {{3.0e-7}} {{1e6}} {{123456789.0}} {{1e100}}",
            "1 0.5 3e-07 1e+06 1.23456789e+08 1e+100",
        ),
        (
            "{{9223372036854775807}} {{true}} {{print nil}}",
            "9223372036854775807 true <nil>",
        ),
    ]);
}

#[test]
fn functions() {
    all(&[
        (
            "{{eq 1 1}} {{ne 1 2}} {{lt 1 2}} {{le \"a\" \"b\"}} {{gt 2.5 1.5}} {{ge 1 1}}",
            "true true true true true true",
        ),
        (
            "{{eq .Id \"a\" \"abc\"}} {{eq .Id nil}} {{eq .Config.Volumes nil}}",
            "true false true",
        ),
        (
            "{{and .Id .Name}} {{or .Config.Volumes .Id}} {{not .Id}}",
            "/c abc false",
        ),
        (
            "{{or true (index .Args 9)}} {{and false (index .Args 9)}}",
            "true false",
        ),
        (
            "{{len .Id}} {{len .Config.Labels}} {{len .이름}} {{len .State}}",
            "3 3 9 5",
        ),
        (
            "{{index .Args 1 2}} {{slice .Id 1 2}} {{slice .Args 1}}",
            "104 b [echo hi]",
        ),
        (
            "{{print 1 2 \"a\" \"b\" 3}}|{{println \"x\" 1}}|{{print}}|",
            "1 2ab3|x 1\n||",
        ),
        (
            "{{print (print 1 | print 2) 3}} {{.Id | len | printf \"%03d\"}}",
            "213 003",
        ),
        (
            "{{html .Markup}}",
            "&lt;a href=&#39;x&#39;&gt;&amp;&#34;&lt;/a&gt;",
        ),
        (
            "{{js .Markup}}",
            r#"\u003Ca href\u003D\'x\'\u003E\u0026\"\u003C/a\u003E"#,
        ),
        (
            "{{urlquery .Markup}} {{urlquery \"a b\" \"c\"}}",
            "%3Ca+href%3D%27x%27%3E%26%22%3C%2Fa%3E a+bc",
        ),
        (
            r#"{{split "a,b" ","}} {{upper "aé"}} {{lower "ABC"}} {{pad "x" 1 2}}|{{pad "" 1 2}}|"#,
            "[a b] AÉ abc  x  ||",
        ),
        (
            r#"{{title "ça va-bien o'k"}} {{truncate "hello" 3}} {{truncate "hi" 5}}"#,
            "Ça Va-Bien O'K hel hi",
        ),
        // Docker would cut the character in two.
        (r#"{{truncate "한국어" 4}}"#, "한"),
        (
            r#"{{join .Config.Entrypoint ","}}|{{split .Name ""}}|{{json (split "a,b" ",")}}"#,
            "|[/ c]|[\"a\",\"b\"]",
        ),
    ]);
}

#[test]
fn printf_is_gos() {
    all(&[
        (
            r#"{{printf "%05d|%x|%X|%q|%v|%5.1f|%t|%c|%U|%%" 42 255 "hi" "q" .Args 3.14159 true 65 65}}"#,
            "00042|ff|6869|\"q\"|[-c echo hi]|  3.1|true|A|U+0041|%",
        ),
        (
            r#"{{printf "%6.2f|%-8v|%+d|% d|%#x|%#q|%o|%b|%O" 3.14159 "ab" 5 5 255 "hi" 8 5 8}}"#,
            "  3.14|ab      |+5| 5|0xff|`hi`|10|101|0o10",
        ),
        (
            r#"{{printf "%08.3f|%+.2e|%e|%g|%6.3v|%g" 3.14159 12345.678 1.5 100000.0 3.14159 1e-7}}"#,
            "0003.142|+1.23e+04|1.500000e+00|100000|  3.14|1e-07",
        ),
        (
            r#"{{printf "%.2s|%5.1s|%.3q|%x|%# x|%+q" "한국어" "한국어" "abcdef" "한" "hi" "한"}}"#,
            "한국|    한|\"abc\"|ed959c|0x68 0x69|\"\\ud55c\"",
        ),
        (
            r#"{{printf "%*d|%-*d|%[2]d %[1]d" 5 1 5 3}}"#,
            "    1|3    |1 5",
        ),
        (
            r#"{{printf "%d" "x"}} {{printf "%s" 5}} {{printf "%d"}} {{printf "%d" 1 2}}"#,
            "%!d(string=x) %!s(int=5) %!d(MISSING) 1%!(EXTRA int=2)",
        ),
        (
            r#"{{printf "%"}} {{printf "%z" 1}} {{printf "%[3]d" 1}} {{printf "%s|%v" nil nil}}"#,
            "%!(NOVERB) %!z(int=1) %!d(BADINDEX) %!s(<nil>)|<nil>",
        ),
        (
            r#"{{printf "%q %d" .Args .Args}}"#,
            "[\"-c\" \"echo hi\"] [%!d(string=-c) %!d(string=echo hi)]",
        ),
        (
            r#"{{printf "%+v" .GraphDriver}} {{printf "%T %T %T" 1 1.5 "s"}}"#,
            "{Data:map[LowerDir:/l MergedDir:/m] Name:overlay2} int float64 string",
        ),
        (
            r#"{{printf "%05s|%+05d|%5c|%#U|%d" "ab" 3 65 0x1F600 -5}}"#,
            "000ab|+0003|    A|U+1F600 '😀'|-5",
        ),
    ]);
}

#[test]
fn only_a_terminal_is_protected() {
    let data = json!({"Label": "\u{1b}[31mred\u{7}\nnext\tcell"});
    let made = |for_terminal| {
        let template = Template::parse("\u{1b}[1m{{.Label}}").unwrap();
        let template = template.for_terminal(for_terminal);
        template.render(Data::Record(&data)).unwrap()
    };
    assert_eq!(made(false), "\u{1b}[1m\u{1b}[31mred\u{7}\nnext\tcell");
    assert_eq!(made(true), "\u{1b}[1m\u{fffd}[31mred\u{fffd}\nnext\tcell");
}
