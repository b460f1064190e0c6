//! The keys of mounts that Docker does not have, or has since lately.

use super::*;
use crate::mount::{
    Access, RequestKind,
    mount_flag::tests::{bind, message, parse, tmpfs, volume},
    parse_tmpfs_flag,
};

#[test]
fn need_24_a_tmpfs_may_stay_out_of_the_swap_and_begin_with_the_image_s_content() {
    for text in ["tmpfs-noswap,tmpfs-copyup", "noswap,tmpcopyup=1"] {
        let options = tmpfs(&format!("type=tmpfs,dst=/x,{text}"));
        assert!(options.no_swap && options.copy_up, "{text}");
        let flag = parse_tmpfs_flag("/x:noswap,tmpcopyup").unwrap();
        assert_eq!(RequestKind::Tmpfs(options), flag.kind);
    }
    assert!(!tmpfs("type=tmpfs,dst=/x,tmpfs-noswap=false").no_swap);
    assert!(message("dst=/x,noswap").starts_with("cannot mix 'tmpfs-*' options"));
}

#[test]
fn need_1_bind_idmap_is_match_user_unless_something_else_is_said() {
    for (field, wanted) in [
        ("bind-idmap", "match-user"),
        ("idmap", "match-user"),
        ("bind-idmap=match-user", "match-user"),
        ("bind-idmap=match-user:app:100", "match-user:app:100"),
        ("bind-idmap=userns", "userns"),
    ] {
        let idmap = bind(&format!("type=bind,src=/a,dst=/x,{field}")).idmap;
        assert_eq!(idmap.unwrap().to_string(), wanted, "{field}");
    }
    assert_eq!(
        message("type=bind,src=/a,dst=/x,bind-idmap=0:1:2"),
        "invalid value for bind-idmap: 0:1:2 (must be match-user, match-user:USER[:GROUP] or userns)"
    );
    assert!(message("src=vol,dst=/x,idmap").starts_with("cannot mix 'bind-*' options"));
}

#[test]
fn rule_57_an_image_is_read_only_whatever_is_said() {
    for (more, ignored) in [
        ("", &[][..]),
        (",readonly", &[]),
        (",readonly=false", &["readonly=false"]),
    ] {
        let request = parse(&format!("type=image,src=alpine:3,dst=/x{more}")).unwrap();
        assert_eq!(request.access, Access::ReadOnly);
        assert_eq!(request.ignored, ignored);
    }
    let request = parse("type=image,src=alpine,dst=/x,image-subpath=usr/./lib/../bin").unwrap();
    let RequestKind::Image(image) = request.kind else {
        panic!("not an image");
    };
    assert_eq!(image.image, "alpine");
    assert_eq!(image.subpath, Some("usr/bin".into()));
    assert_eq!(
        message("type=image,dst=/x"),
        "field Source must not be empty"
    );
    assert!(message("type=image,src=a,dst=/x,image-subpath=../x").starts_with("subpath must be"));
    assert!(message("src=vol,dst=/x,image-subpath=a").starts_with("cannot mix 'image-*' options"));
    assert!(message("type=image,src=a,dst=/x,volume-nocopy").starts_with("cannot mix 'volume-*'"));
}

#[test]
fn need_26_an_overlay_has_a_lower_and_an_upper() {
    let overlay = |text: &str| {
        let RequestKind::Overlay(overlay) = parse(text).unwrap().kind else {
            panic!("{text}");
        };
        overlay
    };
    let found = overlay("type=overlay,src=./src,dst=/x");
    assert_eq!(found.lower, Stored::Path("/home/학생/lab/src".into()));
    assert_eq!(
        (found.upper, found.missing),
        (Upper::Discard, MissingSource::Refuse)
    );
    let found = overlay("type=overlay,src=vol,dst=/x,upper=changes");
    assert_eq!(found.lower, Stored::Volume("vol".to_owned()));
    assert_eq!(found.upper, Upper::Volume("changes".to_owned()));
    assert_eq!(found.missing, MissingSource::Create);
    assert_eq!(
        overlay("type=overlay,src=/a,dst=/x,upper=tmpfs").upper,
        Upper::Tmpfs
    );
    let found = overlay("type=overlay,src=vol,dst=/x,nocreate");
    assert_eq!(found.missing, MissingSource::Refuse);
    for (text, expected) in [
        ("type=overlay,dst=/x", "field Source must not be empty"),
        (
            "type=overlay,src=vol,dst=/x,upper=vol",
            "option 'upper' contradicts 'src'",
        ),
        (
            "type=bind,src=/a,dst=/x,upper=tmpfs",
            "cannot mix 'upper' options with mount type 'bind'",
        ),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
    assert!(message("type=overlay,src=/a,dst=/x,upper=/b").contains("invalid characters"));
}

#[test]
fn need_31_a_subpath_is_made_only_when_that_is_asked_for() {
    assert!(volume("src=vol,dst=/x,volume-subpath=a/b,volume-subpath-create").create_subpath);
    assert!(!volume("src=vol,dst=/x,volume-subpath=a/b").create_subpath);
    assert_eq!(
        message("src=vol,dst=/x,volume-subpath-create"),
        "option 'volume-subpath-create' requires 'volume-subpath' to be specified in conjunction"
    );
}
