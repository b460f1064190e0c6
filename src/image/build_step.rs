//! `BuildStep`: how a build made an image, which is what its cache finds it by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ident::Digest;

/// Everything that decided what a step of a build made. Two equal ones make the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuildStep {
    /// The image that it began with; none for the first step on nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Digest>,
    /// The instruction and its words, variables replaced.
    pub instruction: Vec<String>,
    /// Build arguments that a command saw.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
    /// The listing of the files that were copied: a blob, kept as long as the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Digest>,
    /// `SOURCE_DATE_EPOCH`: no time is later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
}
