//! The words that every report shares: marks, times, counts, commands.
//!
//! Not responsible for layout or for escaping towards a format; only for text that is safe to
//! look at.
//!
//! Invariant: no verdict is told by colour alone. Each has a glyph and a word, and they are the
//! same in every report.

use smol_str::SmolStr;
use stateline_core::record::{
    CaseRecord, ClientInfo, CoverageStatus, KnownFailures, RunRecord, Standing, Verdict,
};
use stateline_core::time::Micros;
use stateline_core::trace::{Event, Plane};
use std::fmt::Write;

/// How an outcome is shown wherever it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// One character, told apart by its shape.
    pub glyph: &'static str,
    /// The word that stands beside it.
    pub word: &'static str,
    /// The family that it is coloured by: `good`, `bad`, `warn`, `doubt`, `note`, `mute`.
    pub tone: &'static str,
}

impl Mark {
    const fn new(glyph: &'static str, word: &'static str, tone: &'static str) -> Self {
        Self { glyph, word, tone }
    }

    /// Satisfied.
    pub const PASS: Self = Self::new("✓", "PASS", "good");
    /// Violated.
    pub const FAIL: Self = Self::new("✗", "FAIL", "bad");
    /// Not decided.
    pub const INCONCLUSIVE: Self = Self::new("?", "INCONCLUSIVE", "doubt");
    /// The harness or the adapter failed.
    pub const ERROR: Self = Self::new("!", "ERROR", "doubt");
    /// Does not apply to this client.
    pub const NOT_APPLICABLE: Self = Self::new("–", "not applicable", "mute");
    /// Was not reached.
    pub const NOT_RUN: Self = Self::new("–", "not run", "mute");
    /// A breach that only warns.
    pub const WARNING: Self = Self::new("▲", "warning", "warn");
    /// What a client chose where the document leaves it open.
    pub const CHOICE: Self = Self::new("◆", "recorded", "note");
    /// A failure that is expected.
    pub const KNOWN: Self = Self::new("≈", "known failure", "warn");

    /// The mark of a verdict.
    #[must_use]
    pub const fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::PASS,
            Verdict::Inconclusive => Self::INCONCLUSIVE,
            Verdict::Fail => Self::FAIL,
            Verdict::Error => Self::ERROR,
        }
    }

    /// The mark of a case, whether it has a verdict or not.
    #[must_use]
    pub fn of_case(case: &CaseRecord) -> Self {
        match case.verdict {
            Some(verdict) => Self::of_verdict(verdict),
            None if case.not_applicable.is_some() => Self::NOT_APPLICABLE,
            None => Self::NOT_RUN,
        }
    }

    /// The mark of what a run says about a requirement.
    #[must_use]
    pub const fn of_coverage(status: CoverageStatus) -> Self {
        match status {
            CoverageStatus::NotTestable => Self::new("–", "not testable", "mute"),
            CoverageStatus::Recorded => Self::CHOICE,
            CoverageStatus::Satisfied => Self::new("✓", "satisfied", "good"),
            CoverageStatus::Undetermined => Self::new("?", "undetermined", "doubt"),
            CoverageStatus::Unexercised => Self::new("○", "unexercised", "mute"),
            CoverageStatus::Violated => Self::new("✗", "violated", "bad"),
            CoverageStatus::Warned => Self::new("▲", "warned", "warn"),
        }
    }
}

/// The coverage statuses in the order in which every report lists them.
pub const STATUSES: [CoverageStatus; 7] = [
    CoverageStatus::Satisfied,
    CoverageStatus::Violated,
    CoverageStatus::Warned,
    CoverageStatus::Recorded,
    CoverageStatus::Undetermined,
    CoverageStatus::Unexercised,
    CoverageStatus::NotTestable,
];

/// `1 case`, `2 cases`: for nouns that take an s.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// [`count`] for the counts of a record.
#[must_use]
pub fn count_of(n: u64, noun: &str) -> String {
    count(usize::try_from(n).unwrap_or(usize::MAX), noun)
}

/// What the list of known failures came to: `3 known failures, 1 stale entry`.
#[must_use]
pub fn known_failures(n: u64, known: &KnownFailures) -> String {
    let standings = [Standing::Stale, Standing::Expired, Standing::Unmatched, Standing::Undecided];
    let entries = standings.into_iter().filter_map(|standing| match known.n(standing) {
        0 => None,
        1 => Some(format!("1 {} entry", standing.as_str())),
        n => Some(format!("{n} {} entries", standing.as_str())),
    });
    let parts = std::iter::once(count_of(n, "known failure")).chain(entries);
    parts.collect::<Vec<_>>().join(", ")
}

/// A client as it calls itself.
#[must_use]
pub fn name_and_version(client: &ClientInfo) -> String {
    format!("{} {}", client.name, client.version).trim().to_owned()
}

/// How long a run took.
#[must_use]
pub fn wall_time(record: &RunRecord) -> String {
    #[expect(clippy::cast_precision_loss, reason = "no run lasts 2^53 ms")]
    let ms = record.run.wall.ms as f64;
    duration(ms)
}

/// A length of time as a person says it: `850 ms`, `42 s`, `1 min 12 s`, `2 h 5 min`.
#[must_use]
pub fn duration(ms: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-int cast saturates, and the sign is clamped"
    )]
    let ms = ms.max(0.0).round() as u64;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => {
            let s = ms / 1_000;
            let (whole, unit, rest, part) = match s {
                0..60 => return format!("{s} s"),
                60..3_600 => (s / 60, "min", s % 60, "s"),
                _ => (s / 3_600, "h", s % 3_600 / 60, "min"),
            };
            if rest == 0 {
                format!("{whole} {unit}")
            } else {
                format!("{whole} {unit} {rest} {part}")
            }
        }
    }
}

/// An instant of a case in seconds, with milliseconds always and microseconds where there are any:
/// documented times are probed closer than a millisecond.
#[must_use]
pub fn instant(at: Micros) -> String {
    let (s, us) = (at.0 / 1_000_000, at.0 % 1_000_000);
    if us % 1_000 == 0 { format!("{s}.{:03} s", us / 1_000) } else { format!("{s}.{us:06} s") }
}

/// Whether a character would change how its neighbours are read without being seen itself:
/// control characters, bidirectional overrides, invisible ones.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Shows control characters, bidirectional overrides and invisible characters as `\u{…}`, but for
/// those in `keep`.
#[must_use]
pub fn visible(text: &str, keep: &[char]) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_deceptive(c) && !keep.contains(&c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// The first `most` characters, and how many were left out: a client can say a megabyte.
#[must_use]
pub fn shorten(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => {
            format!("{}… ({} more characters)", &text[..end], text[end..].chars().count())
        }
    }
}

/// The last lines of what a client wrote to stderr.
pub fn last_lines(stderr: &str, most: usize) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let skip = lines.len().saturating_sub(most);
    lines.into_iter().skip(skip)
}

/// One word for a POSIX shell. Deceptive characters become `$'…'` escapes, so that what is shown
/// is what is run.
#[must_use]
pub fn shell_quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=,+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.chars().any(is_deceptive) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            c if !is_deceptive(c) => quoted.push(c),
            c => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(quoted, "\\{byte:03o}");
                }
            }
        }
    }
    quoted.push('\'');
    quoted
}

/// The command that runs one case again, alone, as it was run.
#[must_use]
pub fn reproduce(record: &RunRecord, case: &CaseRecord) -> String {
    let run = &record.run;
    let mut words = vec!["stateline".to_owned(), "run".to_owned(), format!("'{}'", case.id)];
    if case.id.contains('\'') || case.id.chars().any(is_deceptive) {
        words[2] = shell_quote(&case.id);
    }
    let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), shell_quote(value)]);
    // A case id carries its profile, not the variant that was chosen for it.
    if let Some(profile) = record.profiles.iter().find(|profile| profile.id == case.profile)
        && let Some(variant) = &profile.variant
    {
        flag("--profile", &format!("{}@{variant}", profile.id));
    }
    for folder in &run.suites {
        flag("--suite", folder);
    }
    if !run.client.spec.is_empty() {
        flag("--client", &run.client.spec);
    }
    if run.time != "virtual" {
        flag("--time", &run.time);
    }
    flag("--seed", &run.seed.to_string());
    if case.repeat > 0 {
        // Each repetition draws from a stream of its own, so the earlier ones must be run, too.
        flag("--repeat", &(case.repeat + 1).to_string());
    }
    if run.slack_ms != if run.time == "virtual" { 0 } else { 250 } {
        flag("--slack", &format!("{}ms", run.slack_ms));
    }
    // In virtual time a case that was played is none that is too long.
    if let Some(ms) = run.max_length_ms.filter(|_| run.time != "virtual") {
        flag("--max-length", &Micros::from_ms(ms).to_string());
    }
    for (name, ms) in &run.caps {
        flag("--cap", &format!("{name}={}", Micros::from_ms(*ms)));
    }
    if run.strict {
        words.push("--strict".to_owned());
    }
    words.join(" ")
}

/// How a case is named where several repetitions of it stand side by side.
#[must_use]
pub fn case_name(case: &CaseRecord) -> String {
    match case.repeat {
        0 => case.id.to_string(),
        n => format!("{} (repetition {})", case.id, n + 1),
    }
}

/// The plane of an event as a word.
#[must_use]
pub const fn plane(plane: Plane) -> &'static str {
    match plane {
        Plane::Control => "control",
        Plane::Wire => "wire",
        Plane::Network => "network",
        Plane::Server => "server",
        Plane::Harness => "harness",
    }
}

/// What an event is, in a few words: `state reconnecting`, `call login`, `→ ping`, `link down`.
#[must_use]
pub fn event_head(event: &Event) -> String {
    let field = |name| shorten(event.data.text(name).unwrap_or(""), 160);
    match (event.plane, event.kind.as_str()) {
        (Plane::Control, "state") => format!("state {}", field("state")),
        (Plane::Control, "call" | "result") => format!("{} {}", event.kind, field("op")),
        (Plane::Control, "event") => format!("event {}", field("event")),
        (Plane::Wire, _) if field("dir") == "sent" => format!("→ {}", field("message")),
        (Plane::Wire, _) => format!("← {}", field("message")),
        (Plane::Network, "attempt") => "dial".to_owned(),
        (Plane::Network, "failed") => "dial failed".to_owned(),
        (Plane::Network, kind) => format!("link {kind}"),
        (Plane::Server | Plane::Harness | Plane::Control, kind) => kind.to_owned(),
    }
}

/// The fields of an event that [`event_head`] has not told, as `name value`.
#[must_use]
pub fn event_fields(event: &Event) -> Vec<(SmolStr, String)> {
    let told: &[&str] = match event.plane {
        Plane::Control => &["state", "op", "event"],
        Plane::Wire => &["dir", "message"],
        Plane::Network | Plane::Server | Plane::Harness => &[],
    };
    let rest = event.data.iter().filter(|(name, _)| !told.contains(&name.as_str()));
    rest.map(|(name, value)| (name.clone(), shorten(&value.to_string(), 160))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    #[test]
    fn times_are_told_in_words() {
        let told = [0.4, 850.0, 4_000.0, 9_960.0, 42_000.0, 72_000.0, 120_000.0, 7_500_000.0]
            .map(duration);
        assert_eq!(
            told,
            ["0 ms", "850 ms", "4.0 s", "9.9 s", "42 s", "1 min 12 s", "2 min", "2 h 5 min"]
        );
        assert_eq!(instant(Micros::from_secs(6)), "6.000 s");
        assert_eq!(instant(Micros(3_999_999)), "3.999999 s");
    }

    #[test]
    fn one_word_of_a_shell_stays_one_word() {
        for (word, quoted) in [
            ("", "''"),
            ("builtin:no-ping", "builtin:no-ping"),
            ("python3 my_adapter.py", "'python3 my_adapter.py'"),
            ("it's", r"'it'\''s'"),
            ("$(rm -rf /)", "'$(rm -rf /)'"),
            ("a\nb'\u{202e}", r"$'a\012b\'\342\200\256'"),
        ] {
            assert_eq!(shell_quote(word), quoted, "{word:?}");
        }
    }

    #[test]
    fn a_command_says_all_that_the_case_hangs_on() {
        let mut record = sample();
        let mut case = record.cases[0].clone();
        case.id = "p/drop[kind=reset]".into();
        record.run.client.spec = "node adapter.js --v 2".into();
        assert_eq!(
            reproduce(&record, &case),
            "stateline run 'p/drop[kind=reset]' --client 'node adapter.js --v 2' --seed 7"
        );
        case.repeat = 2;
        case.profile = record.profiles[0].id.clone();
        record.profiles[0].variant = Some("web".into());
        record.run.time = "real".into();
        record.run.slack_ms = 400;
        record.run.strict = true;
        record.run.caps.insert("settle".into(), 30_000.0);
        record.run.suites.push("my suite".to_owned());
        record.run.max_length_ms = Some(120_000.0);
        assert_eq!(
            reproduce(&record, &case),
            "stateline run 'p/drop[kind=reset]' --profile sample-rtm@web --suite 'my suite' \
             --client 'node adapter.js --v 2' --time real --seed 7 --repeat 3 --slack 400ms --max-length 120s \
             --cap settle=30s --strict"
        );
    }

    #[test]
    fn nothing_hides_in_a_text() {
        assert_eq!(
            visible("a\u{1b}[31m\u{202e}b\u{200b}\n", &['\n']),
            "a\\u{1b}[31m\\u{202e}b\\u{200b}\n"
        );
        assert_eq!(shorten("äöü", 2), "äö… (1 more characters)");
        assert_eq!(shorten("äöü", 3), "äöü");
    }
}
