//! Finds a file of ours in the working folder, or above it.
//!
//! Not responsible for reading it.
//!
//! Invariant: no folder above the one that holds `.git` is looked at.

use std::path::{Path, PathBuf};

/// The nearest file with this name, as a path from the working folder.
#[must_use]
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    find_from(&std::env::current_dir().ok()?, name)
}

fn find_from(start: &Path, name: &str) -> Option<PathBuf> {
    let mut way = PathBuf::new();
    for folder in start.ancestors() {
        if folder.join(name).is_file() {
            return Some(way.join(name));
        }
        if folder.join(".git").exists() {
            return None;
        }
        way.push("..");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_file_is_found_and_none_above_the_repository() {
        let top = tempfile::TempDir::new().unwrap();
        let deep = top.path().join("repository/one/two");
        fs::create_dir_all(&deep).unwrap();
        let name = "a-name-that-nobody-uses.toml";
        assert_eq!(find_from(&deep, name), None);
        fs::write(top.path().join(name), "").unwrap();
        assert_eq!(find_from(&deep, name), Some(Path::new("../../..").join(name)));
        fs::create_dir(top.path().join("repository/.git")).unwrap();
        assert_eq!(find_from(&deep, name), None);
        fs::write(top.path().join("repository").join(name), "").unwrap();
        assert_eq!(find_from(&deep, name), Some(Path::new("../..").join(name)));
        fs::write(deep.join(name), "").unwrap();
        assert_eq!(find_from(&deep, name), Some(name.into()));
        // A folder of that name is no file.
        fs::create_dir(top.path().join("repository/one").join(name)).unwrap();
        fs::remove_file(deep.join(name)).unwrap();
        assert_eq!(find_from(&deep, name), Some(Path::new("../..").join(name)));
    }
}
