//! Values as Go's templates see them.

use std::rc::Rc;

use serde_json::{Map, Number, Value as Json};

use super::row::Row;

/// How an object is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// As Docker's structs: their fields are fixed.
    Typed,
    /// As what the JSON says: objects are maps, numbers are texts.
    Plain,
}

/// A value; cheap to copy.
#[derive(Debug, Clone)]
pub(super) enum Value<'d> {
    /// There is none: a key that a map lacks.
    Absent,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// A number of the plain view.
    Number(Rc<str>),
    Text(Rc<str>),
    List(Rc<[Value<'d>]>),
    /// A list of the typed view that was never made.
    NilList,
    Object(Object<'d>),
    /// A map of the typed view that was never made.
    NilMap,
    Row(&'d Row),
}

/// A JSON object and how it is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'d> {
    pub(super) map: &'d Map<String, Json>,
    pub(super) view: View,
    /// A map by its nature: it may lack any key.
    pub(super) is_map: bool,
    /// Of which field it is the value, or one of the values.
    field: &'d str,
}

/// Fields that are maps in Docker's structs, not structs.
const MAPS: [&str; 13] = [
    "Annotations",
    "Data",
    "ExposedPorts",
    "Labels",
    "Networks",
    "Options",
    "PortBindings",
    "Ports",
    "Runtimes",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// Fields that are lists; an absent one is printed as an empty one.
const LISTS: [&str; 18] = [
    "Args",
    "Binds",
    "CapAdd",
    "CapDrop",
    "Cmd",
    "Devices",
    "Dns",
    "Entrypoint",
    "Env",
    "ExecIDs",
    "GroupAdd",
    "Layers",
    "Mounts",
    "OnBuild",
    "RepoDigests",
    "RepoTags",
    "SecurityOpt",
    "Shell",
];

/// Fields that Docker's structs have and that its JSON leaves out where there is nothing: whose
/// they are, their names, and whether they are texts.
const OPTIONAL: [(&str, &str, bool); 3] = [
    ("State", "Health", false),
    ("Mounts", "Name", true),
    ("Mounts", "Driver", true),
];

impl<'d> Value<'d> {
    /// The value of a field.
    pub(super) fn of(json: &'d Json, field: &'d str, view: View) -> Self {
        let typed = view == View::Typed;
        match json {
            Json::Null if !typed => Self::Absent,
            Json::Null if MAPS.contains(&field) => Self::NilMap,
            Json::Null if LISTS.contains(&field) => Self::NilList,
            Json::Null => Self::Nil,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) if typed => number
                .as_i64()
                .map_or_else(|| Self::Float(number.as_f64().unwrap_or(0.0)), Self::Int),
            Json::Number(number) => Self::Number(number.to_string().into()),
            Json::String(text) => Self::Text(text.as_str().into()),
            Json::Array(list) => {
                let field_of = |one: &Json| if one.is_object() { field } else { "" };
                let items = list.iter().map(|one| Self::of(one, field_of(one), view));
                Self::List(items.collect())
            }
            Json::Object(map) => Self::Object(Object {
                map,
                view,
                is_map: !typed || MAPS.contains(&field),
                field,
            }),
        }
    }

    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A text's own.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self {
            return Some(text);
        }
        None
    }

    /// An integer's own.
    pub(super) fn as_int(&self) -> Option<i64> {
        if let Self::Int(number) = self {
            return Some(*number);
        }
        None
    }

    /// Whether `if` takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Absent | Self::Nil | Self::NilList | Self::NilMap => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Number(text) | Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Object(object) => !object.is_map || !object.map.is_empty(),
            Self::Row(_) => true,
        }
    }

    /// Go's name of its type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Absent | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Number(_) => "json.Number",
            Self::Text(_) => "string",
            Self::List(list) if list.iter().all(|one| matches!(one, Self::Text(_))) => "[]string",
            Self::List(_) => "[]interface {}",
            Self::NilList => "[]string",
            Self::Object(object) if object.view == View::Plain => "map[string]interface {}",
            Self::Object(object) if !object.is_map => "struct",
            Self::Object(_) | Self::NilMap => "map[string]string",
            Self::Row(_) => "row",
        }
    }

    /// The items of anything list-like.
    pub(super) fn items(&self) -> Option<Rc<[Value<'d>]>> {
        match self {
            Self::List(list) => Some(Rc::clone(list)),
            Self::NilList => Some(Rc::new([])),
            Self::Absent
            | Self::Nil
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Number(_)
            | Self::Text(_)
            | Self::Object(_)
            | Self::NilMap
            | Self::Row(_) => None,
        }
    }

    /// As JSON, for the function `json`.
    pub(super) fn to_json(&self) -> Json {
        match self {
            Self::Absent | Self::Nil | Self::NilList | Self::NilMap => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(value) => Json::from(*value),
            Self::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Self::Number(text) => serde_json::from_str(text).unwrap_or(Json::Null),
            Self::Text(text) => Json::from(&**text),
            Self::List(list) => list.iter().map(Self::to_json).collect(),
            Self::Object(object) => Json::Object(object.map.clone()),
            Self::Row(row) => Json::Object(row.fields.clone()),
        }
    }
}

impl<'d> Object<'d> {
    pub(super) fn get(self, key: &str) -> Option<Value<'d>> {
        if let Some((key, found)) = self.map.get_key_value(key) {
            return Some(Value::of(found, key, self.view));
        }
        let mut optional = OPTIONAL.iter().filter(|_| !self.is_map);
        let missing = optional.find(|(field, name, _)| (self.field, key) == (*field, *name));
        missing.map(|(_, _, is_text)| match is_text {
            true => Value::text(""),
            false => Value::Nil,
        })
    }

    /// Keys and values as Go goes through a map, or through a struct's fields.
    pub(super) fn entries(self) -> Vec<(&'d str, Value<'d>)> {
        let entry = |(key, json): (&'d String, _)| (key.as_str(), Value::of(json, key, self.view));
        let mut entries: Vec<_> = self.map.iter().map(entry).collect();
        if self.is_map {
            entries.sort_by_key(|(key, _)| *key);
        }
        entries
    }
}
