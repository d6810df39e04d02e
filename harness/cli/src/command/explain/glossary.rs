//! The program's own words: exit codes, verdicts and their reasons, judgements, and what a requirement is.
//!
//! Words for what adapters do wrong are read from their page. Not responsible for the words of an SDK.
//!
//! Invariant: each word says what it means, and what to do about it where something can be done.

use super::article::Article;

/// The page of what adapters can do wrong.
const FAULTS: &str = include_str!("../../../../docs/adapter-faults.md");

/// A word of the program's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    /// What kind of word.
    pub(super) kind: &'static str,
    /// The word.
    pub(super) id: &'static str,
    means: &'static str,
    todo: &'static str,
    page: &'static str,
}

const README: &str = "README.md";
const TABLES: &str = "harness/docs/table-language.md";
const SCENARIOS: &str = "harness/docs/scenarios.md";
const REAL_TIME: &str = "harness/docs/real-time.md";
const FAULTS_PAGE: &str = "harness/docs/adapter-faults.md";

const fn word(
    kind: &'static str,
    id: &'static str,
    means: &'static str,
    todo: &'static str,
    page: &'static str,
) -> Word {
    Word { kind, id, means, todo, page }
}

const CONFLICTS: &str =
    "`stateline explain --conflicts` lists them, with how each is judged and why.";

const WORDS: [Word; 39] = [
    word("exit", "0", "All is well.", "", README),
    word(
        "exit",
        "1",
        "At least one case is a FAIL that is no known failure, an entry for known failures no longer fits, or coverage is below --min-coverage. `doctor`: a fault was found. `list cells`: a cell or boundary has no case. `selftest`: a defect was not found, or something else was blamed.",
        "Read the findings, the most important first: `stateline explain finding 1 --run DIR`.",
        README,
    ),
    word(
        "exit",
        "2",
        "Wrong usage, a mistake in a profile or scenario, or output that cannot be written. Nothing was played.",
        "The message says which; `stateline check DIR` tells all mistakes of a folder at once.",
        README,
    ),
    word(
        "exit",
        "3",
        "At least one case is an ERROR, the adapter cannot be started, or a disk was full in the middle of a run. It says nothing about the client.",
        "The case's reason begins with a word that `stateline explain` knows.",
        README,
    ),
    word(
        "exit",
        "4",
        "Nothing to run: no case was selected, or none of those selected applies to this client.",
        "Look at the filter and the nearest ids, or at the reasons why cases do not apply.",
        README,
    ),
    word(
        "exit",
        "5",
        "Nothing was violated, but at least one case is INCONCLUSIVE.",
        "The case's reason begins with a word that `stateline explain` knows.",
        README,
    ),
    word(
        "exit",
        "130",
        "The run was interrupted with Ctrl-C or SIGINT. Finished cases are in the report.",
        "Run again; what was not run counts apart.",
        README,
    ),
    word(
        "verdict",
        "PASS",
        "Everything that the case names was decided, and nothing was violated.",
        "",
        README,
    ),
    word(
        "verdict",
        "INCONCLUSIVE",
        "Nothing was violated, but something that the case names was not decided, or its script waited in vain.",
        "Read the reason: its first word says which.",
        README,
    ),
    word(
        "verdict",
        "FAIL",
        "The client did what a MUST of the document excludes. There is always a requirement, a row and a span of the trace.",
        "`stateline explain CASE --run DIR` tells the way that the table allows, and the first step that left it.",
        README,
    ),
    word(
        "verdict",
        "ERROR",
        "The harness or the adapter failed. It says nothing about the client.",
        "Read the reason: its first word says what happened.",
        README,
    ),
    word(
        "verdict-reason",
        "steering-missed",
        "A step of the script waited for something that never came, and no row was broken by that. Steps steer and never fail a client.",
        "Look at the step that the reason quotes and at what the client did instead. Mostly the client took another permitted way, or it lacks what the case needs.",
        SCENARIOS,
    ),
    word(
        "verdict-reason",
        "undetermined",
        "The case names these requirements, and its trace decides none of them: what would have triggered their rows did not happen, or the case ended first.",
        "`stateline explain REQUIREMENT` lists the rows and their triggers; look in the trace for the trigger that is missing.",
        TABLES,
    ),
    word(
        "verdict-reason",
        "too-many-configurations",
        "The trace could be explained in more than 64 ways at once, and none of them was ruled out.",
        "Mostly the client reports much more than it changes. In a profile of your own, look for permissions that overlap.",
        TABLES,
    ),
    word(
        "verdict-reason",
        "harness-stalled",
        "The case would fail, and would not if everything might take longer by twice what the machine was late: nobody can say that the client was.",
        "Run it on a quieter machine, with fewer --jobs, with more --slack, or in virtual time.",
        REAL_TIME,
    ),
    word(
        "verdict-reason",
        "lab-violation",
        "The scripted server broke a duty of its own. The client is not to blame.",
        "It is a mistake of the harness, of the wire, or of a profile's `server` machine; the case's findings say which duty.",
        TABLES,
    ),
    word("judgement", "satisfied", "It held.", "", TABLES),
    word("judgement", "violated", "It was broken, and that fails.", "", TABLES),
    word("judgement", "warned", "It was broken where a breach only warns.", "", TABLES),
    word(
        "judgement",
        "recorded",
        "The document leaves it open: what the client did is a choice, and stands in the record.",
        "",
        TABLES,
    ),
    word(
        "judgement",
        "undetermined",
        "A trace exercised it and did not decide it.",
        "`stateline explain REQUIREMENT` lists the rows that could decide it.",
        TABLES,
    ),
    word(
        "status",
        "unexercised",
        "No case exercised it.",
        "Select a case that names it: `stateline run req:ID`.",
        TABLES,
    ),
    word(
        "status",
        "not-testable",
        "Nobody can observe it, or the client lacks what it needs.",
        "`stateline explain REQUIREMENT` says why, or what it needs.",
        TABLES,
    ),
    word("basis", "explicit", "The document says it.", "", TABLES),
    word("basis", "implied", "It follows from what the document says.", "", TABLES),
    word(
        "basis",
        "erratum",
        "The document slipped: the printed reading and the one that is evidently meant both pass, and which was seen is noted.",
        "",
        TABLES,
    ),
    word(
        "basis",
        "advice",
        "It is addressed to the application; no client can break it.",
        "",
        TABLES,
    ),
    word("strictness", "MUST", "A breach fails the client.", "", TABLES),
    word("strictness", "SHOULD", "A breach warns, and fails only with --strict.", "", TABLES),
    word("strictness", "OPEN", "Whatever the client does is recorded as a choice.", "", TABLES),
    word("shown-by", "client", "One client under test shows it.", "", TABLES),
    word("shown-by", "peer", "A second client shows it.", "", TABLES),
    word("shown-by", "wire", "The network side shows it, whatever the client reports.", "", TABLES),
    word(
        "shown-by",
        "server",
        "It is a duty of the lab itself, and judged on the lab.",
        "",
        TABLES,
    ),
    word(
        "shown-by",
        "none",
        "Nobody can observe it; it is listed, and never counts as covered.",
        "",
        TABLES,
    ),
    word(
        "conflict-kind",
        "contradiction",
        "Two places of the document disagree.",
        CONFLICTS,
        TABLES,
    ),
    word("conflict-kind", "gap", "The document says nothing.", CONFLICTS, TABLES),
    word(
        "conflict-kind",
        "slip",
        "The document prints a word that it cannot mean.",
        CONFLICTS,
        TABLES,
    ),
    word(
        "conflict-kind",
        "vague",
        "What the document says can be read in several ways.",
        CONFLICTS,
        TABLES,
    ),
];

impl Word {
    /// What it means, and what to do about it.
    pub(super) fn in_words(self) -> String {
        plain(format!("{} {}", self.means, self.todo).trim_end())
    }
}

/// All words, those of the page of faults last.
pub(super) fn words() -> impl Iterator<Item = Word> {
    WORDS.into_iter().chain(faults())
}

/// The lines of the table on the page of faults.
fn faults() -> impl Iterator<Item = Word> {
    let lines = FAULTS.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    lines.filter_map(|line| {
        let (id, rest) = line.split_once("` | ")?;
        let (means, todo) = rest.split_once(" | ")?;
        Some(word("verdict-reason", id, means, todo, FAULTS_PAGE))
    })
}

/// What a word of a kind means.
pub(super) fn meaning(kind: &str, id: &str) -> &'static str {
    let found = WORDS.iter().find(|word| word.kind == kind && word.id == id);
    found.map_or("", |word| word.means)
}

/// The word that the reason of a verdict begins with.
pub(super) fn of_reason(reason: &str) -> Option<Word> {
    let id = reason.split(':').next()?.trim();
    words().find(|word| word.kind == "verdict-reason" && word.id == id)
}

/// Tells of a word.
pub(super) fn tell(word: Word) -> Article {
    let is = match word.kind {
        "exit" => "exit code",
        "shown-by" => "who shows a requirement",
        "status" => "what a run says of a requirement",
        "verdict-reason" => "why a case has no PASS",
        "basis" => "how a document carries a requirement",
        "strictness" => "what a breach of a requirement costs",
        "judgement" => "what a case says of a requirement",
        "conflict-kind" => "kind of conflict of a document",
        _ => "verdict of a case",
    };
    let mut article = Article::new(word.kind, word.id, is);
    article.text(plain(word.means));
    if !word.todo.is_empty() {
        article.labelled("what to do", plain(word.todo));
    }
    article.labelled("more", word.page);
    article
}

/// Without the marks of a page: links lose their targets, and what quotes code with ticks of its own is quoted.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (name, after))) =
        rest.split_once('[').and_then(|(before, rest)| Some((before, rest.split_once("](")?)))
    {
        out.push_str(before);
        out.push_str(name);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    let quoted = out.split("``").enumerate();
    let parts = quoted
        .map(|(at, part)| if at % 2 == 0 { part.to_owned() } else { format!("“{}”", part.trim()) });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::collections::BTreeSet;

    #[test]
    fn every_word_stands_once_and_says_something() {
        let mut seen = BTreeSet::new();
        for word in words() {
            assert!(seen.insert((word.kind, word.id)), "{word:?}");
            assert!(word.means.len() > 5, "{word:?}");
        }
    }

    #[test]
    fn every_exit_code_is_known() {
        let all = [
            Exit::Ok,
            Exit::Fail,
            Exit::Usage,
            Exit::Error,
            Exit::Nothing,
            Exit::Inconclusive,
            Exit::Interrupted,
        ];
        for exit in all {
            assert_ne!(meaning("exit", &(exit as u8).to_string()), "", "{exit:?}");
        }
    }

    #[test]
    fn what_adapters_do_wrong_is_read_from_the_page() {
        let ids: Vec<&str> = faults().map(|word| word.id).collect();
        for id in ["adapter-hung", "adapter-flood", "never-idle", "interrupted"] {
            assert!(ids.contains(&id), "{id}: {ids:?}");
        }
        let word = of_reason("adapter-hung: no answer to `turn` within 5s").unwrap();
        assert!(word.todo.contains("--call-timeout"), "{word:?}");
        assert!(of_reason("whatever").is_none());
    }

    #[test]
    fn a_page_becomes_plain_text() {
        assert_eq!(
            plain("see [PROTOCOL.md](../PROTOCOL.md), then `x`"),
            "see PROTOCOL.md, then `x`"
        );
        assert_eq!(
            plain("``no answer to `turn` ``, [1] and so on"),
            "“no answer to `turn`”, [1] and so on"
        );
    }
}
