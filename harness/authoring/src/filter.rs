//! Which cases to run: globs over case ids, and terms on requirements, tags and profiles.
//!
//! ```text
//! network-drop/* and not tag:slow
//! req:RTM-RECON-* or (profile:agora-rtm-1x and login/?-*)
//! ```
//!
//! In a glob only `*` and `?` are special, and `*` crosses `/`. An id without its `[...]` selects
//! all its cases, with the profile in front or without. Not responsible for finding the cases.
//!
//! Invariant: parsing and matching never panic and take time linear in the filter for each case.

use crate::diagnostic::{Loaded, Sink, Source, Span, nearest, ranked};
use smol_str::SmolStr;

/// Nesting of parentheses and `not`.
const MAX_DEPTH: usize = 64;
/// How many ids to suggest for a filter that selects nothing.
const N_SUGGESTIONS: usize = 3;

/// What a filter asks of a case.
#[derive(Clone, Copy, Debug)]
pub struct CaseInfo<'a> {
    /// `profile/scenario[axis=value,…]`.
    pub id: &'a str,
    /// The id of its profile.
    pub profile: &'a str,
    /// The tags of its scenario.
    pub tags: &'a [SmolStr],
    /// The requirements that it names.
    pub requirements: &'a [SmolStr],
}

impl<'a> CaseInfo<'a> {
    /// The id without what the matrix chose.
    fn scenario(&self) -> &'a str {
        self.id.split_once('[').map_or(self.id, |(scenario, _)| scenario)
    }

    fn without_profile(&self, id: &'a str) -> &'a str {
        id.strip_prefix(self.profile).and_then(|rest| rest.strip_prefix('/')).unwrap_or(id)
    }
}

/// A condition on cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter(Select);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Select {
    All(Vec<Self>),
    Any(Vec<Self>),
    Id(String),
    Not(Box<Self>),
    Profile(String),
    Requirement(String),
    Tag(String),
}

impl Filter {
    /// Selects what any of these selects; without any, everything.
    #[must_use]
    pub fn union(filters: Vec<Self>) -> Self {
        if filters.is_empty() {
            return Self(Select::All(Vec::new()));
        }
        Self(Select::Any(filters.into_iter().map(|filter| filter.0).collect()))
    }

    /// Whether it selects the case.
    #[must_use]
    pub fn matches(&self, case: &CaseInfo<'_>) -> bool {
        self.0.matches(case)
    }

    /// For a filter that selects nothing: the nearest of what there is, term by term.
    #[must_use]
    pub fn nearest(&self, cases: &[CaseInfo<'_>]) -> Vec<String> {
        let mut near = Vec::new();
        self.0.nearest(cases, &mut near);
        near
    }
}

impl Select {
    fn matches(&self, case: &CaseInfo<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|inner| inner.matches(case)),
            Self::Any(any) => any.iter().any(|inner| inner.matches(case)),
            Self::Not(inner) => !inner.matches(case),
            Self::Id(pattern) => [case.id, case.scenario()]
                .into_iter()
                .any(|id| glob(pattern, id) || glob(pattern, case.without_profile(id))),
            Self::Profile(pattern) => glob(pattern, case.profile),
            Self::Requirement(pattern) => case.requirements.iter().any(|id| glob(pattern, id)),
            Self::Tag(pattern) => case.tags.iter().any(|tag| glob(pattern, tag)),
        }
    }

    fn nearest(&self, cases: &[CaseInfo<'_>], near: &mut Vec<String>) {
        let (pattern, prefix, mut known): (&str, &str, Vec<&str>) = match self {
            Self::All(inner) | Self::Any(inner) => {
                return inner.iter().for_each(|inner| inner.nearest(cases, near));
            }
            Self::Not(_) => return,
            Self::Id(pattern) => {
                let profile = cases.iter().any(|case| pattern.starts_with(case.profile));
                let id = |case: &CaseInfo<'_>| {
                    let whole = if pattern.contains('[') { cases.len() } else { 0 };
                    whole > 0 && case.id.contains('[')
                };
                let ids = cases.iter().map(|case| {
                    let chosen = if id(case) { case.id } else { case.scenario() };
                    if profile { chosen } else { case.without_profile(chosen) }
                });
                (pattern, "", ids.collect())
            }
            Self::Profile(pattern) => {
                (pattern, "profile:", cases.iter().map(|case| case.profile).collect())
            }
            Self::Requirement(pattern) => (
                pattern,
                "req:",
                cases.iter().flat_map(|case| case.requirements).map(SmolStr::as_str).collect(),
            ),
            Self::Tag(pattern) => (
                pattern,
                "tag:",
                cases.iter().flat_map(|case| case.tags).map(SmolStr::as_str).collect(),
            ),
        };
        known.sort_unstable();
        known.dedup();
        if known.iter().any(|word| glob(pattern, word)) {
            return;
        }
        for (_, word) in ranked(pattern, known).into_iter().take(N_SUGGESTIONS) {
            let word = format!("{prefix}{word}");
            if !near.contains(&word) {
                near.push(word);
            }
        }
    }
}

/// Whether a glob fits the whole text.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stood, and how far it had eaten.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => {
                p += 1;
                t += 1;
                // A character, not a byte.
                while text.get(t).is_some_and(|byte| byte & 0xC0 == 0x80) {
                    t += 1;
                }
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, eaten)) => {
                    *eaten += 1;
                    (p, t) = (*at + 1, *eaten);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Reads a filter as it stands on the command line.
#[must_use]
pub fn parse_filter(text: &str) -> Loaded<Filter> {
    let mut sink = Sink::new(Source::new("filter", text));
    let source = std::sync::Arc::clone(&sink.source);
    let mut parser = Parser {
        words: words(&source.text),
        at: 0,
        end: source.text.len(),
        depth: 0,
        sink: &mut sink,
    };
    let mut filter = parser.or();
    if let (Some(_), Some((word, span))) = (&filter, parser.words.get(parser.at)) {
        if *word == ")" {
            parser.sink.error(
                span.clone(),
                "a parenthesis is closed that was never opened",
                "closed here",
            );
        } else {
            let title = format!("expected `and` or `or` before `{word}`");
            parser
                .sink
                .error(span.clone(), title, "another term")
                .help("several filters, each its own argument, select the union");
        }
        filter = None;
    }
    Loaded::new(filter.map(Filter), sink.into_diagnostics())
}

/// Words and parentheses with their places.
fn words(text: &str) -> Vec<(&str, Span)> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let ends = c.is_whitespace() || c == '(' || c == ')';
        match start {
            None if !ends => start = Some(at),
            Some(from) if ends => {
                words.push((&text[from..at], from..at));
                start = None;
            }
            _ => {}
        }
        if c == '(' || c == ')' {
            words.push((&text[at..at + 1], at..at + 1));
        }
    }
    words
}

struct Parser<'a, 's> {
    words: Vec<(&'a str, Span)>,
    at: usize,
    end: usize,
    depth: usize,
    sink: &'s mut Sink,
}

impl Parser<'_, '_> {
    fn take(&mut self, word: &str) -> bool {
        let fits = self.words.get(self.at).is_some_and(|(have, _)| *have == word);
        self.at += usize::from(fits);
        fits
    }

    fn or(&mut self) -> Option<Select> {
        let mut any = vec![self.and()?];
        while self.take("or") {
            any.push(self.and()?);
        }
        Some(if any.len() == 1 { any.remove(0) } else { Select::Any(any) })
    }

    fn and(&mut self) -> Option<Select> {
        let mut all = vec![self.not()?];
        while self.take("and") {
            all.push(self.not()?);
        }
        Some(if all.len() == 1 { all.remove(0) } else { Select::All(all) })
    }

    fn not(&mut self) -> Option<Select> {
        let Some((word, span)) = self.words.get(self.at).cloned() else {
            let title = if self.words.is_empty() {
                "the filter is empty"
            } else {
                "the filter ends where a term is expected"
            };
            self.sink.error(self.end..self.end, title, "expected a glob or a term").help(FORM);
            return None;
        };
        if self.depth >= MAX_DEPTH {
            self.sink.error(span, "the filter is nested too deeply", "here");
            return None;
        }
        self.depth += 1;
        let select = match word {
            "not" => {
                self.at += 1;
                self.not().map(|inner| Select::Not(Box::new(inner)))
            }
            "(" => {
                self.at += 1;
                let inner = self.or();
                if inner.is_some() && !self.take(")") {
                    self.sink.error(span, "a parenthesis is never closed", "opened here");
                    return None;
                }
                inner
            }
            "and" | "or" | ")" => {
                self.sink
                    .error(
                        span,
                        format!("expected a term, found `{word}`"),
                        "expected a glob or a term",
                    )
                    .help(FORM);
                None
            }
            _ => {
                self.at += 1;
                self.term(word, span)
            }
        };
        self.depth -= 1;
        select
    }

    fn term(&mut self, word: &str, span: Span) -> Option<Select> {
        let Some((kind, pattern)) = word.split_once(':') else {
            return Some(Select::Id(word.to_owned()));
        };
        let select = match kind {
            "profile" => Select::Profile,
            "req" => Select::Requirement,
            "tag" => Select::Tag,
            _ => {
                let near = nearest(kind, ["profile", "req", "tag", "requirement"])
                    .map(|near| if near == "requirement" { "req" } else { near });
                let label = near.map_or_else(
                    || "no such term".to_owned(),
                    |near| format!("did you mean `{near}:`?"),
                );
                self.sink
                    .error(
                        span.start..span.start + kind.len(),
                        format!("unknown term `{kind}:`"),
                        label,
                    )
                    .help(FORM);
                return None;
            }
        };
        if pattern.is_empty() {
            self.sink.error(
                span,
                format!("`{kind}:` names nothing"),
                format!("write `{kind}:NAME` without a space"),
            );
            return None;
        }
        Some(select(pattern.to_owned()))
    }
}

const FORM: &str = "terms: a glob over case ids, `req:GLOB`, `tag:GLOB`, `profile:GLOB`; joined by `and`, `or`, `not` and parentheses";

#[cfg(test)]
mod tests {
    use super::*;

    fn case<'a>(requirements: &'a [SmolStr], tags: &'a [SmolStr]) -> CaseInfo<'a> {
        CaseInfo {
            id: "agora-rtm-1x/network-drop/around-presence[kind=reset,served-again=before]",
            profile: "agora-rtm-1x",
            tags,
            requirements,
        }
    }

    fn selects(filter: &str) -> bool {
        let requirements = [SmolStr::new("RTM-RECON-04")];
        let tags = [SmolStr::new("network")];
        let loaded = parse_filter(filter);
        loaded.value.unwrap_or_else(|| panic!("{filter}")).matches(&case(&requirements, &tags))
    }

    #[test]
    fn filters_select_what_they_say() {
        for filter in [
            "*",
            "network-drop/around-presence",
            "agora-rtm-1x/network-drop/around-presence",
            "network-drop/*",
            "*presence[kind=reset,*",
            "network-drop/around-presence[kind=reset,served-again=before]",
            "*-presenc?",
            "req:RTM-RECON-*",
            "tag:network and profile:agora*",
            "not tag:token",
            "(login/* or req:RTM-RECON-04) and not tag:slow",
        ] {
            assert!(selects(filter), "{filter}");
        }
        for filter in [
            "network-drop",
            "around-presence",
            "req:RTM-RECON",
            "*[kind=blip*",
            "not *",
            "tag:net?",
            "network-drop/around-presence[kind=blip]",
        ] {
            assert!(!selects(filter), "{filter}");
        }
    }

    #[test]
    fn the_union_of_nothing_is_everything() {
        assert!(Filter::union(Vec::new()).matches(&case(&[], &[])));
        let filters = ["tag:no", "*"].map(|text| parse_filter(text).value.unwrap());
        assert!(Filter::union(filters.to_vec()).matches(&case(&[], &[])));
    }

    #[test]
    fn a_filter_that_selects_nothing_has_neighbours() {
        let requirements = [SmolStr::new("RTM-RECON-04")];
        let cases = [case(&requirements, &[])];
        let near = |text: &str| parse_filter(text).value.unwrap().nearest(&cases);
        assert_eq!(near("network-drop/around-presense"), ["network-drop/around-presence"]);
        assert_eq!(near("req:RTM-RECON-4"), ["req:RTM-RECON-04"]);
        assert_eq!(
            near("agora-rtm-1x/network-drap/*"),
            ["agora-rtm-1x/network-drop/around-presence"]
        );
    }

    proptest::proptest! {
        #[test]
        fn parsing_and_matching_never_panic(text in "(\\PC|[a-z*?:()\\[\\]= ]|and |or |not |req:|tag:){0,40}", id in "\\PC{0,20}") {
            let loaded = parse_filter(&text);
            for found in &loaded.diagnostics {
                let _ = found.render(true);
            }
            if let Some(filter) = loaded.value {
                let case = CaseInfo { id: &id, profile: "p", tags: &[], requirements: &[] };
                let _ = filter.matches(&case);
                let _ = filter.nearest(&[case]);
            }
        }

        #[test]
        fn a_text_without_signs_fits_itself_alone(text in "[a-c]{0,6}", other in "[a-c]{0,6}") {
            proptest::prop_assert_eq!(glob(&text, &other), text == other);
            let head = format!("{text}*");
            proptest::prop_assert_eq!(glob(&head, &other), other.starts_with(&text));
        }
    }
}
