//! The tmpfs rules, one test each.

use std::path::Path;

use proptest::{option, prelude::*, sample::select};

use super::*;

fn parse(text: &str) -> (MountRequest, TmpfsOptions) {
    let request = parse_tmpfs_flag(text).unwrap();
    let RequestKind::Tmpfs(options) = request.kind.clone() else {
        panic!("{text}");
    };
    (request, options)
}

fn message(options: &str) -> String {
    parse_tmpfs_flag(&format!("/t:{options}"))
        .unwrap_err()
        .to_string()
}

fn data(options: &TmpfsOptions) -> String {
    let pairs = options.data();
    let shown: Vec<_> = pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    shown.join(",")
}

#[test]
fn rule_52_defaults_are_dockers() {
    for text in ["/t", "/t:", "/t:defaults", "//a/../t/"] {
        let (request, options) = parse(text);
        assert_eq!(request.target, Path::new("/t"));
        assert!(request.from_tmpfs_flag && request.mode.is_empty());
        assert_eq!(options.to_string(), "rw,nosuid,nodev,noexec,relatime");
        assert_eq!(data(&options), "mode=1777");
        let expected = Attributes::NO_SUID
            .with(Attributes::NO_DEV)
            .with(Attributes::NO_EXEC);
        assert_eq!(options.attributes(), expected);
    }
}

#[test]
fn rule_53_each_option_overrides_its_default() {
    let (_, options) = parse("/t:exec,size=1m,mode=0700,uid=1000,gid=1000");
    assert_eq!(
        options.to_string(),
        "rw,nosuid,nodev,exec,relatime,size=1m,uid=1000,gid=1000,mode=0700"
    );
    assert_eq!(data(&options), "size=1m,uid=1000,gid=1000,mode=0700");
    assert!(!options.attributes().has(Attributes::NO_EXEC));
}

#[test]
fn rule_53_unknown_options_are_all_named() {
    for (options, named) in [
        ("foo=bar", "[\"foo\" \"bar\"]"),
        ("foo,bar", "[\"foo\" \"bar\"]"),
        ("foo,size=1m,bar", "[\"foo\" \"bar\"]"),
        ("foo", "[\"foo\"]"),
        ("ro,", "[\"\"]"),
        ("ro=1", "[\"ro\" \"1\"]"),
        ("size", "[\"size\"]"),
        ("한글", "[\"한글\"]"),
    ] {
        assert_eq!(message(options), format!("invalid tmpfs option {named}"));
    }
}

#[test]
fn the_later_option_wins() {
    let (request, options) =
        parse("/t:ro,rw,ro,nr_blocks=1,size=1m,size=2m,noatime,strictatime,exec,noexec");
    assert_eq!(request.access, Access::ReadOnly);
    assert_eq!(
        options.to_string(),
        "ro,nosuid,nodev,noexec,strictatime,size=2m"
    );
    assert!(options.attributes().has(Attributes::READ_ONLY));
}

#[test]
fn values_are_checked() {
    for (option, expected) in [
        ("size=lots", "a size such as 64m or 50%, or 0 for no limit"),
        ("size=", "a size such as 64m or 50%, or 0 for no limit"),
        ("mode=999", "octal, 0 to 7777"),
        ("mode=17777", "octal, 0 to 7777"),
        ("mode=+7", "octal, 0 to 7777"),
        ("uid=root", "a numeric id"),
        ("uid=4294967295", "a numeric id"),
        ("gid=-1", "a numeric id"),
        ("nr_inodes=many", "a number such as 1024 or 1k"),
        ("huge=yes", "never, always, within_size or advise"),
    ] {
        let (key, value) = option.split_once('=').unwrap();
        let text = format!("invalid value for {key}: {value} (must be {expected})");
        assert_eq!(message(option), text);
    }
}

#[test]
fn sizes_may_be_bytes_parts_or_without_limit() {
    for (text, size) in [
        ("size=64m", TmpfsSize::Bytes(64 << 20)),
        ("size=0", TmpfsSize::Bytes(0)),
        ("size=50%", TmpfsSize::Percent(50)),
    ] {
        let (_, options) = parse(&format!("/t:{text}"));
        assert_eq!(options.size, Some(size));
        assert_eq!(data(&options), format!("{text},mode=1777"));
    }
    let (_, options) = parse("/t:nr_inodes=1k,nr_blocks=16,huge=within_size");
    assert_eq!(
        data(&options),
        "nr_blocks=16,nr_inodes=1024,huge=within_size,mode=1777"
    );
}

#[test]
fn rule_53_words_that_docker_takes_are_taken() {
    let (request, options) =
        parse("/t:sync,dirsync,mand,norelatime,nostrictatime,rslave,mpol=bind:0-3");
    assert_eq!(
        options.to_string(),
        "rw,nosuid,nodev,noexec,relatime,sync,dirsync,rslave,mpol=bind:0-3"
    );
    assert_eq!(request.ignored, ["mand"]);
    assert_eq!(data(&options), "mpol=bind:0-3,mode=1777");
    assert_eq!(options.switches().collect::<Vec<_>>(), ["sync", "dirsync"]);
    assert_eq!(options.propagation, Some(Propagation::RSlave));
    assert!(message("mpol=a;b").starts_with("invalid value for mpol"));
    assert!(message("mpol=").starts_with("invalid value for mpol"));
}

#[test]
fn options_of_later_versions_are_refused_by_name() {
    for name in ["unbindable", "runbindable"] {
        assert_eq!(
            message(name),
            format!("tmpfs option '{name}' is not supported yet")
        );
    }
}

#[test]
fn rule_8_holds_for_tmpfs_too() {
    assert_eq!(parse_tmpfs_flag("/.."), Err(Error::TargetIsRoot));
    for text in ["", "t", ":size=1m", "./t"] {
        assert!(
            matches!(parse_tmpfs_flag(text), Err(Error::Relative { .. })),
            "{text}"
        );
    }
}

prop_compose! {
    fn any_flags()(
        read_only: bool,
        suid: bool,
        dev: bool,
        exec: bool,
        no_dir_atime: bool,
        atime in select(vec![AccessTime::Relative, AccessTime::Never, AccessTime::Strict]),
    ) -> TmpfsOptions {
        let access = if read_only { Access::ReadOnly } else { Access::ReadWrite };
        TmpfsOptions { access, suid, dev, exec, atime, no_dir_atime, ..TmpfsOptions::default() }
    }
}

prop_compose! {
    fn any_options()(
        flags in any_flags(),
        size in option::of(prop_oneof![
            (0..1_u64 << 62).prop_map(TmpfsSize::Bytes),
            (0..1_u64 << 20).prop_map(|mebibytes| TmpfsSize::Bytes(mebibytes << 20)),
            (1..u32::MAX).prop_map(TmpfsSize::Percent),
        ]),
        counts in option::of((0..1_u64 << 62, 0..1_u64 << 62)),
        mode in option::of(0..=0o7777_u32),
        ids in (option::of(0..u32::MAX), option::of(0..u32::MAX)),
        more: (bool, bool, bool, bool),
        propagation in option::of(select(Propagation::ALL.to_vec())),
        policy in option::of("[a-z]{1,8}(:[0-9]-[0-9])?"),
        huge in option::of(select(HugePages::ALL.map(|(_, huge)| huge).to_vec())),
    ) -> TmpfsOptions {
        TmpfsOptions {
            size,
            nr_blocks: counts.map(|(blocks, _)| blocks).filter(|_| size.is_none()),
            nr_inodes: counts.map(|(_, inodes)| inodes),
            mode,
            uid: ids.0,
            gid: ids.1,
            huge,
            no_swap: more.0,
            copy_up: more.1,
            sync: more.2,
            dir_sync: more.3,
            propagation,
            policy,
            ..flags
        }
    }
}

proptest! {
    #[test]
    fn print_and_parse_agree(options in any_options()) {
        prop_assert_eq!(options.to_string().parse(), Ok(options.clone()));
        let json = serde_json::to_string(&options).unwrap();
        prop_assert_eq!(serde_json::from_str::<TmpfsOptions>(&json).unwrap(), options);
    }

    #[test]
    fn any_text_is_parsed_or_refused(
        text in "\\PC*|/t:((size|mode|uid|nr_inodes|huge|ro|exec|x)=?[0-9a-z%]{0,4},?){0,4}",
    ) {
        if let Ok(request) = parse_tmpfs_flag(&text) {
            prop_assert!(request.target.is_absolute() && request.target != Path::new("/"));
        }
    }
}
