//! The `--mount` rules, one test each.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::error::{ErrorKind, Failure as _};
use crate::mount::{Sharing, TmpfsSize, parse_tmpfs_flag};

pub(in crate::mount) fn parse(text: &str) -> Result<MountRequest, Error> {
    parse_mount_flag(text, Path::new("/home/학생/lab"))
}

pub(in crate::mount) fn message(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

pub(in crate::mount) fn bind(text: &str) -> BindRequest {
    let RequestKind::Bind(bind) = parse(text).unwrap().kind else {
        panic!("{text}");
    };
    bind
}

pub(in crate::mount) fn volume(text: &str) -> VolumeRequest {
    let RequestKind::Volume(volume) = parse(text).unwrap().kind else {
        panic!("{text}");
    };
    volume
}

pub(in crate::mount) fn tmpfs(text: &str) -> TmpfsOptions {
    let RequestKind::Tmpfs(options) = parse(text).unwrap().kind else {
        panic!("{text}");
    };
    options
}

#[test]
fn rule_10_the_default_type_is_volume() {
    for text in [
        "src=vol,dst=/x",
        "type=volume,source=vol,target=/x",
        "TYPE=Volume,Source=vol,destination=//y/../x/",
    ] {
        let request = parse(text).unwrap();
        assert_eq!(request.target, Path::new("/x"));
        assert_eq!(request.mode, "");
        assert_eq!(volume(text).name.as_deref(), Some("vol"));
    }
    assert_eq!(volume("type=volume,dst=/x"), VolumeRequest::default());
}

#[test]
fn rule_10_bind_keys() {
    let request = bind("type=bind,src=/a,dst=/x");
    let expected = BindRequest {
        source: PathBuf::from("/a"),
        propagation: Propagation::RPrivate,
        recursive: BindRecursive::Enabled,
        missing: MissingSource::Refuse,
        idmap: None,
    };
    assert_eq!(request, expected);
    let request = bind("type=bind,src=./a,dst=/x,bind-propagation=RSHARED,bind-create-src");
    assert_eq!(request.source, Path::new("/home/학생/lab/a"));
    assert_eq!(request.propagation, Propagation::RShared);
    assert_eq!(request.missing, MissingSource::Create);
    assert_eq!(
        bind("type=bind,src=..,dst=/x").source,
        Path::new("/home/학생")
    );
}

#[test]
fn rule_10_volume_keys() {
    let text = "src=vol,dst=/x,volume-nocopy,volume-label=a=b=c,volume-label=only,\
                volume-driver=local,volume-opt=type=tmpfs,\"volume-opt=o=size=1m,uid=1000\",\
                volume-subpath=a/b,volume-sharing=readers";
    let pairs = |pairs: &[(&str, &str)]| {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect::<BTreeMap<_, _>>()
    };
    let expected = VolumeRequest {
        name: Some("vol".to_owned()),
        no_copy: true,
        no_create: false,
        subpath: Some(PathBuf::from("a/b")),
        driver: Some("local".to_owned()),
        options: pairs(&[("type", "tmpfs"), ("o", "size=1m,uid=1000")]),
        labels: pairs(&[("a", "b=c"), ("only", "")]),
        sharing: Sharing::Readers,
        create_subpath: false,
    };
    assert_eq!(volume(text), expected);
}

#[test]
fn rule_10_values_may_hold_anything_when_quoted() {
    let request = bind("type=bind,\"src=/a b,\"\"한글\"\"=c\",dst=/x y");
    assert_eq!(request.source, Path::new("/a b,\"한글\"=c"));
    assert_eq!(
        message("type=bind,src=\"/a\",dst=/x"),
        "parse error on line 1, column 15: bare \" in non-quoted field"
    );
}

#[test]
fn rule_10_unknown_keys_are_named() {
    for (field, key) in [
        ("foo=bar", "foo"),
        ("bind-foo=1", "bind-foo"),
        ("volume-foo=x", "volume-foo"),
        ("tmpfs-foo=x", "tmpfs-foo"),
        ("z=1", "z"),
    ] {
        assert_eq!(
            message(&format!("{field},dst=/x")),
            format!("unexpected key '{key}' in '{field}'")
        );
    }
}

#[test]
fn rule_11_booleans_are_bare_or_one_of_four_words() {
    for (field, expected) in [
        ("readonly", Access::ReadOnly),
        ("ro", Access::ReadOnly),
        ("readonly=true", Access::ReadOnly),
        ("ro=1", Access::ReadOnly),
        ("readonly=false", Access::ReadWrite),
        ("ro=0", Access::ReadWrite),
    ] {
        let request = parse(&format!("src=vol,dst=/x,{field}")).unwrap();
        assert_eq!(request.access, expected, "{field}");
    }
    assert_eq!(
        message("src=vol,dst=/x,readonly=yes"),
        "invalid value for 'readonly': invalid boolean value (\"yes\"): must be one of \"true\", \
         \"1\", \"false\", or \"0\" (default \"true\")"
    );
}

#[test]
fn rule_11_spaces_and_empty_values_are_refused() {
    for (text, expected) in [
        (
            "src=vol, dst=/x",
            "invalid option 'dst' in ' dst=/x': option should not have whitespace",
        ),
        (
            "src=vol ,dst=/x",
            "invalid value for 'src' in 'src=vol ': value should not have whitespace",
        ),
        ("src=,dst=/x", "invalid value for 'src': value is empty"),
        ("dst=/x,", "invalid field '' must be a key=value pair"),
        ("dst", "invalid field 'dst' must be a key=value pair"),
        ("", "value is empty"),
        (" ", "value is empty"),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn rule_11_a_target_is_required() {
    assert_eq!(message("type=volume"), "target is required");
    assert_eq!(message("type=bind,src=/a"), "target is required");
}

#[test]
fn rule_11_keys_of_another_type_are_refused() {
    for (text, family, kind) in [
        ("type=bind,src=/a,dst=/x,volume-nocopy", "volume-*", "bind"),
        ("dst=/x,bind-propagation=slave", "bind-*", "volume"),
        ("type=volume,dst=/x,tmpfs-size=1m", "tmpfs-*", "volume"),
        ("type=tmpfs,dst=/x,nocreate", "nocreate", "tmpfs"),
    ] {
        assert_eq!(
            message(text),
            format!("cannot mix '{family}' options with mount type '{kind}'")
        );
    }
}

#[test]
fn rule_12_bind_recursive_has_its_conditions() {
    let parse_with = |more: &str| parse(&format!("type=bind,src=/a,dst=/x,{more}"));
    for (more, missing) in [
        ("bind-recursive=writable", "readonly"),
        ("bind-recursive=readonly", "readonly"),
        (
            "bind-recursive=readonly,readonly",
            "bind-propagation=rprivate",
        ),
        (
            "bind-recursive=readonly,readonly,bind-propagation=rslave",
            "bind-propagation=rprivate",
        ),
    ] {
        let option = more.split(',').next().unwrap();
        assert_eq!(
            parse_with(more).unwrap_err().to_string(),
            format!("option '{option}' requires '{missing}' to be specified in conjunction")
        );
    }
    for (more, recursive) in [
        ("bind-recursive=enabled", BindRecursive::Enabled),
        ("bind-recursive=disabled", BindRecursive::Disabled),
        ("bind-recursive=writable,ro", BindRecursive::Writable),
        (
            "bind-recursive=readonly,ro,bind-propagation=rprivate",
            BindRecursive::ReadOnly,
        ),
    ] {
        let request = bind(&format!("type=bind,src=/a,dst=/x,{more}"));
        assert_eq!(request.recursive, recursive, "{more}");
    }
    assert_eq!(
        parse_with("bind-recursive=maybe").unwrap_err().to_string(),
        "invalid value for bind-recursive: maybe (must be \"enabled\", \"disabled\", \
         \"writable\", or \"readonly\")"
    );
}

#[test]
fn rule_12_bind_nonrecursive_is_gone() {
    for field in ["bind-nonrecursive", "bind-nonrecursive=true"] {
        assert_eq!(
            message(&format!("type=bind,src=/a,dst=/x,{field}")),
            "bind-nonrecursive is deprecated, use bind-recursive=disabled instead"
        );
    }
}

#[test]
fn rule_13_tmpfs_size_and_mode() {
    let options = tmpfs("type=tmpfs,dst=/x,tmpfs-size=1m,tmpfs-mode=0700");
    assert_eq!(options.size, Some(TmpfsSize::Bytes(1 << 20)));
    assert_eq!(options.mode, Some(0o700));
    assert!(
        message("type=tmpfs,dst=/x,tmpfs-size=big")
            .starts_with("invalid value for tmpfs-size: big")
    );
    assert!(
        message("type=tmpfs,dst=/x,tmpfs-mode=8").starts_with("invalid value for tmpfs-mode: 8")
    );
}

#[test]
fn need_24_both_spellings_of_a_tmpfs_mean_the_same() {
    let mount = parse(
        "type=tmpfs,dst=/x,ro,tmpfs-size=50%,tmpfs-mode=1770,tmpfs-uid=1000,tmpfs-gid=100,\
         tmpfs-exec,tmpfs-inodes=1k",
    );
    let flag = parse_tmpfs_flag("/x:ro,size=50%,mode=1770,uid=1000,gid=100,exec,nr_inodes=1k");
    let (mount, flag) = (mount.unwrap(), flag.unwrap());
    assert_eq!((mount.kind, mount.access), (flag.kind, flag.access));
    assert!(!mount.from_tmpfs_flag && flag.from_tmpfs_flag);
}

#[test]
fn need_12_nocreate_wants_what_exists() {
    for field in ["nocreate", "volume-nocreate=1"] {
        assert!(volume(&format!("src=vol,dst=/x,{field}")).no_create);
        assert_eq!(
            message(&format!("dst=/x,{field}")),
            "option 'nocreate' requires 'source' to be specified in conjunction"
        );
    }
    let request = bind("type=bind,src=/a,dst=/x,nocreate");
    assert_eq!(request.missing, MissingSource::Refuse);
    assert_eq!(
        message("type=bind,src=/a,dst=/x,nocreate,bind-create-src"),
        "option 'nocreate' contradicts 'bind-create-src'"
    );
}

#[test]
fn sources_fit_their_type() {
    for (text, expected) in [
        ("type=bind,dst=/x", "field Source must not be empty"),
        (
            "type=bind,src=a,dst=/x",
            "invalid mount path: 'a' mount path must be absolute",
        ),
        (
            "type=bind,src=~/a,dst=/x",
            "invalid mount path: '~/a' mount path must be absolute",
        ),
        (
            "type=tmpfs,src=/a,dst=/x",
            "field Source must not be specified",
        ),
        (
            "src=v,dst=/x",
            "volume name is too short, names should be at least two alphanumeric characters",
        ),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
    assert!(message("src=/a,dst=/x").starts_with("\"/a\" includes invalid characters"));
    assert!(message("src=./a,dst=/x").starts_with("\"./a\" includes invalid characters"));
}

#[test]
fn rule_8_holds_for_mount_too() {
    assert_eq!(
        message("src=vol,dst=/a/.."),
        "invalid specification: destination can't be '/'"
    );
    assert_eq!(
        message("src=vol,dst=x"),
        "invalid mount path: 'x' mount path must be absolute"
    );
}

#[test]
fn rule_30_a_subpath_needs_a_named_volume() {
    assert_eq!(
        message("dst=/x,volume-subpath=a"),
        "must not set Subpath when using anonymous volumes"
    );
    assert_eq!(
        message("src=vol,dst=/x,volume-subpath=../a"),
        "subpath must be a relative path within the volume"
    );
    assert_eq!(volume("src=vol,dst=/x,volume-subpath=.").subpath, None);
}

#[test]
fn a_key_without_effect_is_remembered() {
    let request = parse("src=vol,dst=/x,consistency=cached").unwrap();
    assert_eq!(request.ignored, ["consistency=cached"]);
}

#[test]
fn what_is_not_in_this_version_is_refused_by_name() {
    for (text, what) in [
        ("type=cluster,src=x,dst=/x", "mount type 'cluster'"),
        (
            "type=tmpfs,dst=/x,tmpfs-options=a",
            "key 'tmpfs-options' of --mount",
        ),
        ("src=vol,dst=/x,u=true", "key 'u' of --mount"),
        ("src=vol,dst=/x,volume-driver=nfs", "volume-driver 'nfs'"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.to_string(), format!("{what} is not supported yet"));
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    assert_eq!(
        message("type=foo,dst=/x"),
        "invalid mount config for type \"foo\": mount type unknown"
    );
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(
        text in "\\PC*|((type=(bind|tmpfs)|src|dst|ro|tmpfs-size|volume-opt|bind-recursive|\")[=/.a1,\"]{0,4}){0,5}",
    ) {
        if let Ok(request) = parse(&text) {
            prop_assert!(request.target.is_absolute() && request.target != Path::new("/"));
        }
    }
}
