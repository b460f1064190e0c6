//! `-v [SOURCE:]TARGET[:MODE]`.

use std::path::Path;

use super::{
    Access, BindRecursive, BindRequest, Error, IdMap, MissingSource, MountRequest, OverlayRequest,
    Propagation, RequestKind, Upper, VolumeRequest, form_keys, path,
};

/// Parses `-v`; a source that begins with a dot is relative to `cwd`.
pub fn parse_volume_flag(text: &str, cwd: &Path) -> Result<MountRequest, Error> {
    if text.is_empty() {
        return Err(Error::Missing {
            what: "invalid empty volume spec",
        });
    }
    let fields: Vec<&str> = text.split(':').collect();
    if fields.contains(&"") {
        return Err(Error::EmptySection {
            text: text.to_owned(),
        });
    }
    match *fields.as_slice() {
        [target] => Ok(MountRequest {
            target: path::target(target)?,
            access: Access::ReadWrite,
            kind: RequestKind::Volume(VolumeRequest::default()),
            mode: String::new(),
            from_tmpfs_flag: false,
            from_mount_flag: false,
            ignored: Vec::new(),
        }),
        // `/x:ro` is not an anonymous volume with a mode: there is no such thing.
        [source, target] if Mode::parse(target).is_err() => request(source, target, "", cwd),
        [source, target, mode] => request(source, target, mode, cwd),
        _ => Err(Error::Specification {
            text: text.to_owned(),
        }),
    }
}

fn request(source: &str, target: &str, mode: &str, cwd: &Path) -> Result<MountRequest, Error> {
    let parsed = if mode.is_empty() {
        Mode::default()
    } else {
        Mode::parse(mode)?
    };
    let target = path::target(target)?;
    let missing = if parsed.no_create {
        MissingSource::Refuse
    } else {
        MissingSource::Create
    };
    let kind = match path::host(source, cwd) {
        _ if parsed.overlay => RequestKind::Overlay(OverlayRequest {
            lower: parsed.check_overlay(source, cwd)?,
            upper: Upper::Discard,
            missing,
        }),
        Some(_) if parsed.no_copy => {
            return Err(Error::ExtraField {
                field: "VolumeOptions",
            });
        }
        Some(source) => RequestKind::Bind(BindRequest {
            source,
            propagation: parsed.propagation.unwrap_or_default(),
            recursive: BindRecursive::Enabled,
            missing,
            idmap: parsed.idmap.then_some(IdMap::MatchUser { user: None }),
        }),
        None if parsed.propagation.is_some() || parsed.idmap => {
            return Err(Error::ExtraField {
                field: "BindOptions",
            });
        }
        None => RequestKind::Volume(VolumeRequest {
            name: Some(path::volume_name(source)?),
            no_copy: parsed.no_copy,
            no_create: parsed.no_create,
            ..VolumeRequest::default()
        }),
    };
    Ok(MountRequest {
        target,
        access: parsed.access.unwrap_or_default(),
        kind,
        mode: mode.to_owned(),
        from_tmpfs_flag: false,
        from_mount_flag: false,
        ignored: parsed.ignored,
    })
}

/// The third field of `-v`, and the second of `--volumes-from`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of its own")]
pub(super) struct Mode {
    pub(super) access: Option<Access>,
    pub(super) propagation: Option<Propagation>,
    pub(super) no_copy: bool,
    pub(super) no_create: bool,
    overlay: bool,
    idmap: bool,
    /// Words that have no effect here.
    ignored: Vec<String>,
}

impl Mode {
    /// Parses a comma list that holds at most one word of each class.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let mut mode = Self::default();
        // SELinux labels and Docker Desktop's consistency have no effect here.
        let (mut label, mut consistency) = (false, false);
        let ignored =
            |word: &&str| matches!(*word, "z" | "Z" | "consistent" | "cached" | "delegated");
        mode.ignored = text.split(',').filter(ignored).map(str::to_owned).collect();
        for word in text.split(',') {
            let first_of_its_class = match word {
                "rw" => mode.access.replace(Access::ReadWrite).is_none(),
                "ro" => mode.access.replace(Access::ReadOnly).is_none(),
                "z" | "Z" => !std::mem::replace(&mut label, true),
                "nocopy" => !std::mem::replace(&mut mode.no_copy, true),
                "nocreate" => !std::mem::replace(&mut mode.no_create, true),
                "consistent" | "cached" | "delegated" => !std::mem::replace(&mut consistency, true),
                "O" => !std::mem::replace(&mut mode.overlay, true),
                "idmap" => !std::mem::replace(&mut mode.idmap, true),
                "U" => {
                    return Err(Error::Unsupported {
                        what: format!("mode '{word}' of -v"),
                    });
                }
                _ => match word.parse() {
                    Ok(propagation) => mode.propagation.replace(propagation).is_none(),
                    Err(_) => false,
                },
            };
            if !first_of_its_class {
                return Err(Error::Mode {
                    text: text.to_owned(),
                });
            }
        }
        Ok(mode)
    }

    /// Whether this is what `--volumes-from` takes.
    pub(super) fn is_access_only(&self) -> bool {
        let more = self.no_copy || self.no_create || self.overlay || self.idmap;
        self.propagation.is_none() && !more
    }

    /// The lower of `:O`, which is neither a bind nor a volume that is filled.
    fn check_overlay(&self, source: &str, cwd: &Path) -> Result<super::Stored, Error> {
        if self.no_copy {
            return Err(Error::ExtraField {
                field: "VolumeOptions",
            });
        }
        if self.propagation.is_some() || self.idmap {
            return Err(Error::ExtraField {
                field: "BindOptions",
            });
        }
        form_keys::stored(source, cwd)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{ErrorKind, Failure as _};
    use crate::mount::Stored;

    fn parse(text: &str) -> Result<MountRequest, Error> {
        parse_volume_flag(text, Path::new("/home/학생/lab"))
    }

    fn bind(text: &str) -> (MountRequest, BindRequest) {
        let request = parse(text).unwrap();
        let RequestKind::Bind(bind) = request.kind.clone() else {
            panic!("{text}");
        };
        (request, bind)
    }

    fn volume(text: &str) -> (MountRequest, VolumeRequest) {
        let request = parse(text).unwrap();
        let RequestKind::Volume(volume) = request.kind.clone() else {
            panic!("{text}");
        };
        (request, volume)
    }

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn rule_1_one_field_is_an_anonymous_volume() {
        let (request, volume) = volume("/var//lib/");
        assert_eq!(request.target, Path::new("/var/lib"));
        assert_eq!(volume, VolumeRequest::default());
    }

    #[test]
    fn rule_1_more_than_three_fields_are_refused() {
        for text in ["a:b:c:d", "/a:/b:ro:z", "/x:ro", "/x:nocopy,z"] {
            assert_eq!(
                message(text),
                format!("invalid volume specification: '{text}'")
            );
        }
        let hint = parse("a:b:c:d").unwrap_err().hint().unwrap();
        assert!(hint.contains("--mount type=bind"), "{hint}");
    }

    #[test]
    fn rule_1_empty_fields_are_refused() {
        for text in [":/x", "/a:", ":", "a::ro", "/a:/b:"] {
            assert_eq!(
                message(text),
                format!("invalid spec: {text}: empty section between colons")
            );
        }
        assert_eq!(message(""), "invalid empty volume spec");
    }

    #[test]
    fn rule_2_an_absolute_source_is_a_bind() {
        for (text, source) in [
            ("/host:/x", "/host"),
            ("//a/../b/:/x", "/b"),
            ("/:/x", "/"),
            ("/with space/한글,a=b:/x", "/with space/한글,a=b"),
        ] {
            let (request, bind) = bind(text);
            assert_eq!(bind.source, Path::new(source));
            assert_eq!(bind.propagation, Propagation::RPrivate);
            assert_eq!(bind.missing, MissingSource::Create);
            assert_eq!(
                (request.mode.as_str(), request.access),
                ("", Access::ReadWrite)
            );
        }
    }

    #[test]
    fn rule_2_a_source_with_a_leading_dot_is_relative_to_the_working_directory() {
        for (text, source) in [
            ("./src:/x", "/home/학생/lab/src"),
            (".:/x", "/home/학생/lab"),
            ("..:/x", "/home/학생"),
            ("../src/:/x", "/home/학생/src"),
            (".hidden:/x", "/home/학생/lab/.hidden"),
            ("./../../../../..:/x", "/"),
        ] {
            assert_eq!(bind(text).1.source, Path::new(source), "{text}");
        }
    }

    #[test]
    fn rule_3_a_relative_source_with_a_slash_is_refused() {
        for source in ["relative/path", "~/src", "한글", "-v", "_x", "a b"] {
            assert_eq!(
                message(&format!("{source}:/x")),
                format!(
                    "\"{source}\" includes invalid characters for a local volume name, only \
                     \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host \
                     directory, use absolute path"
                )
            );
        }
    }

    #[test]
    fn rule_4_volume_names() {
        let (_, volume) = volume("my-volume_1.x:/x");
        assert_eq!(volume.name.as_deref(), Some("my-volume_1.x"));
        assert_eq!(
            message("v:/x"),
            "volume name is too short, names should be at least two alphanumeric characters"
        );
        assert!(parse(&format!("{}:/x", "v".repeat(256))).is_err());
    }

    #[test]
    fn rule_5_one_word_of_each_mode_class() {
        let (request, bind) = bind("/a:/x:ro,z,rslave,cached,nocreate");
        assert_eq!(request.access, Access::ReadOnly);
        assert_eq!(request.mode, "ro,z,rslave,cached,nocreate");
        assert_eq!(bind.propagation, Propagation::RSlave);
        assert_eq!(bind.missing, MissingSource::Refuse);
        for mode in [
            "ro,rw",
            "ro,ro",
            "z,Z",
            "shared,rslave",
            "nocopy,nocopy",
            "cached,consistent",
            "foo",
            "RO",
            "ro,",
            ",",
            "ro, z",
        ] {
            assert_eq!(
                message(&format!("vol:/x:{mode}")),
                format!("invalid mode: {mode}")
            );
        }
    }

    #[test]
    fn rule_6_propagation_is_for_binds_and_nocopy_for_volumes() {
        assert_eq!(
            message("vol:/x:rshared"),
            "field BindOptions must not be specified"
        );
        assert_eq!(
            message("/a:/x:nocopy"),
            "field VolumeOptions must not be specified"
        );
        assert!(volume("vol:/x:nocopy").1.no_copy);
    }

    #[test]
    fn rule_7_selinux_labels_are_accepted() {
        assert_eq!(volume("vol:/x:z").0.mode, "z");
        assert_eq!(bind("/a:/x:Z").0.mode, "Z");
    }

    #[test]
    fn rule_8_the_target_is_absolute_and_not_the_root() {
        assert_eq!(
            message("/a:/b/.."),
            "invalid specification: destination can't be '/'"
        );
        for text in ["x", "vol:x", "./src"] {
            assert!(message(text).ends_with("mount path must be absolute"));
        }
    }

    #[test]
    fn nocreate_wants_a_volume_that_exists() {
        let (request, volume) = volume("xx:/y:nocreate");
        assert!(volume.no_create);
        assert_eq!(request.mode, "nocreate");
    }

    #[test]
    fn need_26_a_capital_o_is_copy_on_write_over_a_directory_or_a_volume() {
        for (text, lower) in [
            ("./src:/src:O", Stored::Path("/home/학생/lab/src".into())),
            ("vol:/src:O,ro", Stored::Volume("vol".to_owned())),
        ] {
            let RequestKind::Overlay(overlay) = parse(text).unwrap().kind else {
                panic!("{text}");
            };
            assert_eq!(overlay.lower, lower);
            assert_eq!(overlay.upper, Upper::Discard);
            assert_eq!(overlay.missing, MissingSource::Create);
        }
        assert_eq!(message("/a:/x:O,O"), "invalid mode: O,O");
        assert_eq!(
            message("/a:/x:O,rslave"),
            "field BindOptions must not be specified"
        );
        assert_eq!(
            message("vol:/x:O,nocopy"),
            "field VolumeOptions must not be specified"
        );
    }

    #[test]
    fn need_1_idmap_is_for_binds() {
        let idmap = bind("/a:/x:idmap").1.idmap;
        assert_eq!(idmap, Some(IdMap::MatchUser { user: None }));
        assert_eq!(
            message("vol:/x:idmap"),
            "field BindOptions must not be specified"
        );
    }

    #[test]
    fn words_without_effect_are_remembered() {
        assert_eq!(parse("/a:/x:ro,z,cached").unwrap().ignored, ["z", "cached"]);
        assert!(parse("/a:/x:ro,rslave").unwrap().ignored.is_empty());
    }

    #[test]
    fn the_chown_mode_is_not_in_this_version() {
        for mode in ["U", "ro,U"] {
            let error = parse(&format!("/a:/x:{mode}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
        }
        assert_eq!(message("/a:/x:U"), "mode 'U' of -v is not supported yet");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC*|[a/.:~]{0,20}|(/a:)?/x:[a-zO,]{0,12}") {
            if let Ok(request) = parse(&text) {
                prop_assert!(request.target.is_absolute() && request.target != Path::new("/"));
            }
        }
    }
}
