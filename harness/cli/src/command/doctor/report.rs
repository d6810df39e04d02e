//! The doctor's report, for people and for programs.
//!
//! Not responsible for what is found.
//!
//! Invariant: a text fits into 80 columns, and shows nothing of an adapter's that is not printable.

use super::finding::{Check, Finding, Status};
use super::times::Times;
use crate::command::layout::{count, width};
use serde_json::{Value, json};
use stateline_client::protocol::{Hello, TimeMode};
use stateline_reports::text::visible;
use textwrap::{WordSeparator, WordSplitter};

/// No wider than this, however wide the terminal is: sentences are read, not scanned.
const WIDEST: usize = 80;
/// Where the text behind a label begins.
const LABELLED: usize = 14;

/// Everything that the doctor has to say.
pub(super) struct Report {
    /// The adapter's command line.
    pub(super) command: String,
    /// Who it said it was.
    pub(super) hello: Option<Hello>,
    /// The profile that clients were opened for.
    pub(super) profile: Option<String>,
    /// The checks, group by group.
    pub(super) checks: Vec<Check>,
    /// Checks that could not be decided, because of what others found.
    pub(super) skipped: Vec<(&'static str, &'static str)>,
    /// How fast it is.
    pub(super) times: Times,
}

impl Report {
    /// How many checks ended like this.
    #[must_use]
    pub(super) fn n(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// For programs.
    #[must_use]
    pub(super) fn json(&self) -> Value {
        let hello = self.hello.as_ref();
        let texts = |list: &dyn Fn(&Hello) -> Vec<String>| hello.map(list);
        let time = |mode: &TimeMode| match mode {
            TimeMode::Lockstep => "lockstep".to_owned(),
            TimeMode::Real => "real".to_owned(),
        };
        let own = |list: &[smol_str::SmolStr]| list.iter().map(ToString::to_string).collect();
        let checks: Vec<Value> = self.checks.iter().map(check_json).collect();
        let skipped: Vec<Value> = self
            .skipped
            .iter()
            .map(|(group, name)| json!({ "group": group, "name": name }))
            .collect();
        json!({
            "adapter": {
                "command": self.command,
                "client": hello.map(|hello| json!({
                    "name": hello.client.name,
                    "version": hello.client.version,
                })),
                "profile": self.profile,
                "profiles": texts(&|hello| own(&hello.profiles)),
                "time": texts(&|hello| hello.time.iter().map(time).collect()),
                "clients": hello.map(|hello| hello.clients),
                "reuse": hello.map(|hello| hello.reuse),
                "capabilities": texts(&|hello| own(&hello.capabilities)),
                "unsupported": texts(&|hello| own(&hello.unsupported)),
            },
            "checks": checks,
            "skipped": skipped,
            "times": { "wall": self.times.json() },
        })
    }

    /// For people.
    #[must_use]
    pub(super) fn text(&self) -> String {
        let mut page = Sheet { out: String::new(), width: width().min(WIDEST) };
        self.head(&mut page);
        let mut group = "";
        for check in &self.checks {
            if check.group != group {
                group = check.group;
                page.gap();
                page.line("", group);
            }
            page.check(check);
        }
        if !self.skipped.is_empty() {
            let names: Vec<&str> = self.skipped.iter().map(|(_, name)| *name).collect();
            page.gap();
            page.line(
                "- ",
                &format!("not decided, because of what was found: {}", names.join(", ")),
            );
        }
        let times = self.times.text();
        if !times.is_empty() {
            page.gap();
            page.line("", "times (never judged)");
            for line in times {
                page.line("  ", &line);
            }
        }
        page.gap();
        page.line("", &self.summary());
        page.out
    }

    fn head(&self, page: &mut Sheet) {
        if let Some(hello) = &self.hello {
            let name = format!("{} {}", hello.client.name, hello.client.version);
            page.line("", &visible(name.trim(), &[]));
        }
        page.line("", &visible(&self.command, &[]));
        if let Some(hello) = &self.hello {
            let mut said = Vec::new();
            said.extend(self.profile.clone());
            said.push(format!("{} at once", count(hello.clients as usize, "client")));
            let reuse = if hello.reuse { "for many cases" } else { "for one case" };
            said.push(format!("a process {reuse}"));
            if !hello.unsupported.is_empty() {
                said.push(format!("without {}", hello.unsupported.join(", ")));
            }
            page.line("", &visible(&said.join(" · "), &[]));
        }
    }

    fn summary(&self) -> String {
        let made = count(self.checks.len(), "check");
        let advice = match self.n(Status::Advice) {
            0 => String::new(),
            n => format!(", {n} with advice"),
        };
        match self.n(Status::Fault) {
            0 => format!("✓ {made}, no fault{advice}"),
            n => format!("✗ {made}, {}{advice}", count(n, "fault")),
        }
    }
}

fn check_json(check: &Check) -> Value {
    let status = match check.status {
        Status::Ok => "ok",
        Status::Fault => "fault",
        Status::Advice => "advice",
    };
    let finding = check.finding.as_ref();
    json!({
        "group": check.group,
        "name": check.name,
        "status": status,
        "says": check.says,
        "detail": finding.map_or(&check.note, |finding| &finding.what),
        "sent": finding.and_then(|finding| finding.sent.as_ref()),
        "came": finding.and_then(|finding| finding.came.as_ref()),
        "stderr": finding.and_then(|finding| finding.stderr.as_ref()),
        "help": finding.map(|finding| &finding.help),
    })
}

/// Lines that are no longer than the page is wide.
struct Sheet {
    out: String,
    width: usize,
}

impl Sheet {
    fn check(&mut self, check: &Check) {
        let mark = match check.status {
            Status::Ok => "✓",
            Status::Fault => "✗",
            Status::Advice => "!",
        };
        let note = if check.note.is_empty() { String::new() } else { format!(": {}", check.note) };
        self.line(&format!("  {mark} "), &format!("{}{note}", check.says));
        if let Some(finding) = &check.finding {
            self.finding(finding);
        }
    }

    fn finding(&mut self, finding: &Finding) {
        self.labelled("found", &visible(&finding.what, &[]));
        for (label, text) in [("sent", &finding.sent), ("came", &finding.came)] {
            if let Some(text) = text {
                self.labelled(label, text);
            }
        }
        for (at, line) in finding.stderr.iter().flat_map(|text| text.lines()).enumerate() {
            self.labelled(if at == 0 { "stderr" } else { "" }, line);
        }
        self.labelled("do", &finding.help);
    }

    fn labelled(&mut self, label: &str, text: &str) {
        self.line(&format!("      {label:<width$}", width = LABELLED - 6), text);
    }

    /// A paragraph behind its first words.
    fn line(&mut self, lead: &str, text: &str) {
        let indent = " ".repeat(lead.chars().count());
        let options = textwrap::Options::new(self.width)
            .initial_indent(lead)
            .subsequent_indent(&indent)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in textwrap::wrap(text, options) {
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
    }

    fn gap(&mut self) {
        self.out.push('\n');
    }
}
