//! Writes what a run leaves behind: `run.json`, `report.html` and `junit.xml`.
//!
//! Not responsible for their content. Probed before the first case, so that a long run does not
//! end in vain.
//!
//! Invariant: a file is written beside its place and then moved there, so nobody reads half of one.

use stateline_core::record::RunRecord;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A folder that can be written to.
#[derive(Debug)]
pub(crate) struct OutFolder(PathBuf);

/// Why something cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}")]
pub(crate) struct WriteError {
    path: String,
    source: io::Error,
}

impl OutFolder {
    /// Makes the folder and tries to write into it.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn probe(path: &Path) -> Result<Self, WriteError> {
        let failed = |source| WriteError { path: path.display().to_string(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let probe = path.join(".stateline-probe");
        fs::write(&probe, b"probe").and_then(|()| fs::remove_file(&probe)).map_err(failed)?;
        Ok(Self(path.to_owned()))
    }

    /// Writes the record, which everything else can be made of, and its reports.
    ///
    /// # Errors
    /// The file that could not be written.
    pub(crate) fn write(&self, record: &RunRecord) -> Result<(), WriteError> {
        self.file("run.json", |out| stateline_reports::json::write(record, out))?;
        let html =
            stateline_reports::html::render(record, &stateline_reports::html::Options::default());
        self.file("report.html", |out| out.write_all(html.as_bytes()))?;
        let junit = stateline_reports::junit::render(record);
        self.file("junit.xml", |out| out.write_all(junit.as_bytes()))
    }

    fn file(
        &self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), WriteError> {
        replace(&self.0.join(name), write)
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

/// Writes a file, or leaves it as it was.
///
/// # Errors
/// When that fails.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), WriteError> {
    // What a link leads to is replaced, not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.part"));
    let written = File::create(&beside).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.and_then(|()| fs::rename(&beside, &path)).map_err(|source| {
        // Half a file is of no use, and on a full disk its room is.
        let _ = fs::remove_file(&beside);
        WriteError { path: path.display().to_string(), source }
    })
}
