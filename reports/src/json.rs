//! `run.json`: one line a case, one line an event, in an order that never changes.
//!
//! Not responsible for files or for reading: `serde_json::from_reader` reads a
//! [`RunRecord`] back.
//!
//! Invariant: what is written reads back as an equal record, whether it was written at once or
//! case by case, and only one case is in memory as text at any time.

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use stateline_core::record::{CaseRecord, RunRecord};
use std::io::{self, Write};

/// Writes a whole record.
///
/// # Errors
/// Those of `out`.
pub fn write(record: &RunRecord, out: impl Write) -> io::Result<()> {
    let mut writer = Writer::begin(record, out)?;
    for case in &record.cases {
        writer.case(case)?;
    }
    writer.finish().map(drop)
}

/// Writes a record whose cases come one at a time, from a journal for instance.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    first: bool,
}

impl<W: Write> Writer<W> {
    /// Writes everything but the cases; those in `head` are not looked at.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(head: &RunRecord, mut out: W) -> io::Result<Self> {
        // Named one by one, so that a new field of the record is an error here and not left out.
        let RunRecord { schema, interrupted, run, profiles, totals, cases: _, coverage, known } =
            head;
        out.write_all(b"{\n\"schema\":")?;
        line(&mut out, schema)?;
        write!(out, ",\n\"interrupted\":{interrupted},\n\"run\":")?;
        line(&mut out, run)?;
        out.write_all(b",\n\"profiles\":[")?;
        list(&mut out, profiles, lines)?;
        out.write_all(b"],\n\"totals\":")?;
        line(&mut out, totals)?;
        out.write_all(b",\n\"coverage\":[")?;
        list(&mut out, coverage, line)?;
        out.write_all(b"]")?;
        if let Some(known) = known {
            out.write_all(b",\n\"known\":")?;
            line(&mut out, known)?;
        }
        out.write_all(b",\n\"cases\":[")?;
        Ok(Self { out, first: true })
    }

    /// Writes one case.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn case(&mut self, case: &CaseRecord) -> io::Result<()> {
        self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        lines(&mut self.out, case)
    }

    /// Ends the record and hands the sink back.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]\n}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn list<W: Write, T>(
    out: &mut W,
    items: &[T],
    write: fn(&mut W, &T) -> io::Result<()>,
) -> io::Result<()> {
    for (n, item) in items.iter().enumerate() {
        out.write_all(if n == 0 { b"\n" } else { b",\n" })?;
        write(out, item)?;
    }
    out.write_all(b"\n")
}

fn line<W: Write, T: Serialize>(out: &mut W, value: &T) -> io::Result<()> {
    serde_json::to_writer(out, value).map_err(io::Error::from)
}

fn lines<W: Write, T: Serialize>(out: &mut W, value: &T) -> io::Result<()> {
    value
        .serialize(&mut Serializer::with_formatter(out, ElementLines { depth: 0, empty: true }))
        .map_err(io::Error::from)
}

/// Compact, but each element of a list that is a field of the outermost object has its own line.
struct ElementLines {
    depth: u32,
    empty: bool,
}

impl ElementLines {
    const LISTS: u32 = 2;
}

impl Formatter for ElementLines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.empty = true;
        out.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        let breaks = self.depth == Self::LISTS && !self.empty;
        self.depth -= 1;
        self.empty = false;
        out.write_all(if breaks { b"\n]" } else { b"]" })
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.empty = false;
        out.write_all(match (self.depth == Self::LISTS, first) {
            (true, true) => b"\n ",
            (true, false) => b",\n ",
            (false, true) => b"",
            (false, false) => b",",
        })
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        out.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth -= 1;
        out.write_all(b"}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    fn written(record: &RunRecord) -> String {
        let mut out = Vec::new();
        write(record, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_reads_back_as_it_was() {
        let record = sample();
        let back: RunRecord = serde_json::from_str(&written(&record)).unwrap();
        assert_eq!(back, record);
    }

    #[test]
    fn an_empty_record_is_json_too() {
        let mut record = sample();
        record.cases.clear();
        record.profiles.clear();
        record.coverage.clear();
        assert_eq!(serde_json::from_str::<RunRecord>(&written(&record)).unwrap(), record);
    }

    #[test]
    fn each_event_has_a_line_of_its_own() {
        let record = sample();
        let events: usize = record.cases.iter().map(|case| case.trace.len()).sum();
        let text = written(&record);
        assert_eq!(text.lines().filter(|line| line.starts_with(" {\"n\":")).count(), events);
        assert_eq!(
            text.lines().filter(|line| line.starts_with("{\"id\":\"sample-rtm/")).count(),
            record.cases.len()
        );
    }

    #[test]
    fn case_by_case_is_the_same_text() {
        let record = sample();
        let mut head = record.clone();
        head.cases.clear();
        let mut writer = Writer::begin(&head, Vec::new()).unwrap();
        for case in &record.cases {
            writer.case(case).unwrap();
        }
        assert_eq!(String::from_utf8(writer.finish().unwrap()).unwrap(), written(&record));
    }
}
