//! The journal of a run: each case as soon as it is done, so that a killed run can still be read.
//!
//! One JSON value a line: first the run, then its cases, in the order in which they ended. Not
//! responsible for `run.json`, which takes its place when the run is over.
//!
//! Invariant: a line is written at once and whole, or the journal says that it cannot be written;
//! whatever ends the run, all lines but the last can be read.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use stateline_core::record::{CaseRecord, RunInfo};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The name of the format.
pub(crate) const SCHEMA: &str = "stateline.journal/1";

/// The first line.
#[derive(Deserialize, Serialize)]
struct Head {
    schema: SmolStr,
    run: RunInfo,
    profiles: Vec<String>,
}

/// A journal being written.
pub(crate) struct Journal<W> {
    out: Mutex<Result<W, io::Error>>,
    path: PathBuf,
}

impl Journal<File> {
    /// Begins the journal of a run in its folder. `profiles` as `--profile` has them.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn begin(folder: &Path, run: &RunInfo, profiles: Vec<String>) -> io::Result<Self> {
        let path = folder.join("journal.jsonl");
        Self::over(File::create(&path)?, path, run, profiles)
    }

    /// The run is over and written elsewhere.
    pub(crate) fn remove(self) {
        // What is left of it does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

impl<W: Write> Journal<W> {
    fn over(out: W, path: PathBuf, run: &RunInfo, profiles: Vec<String>) -> io::Result<Self> {
        let mut out = out;
        let head = Head { schema: SmolStr::new_static(SCHEMA), run: run.clone(), profiles };
        line(&mut out, &head)?;
        Ok(Self { out: Mutex::new(Ok(out)), path })
    }

    /// Adds a case. False: the journal cannot be written, now or before.
    pub(crate) fn add(&self, case: &CaseRecord) -> bool {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(file) = &mut *out
            && let Err(error) = line(file, case)
        {
            *out = Err(error);
        }
        out.is_ok()
    }

    /// Why it cannot be written, as the end of "cannot write …: ".
    pub(crate) fn failure(&self) -> Option<String> {
        let out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.as_ref().err().map(|error| format!("{}: {error}", self.path.display()))
    }
}

/// One write for each line, so that a killed run leaves whole ones.
fn line(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// What a journal says.
pub(crate) struct Read {
    /// The run.
    pub(crate) run: RunInfo,
    /// Its profiles, as `--profile` has them.
    pub(crate) profiles: Vec<String>,
    /// The cases that ended.
    pub(crate) cases: Vec<CaseRecord>,
}

/// Reads a journal; a last line that is not whole is left out.
///
/// # Errors
/// A line that is none of a journal.
pub(crate) fn read(text: &str) -> Result<Read, String> {
    let mut lines = text.split_inclusive('\n').enumerate();
    let (_, head) = lines.next().ok_or("it is empty")?;
    let Head { run, profiles, .. } = serde_json::from_str(head)
        .map_err(|error| format!("its first line is none of a journal: {error}"))?;
    let mut cases = Vec::new();
    for (at, line) in lines {
        match serde_json::from_str(line) {
            Ok(case) => cases.push(case),
            Err(_) if !line.ends_with('\n') => {}
            Err(error) => return Err(format!("line {} is no case: {error}", at + 1)),
        }
    }
    Ok(Read { run, profiles, cases })
}

/// Whether a text is a journal.
pub(crate) fn is_journal(text: &str) -> bool {
    let head = text.lines().next().unwrap_or_default();
    head.contains(SCHEMA) && head.trim_start().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use stateline_core::record::{ClientInfo, RunWall};

    fn run() -> RunInfo {
        let client = ClientInfo {
            name: "client".to_owned(),
            version: String::new(),
            spec: "builtin".to_owned(),
            lacks: Vec::new(),
        };
        RunInfo {
            version: "0".into(),
            client,
            time: "real".into(),
            seed: 1,
            slack_ms: 250,
            strict: false,
            filters: Vec::new(),
            rerun_failed: false,
            repeat: 1,
            suites: Vec::new(),
            max_length_ms: None,
            caps: Default::default(),
            wall: RunWall::default(),
        }
    }

    fn case(n: u32) -> CaseRecord {
        let reason = Some("\u{e4}\n".repeat(5));
        CaseRecord { reason, ..CaseRecord::blank(format!("p/case-{n}").into(), "p".into(), 0) }
    }

    /// A disk that is full after so many bytes.
    struct Disk(Vec<u8>, usize);

    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.1 - self.0.len());
            if n == 0 && !bytes.is_empty() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Writes three cases to such a disk: what is on it, how many cases it took, and whether that was
    /// told.
    fn written(room: usize) -> (Vec<u8>, Option<usize>, bool) {
        let mut disk = Disk(Vec::new(), room);
        let journal = Journal::over(&mut disk, PathBuf::from("j"), &run(), vec!["p".to_owned()]);
        let Ok(journal) = journal else { return (disk.0, None, true) };
        let added = (0..3).filter(|n| journal.add(&case(*n))).count();
        let told = journal.failure().is_some_and(|why| why.starts_with("j: "));
        drop(journal);
        (disk.0, Some(added), told)
    }

    #[test]
    fn a_disk_that_is_full_at_any_byte_is_told_and_leaves_whole_lines() {
        let (whole, added, told) = written(usize::MAX);
        assert_eq!((added, told), (Some(3), false));
        for room in 0..whole.len() {
            let (bytes, added, told) = written(room);
            assert_eq!(bytes, whole[..room]);
            assert!(told, "{room}");
            let Some(added) = added else { continue };
            let text = String::from_utf8_lossy(&bytes);
            assert!(is_journal(&text));
            let read = read(&text).unwrap();
            let ids: Vec<_> = read.cases.iter().map(|case| case.id.to_string()).collect();
            // A last line without its end may be whole, too.
            let expected: Vec<_> = (0..ids.len()).map(|n| format!("p/case-{n}")).collect();
            assert_eq!(ids, expected);
            assert!(ids.len() == added || ids.len() == added + 1, "{room}: {added} {ids:?}");
            assert_eq!(read.run, run());
        }
    }
}
