//! JSON Schemas of the files, for editors.
//!
//! They help while typing; what is right and wrong is decided by the readers, which say more. Not
//! responsible for names that only the profile knows.
//!
//! Invariant: what the readers accept, the schemas accept.

/// A schema with the name of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Such as `profile.schema.json`.
    pub file: &'static str,
    /// JSON Schema, draft 2020-12.
    pub text: &'static str,
}

/// Of `profile.yaml`.
pub const PROFILE: Schema =
    Schema { file: "profile.schema.json", text: include_str!("../schemas/profile.schema.json") };
/// Of `requirements.yaml`.
pub const REQUIREMENTS: Schema = Schema {
    file: "requirements.schema.json",
    text: include_str!("../schemas/requirements.schema.json"),
};
/// Of `conflicts.yaml`.
pub const CONFLICTS: Schema = Schema {
    file: "conflicts.schema.json",
    text: include_str!("../schemas/conflicts.schema.json"),
};
/// Of a scenario.
pub const SCENARIO: Schema =
    Schema { file: "scenario.schema.json", text: include_str!("../schemas/scenario.schema.json") };
/// Of `wire.yaml`.
pub const WIRE: Schema =
    Schema { file: "wire.schema.json", text: include_str!("../schemas/wire.schema.json") };

/// All of them.
pub const ALL: [Schema; 5] = [CONFLICTS, PROFILE, REQUIREMENTS, SCENARIO, WIRE];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Sink, Source};
    use crate::{node, reader};
    use std::path::{Path, PathBuf};

    /// The files under a folder that `load` reads, with the schema of each.
    fn files(folder: &Path, found: &mut Vec<(PathBuf, Schema)>) {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                files(&path, found);
                continue;
            }
            let schema = match path.file_name().and_then(|name| name.to_str()) {
                Some("profile.yaml") => PROFILE,
                Some("requirements.yaml") => REQUIREMENTS,
                Some("conflicts.yaml") => CONFLICTS,
                Some("wire.yaml") => WIRE,
                Some(name) if name.ends_with(".yaml") => SCENARIO,
                _ => continue,
            };
            found.push((path, schema));
        }
    }

    #[test]
    fn our_files_are_valid() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut found = Vec::new();
        files(&root.join("scenarios"), &mut found);
        files(&root.join("fixtures/malformed/base"), &mut found);
        for (path, schema) in found {
            let mut sink = Sink::new(Source::new(
                path.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            ));
            let node = node::parse_one_with_holes(&mut sink);
            // What can't be read at all is told by another test.
            let Some(node) = node else { continue };
            let schema: serde_json::Value = serde_json::from_str(schema.text).unwrap();
            let validator = jsonschema::validator_for(&schema).unwrap();
            let told: Vec<String> = validator
                .iter_errors(&reader::json(&node))
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(told.is_empty(), "{}:\n{}", path.display(), told.join("\n"));
        }
    }

    #[test]
    fn a_schema_refuses_what_a_reader_refuses() {
        let schema: serde_json::Value = serde_json::from_str(SCENARIO.text).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let step = |step: serde_json::Value| serde_json::json!({ "id": "a", "purpose": "b", "requirements": [], "body": [step] });
        assert!(validator.is_valid(&step(serde_json::json!({ "wait": "1s", "when": "a = b" }))));
        assert!(!validator.is_valid(&step(serde_json::json!({ "wiat": "1s" }))));
        assert!(
            !validator
                .is_valid(&step(serde_json::json!({ "wait": "1s", "call": { "alice": "login" } })))
        );
        assert!(!validator.is_valid(&serde_json::json!({ "id": "a" })));
    }
}
