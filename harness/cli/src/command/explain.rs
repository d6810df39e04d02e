//! `stateline explain`: one thing in words, with everything that hangs on it.
//!
//! The modules: `thing` (what has an id, and what an id means), `article` (what is told of it, in both forms), and
//! one for each kind: `requirement`, `row`, `grid` (states, stimuli, cells), `scenario` (and cases), `word` (names
//! and times), `client` (defects and designs), `conflicts`, `given` (findings of a run), `glossary` (the program's
//! own words). Not responsible for lists; `list` has them.
//!
//! Invariant: every id that `list`, a report or a finding shows can be explained.

mod article;
mod client;
mod conflicts;
mod given;
mod glossary;
mod grid;
mod requirement;
mod row;
mod scenario;
mod thing;
mod word;

use super::layout::{Page, count};
use super::print;
use crate::Failure;
use crate::args::{ExplainArgs, Format};
use crate::exit::Exit;
use crate::suite::{Contract, Suite};
use article::Article;
use given::Given;
use serde_json::Value;
use stateline_core::profile::{Profile, ReqIx};
use thing::{Entry, Thing};

/// Runs the command.
pub(crate) fn explain(args: &ExplainArgs) -> Result<Exit, Failure> {
    let suite = Suite::new(&args.suite).map_err(Failure::usage)?;
    let contracts = suite.read(&args.profiles).map_err(Failure::usage)?;
    if args.conflicts {
        match args.format {
            Format::Text => print(&conflicts::page(&contracts)),
            Format::Json => print(&format!("{:#}\n", conflicts::json(&contracts))),
        }
        return Ok(Exit::Ok);
    }
    let given = args.run.as_deref().map(Given::read).transpose()?;
    let asker = Asker { suite: &suite, contracts: &contracts, all: thing::all(&contracts), given };
    let mut articles = Vec::new();
    let words: Vec<&str> = args.ids.iter().map(|id| id.trim()).collect();
    match words.as_slice() {
        ["finding" | "findings", numbers @ ..] => asker.findings(numbers, &mut articles)?,
        [kind, ids @ ..] if !ids.is_empty() && thing::is_kind(&asker.all, kind) => {
            for id in ids {
                articles.extend(asker.ask(Some(kind), id, args.format)?);
            }
        }
        ids => {
            for id in ids {
                articles.extend(asker.ask(None, id, args.format)?);
            }
        }
    }
    match args.format {
        Format::Text => {
            let mut page = Page::new();
            articles.iter().for_each(|article| article.print(&mut page));
            print(&page.into_text());
        }
        Format::Json => {
            let all = Value::Array(articles.iter().map(Article::json).collect());
            print(&format!("{all:#}\n"));
        }
    }
    Ok(Exit::Ok)
}

/// Everything that an answer is made of.
struct Asker<'a> {
    suite: &'a Suite,
    contracts: &'a [Contract],
    all: Vec<Entry<'a>>,
    given: Option<Given>,
}

impl Asker<'_> {
    /// What an id means. People get a list where it means several things; programs get all of them.
    fn ask(&self, kind: Option<&str>, id: &str, format: Format) -> Result<Vec<Article>, Failure> {
        let meant = thing::meant(&self.all, kind, id);
        match (meant.as_slice(), format) {
            ([], _) if kind.is_none() && thing::is_kind(&self.all, id) => {
                let all: Vec<&Entry<'_>> = thing::of_kind(&self.all, id).collect();
                Ok(vec![self.choice(id, &all)])
            }
            ([], _) => {
                let near: Vec<&str> = thing::nearest(&self.all, kind, id).collect();
                let what = kind.map_or_else(|| "nothing".to_owned(), |kind| format!("no {kind}"));
                Err(Failure::usage(format!(
                    "{what} has the id `{id}`; the nearest: {}",
                    near.join(", ")
                )))
            }
            ([entry], _) => Ok(vec![self.tell(entry)]),
            (several, Format::Json) => Ok(several.iter().map(|entry| self.tell(entry)).collect()),
            (several, Format::Text) => Ok(vec![self.choice(id, several)]),
        }
    }

    /// A list of things to choose from.
    fn choice(&self, asked: &str, several: &[&Entry<'_>]) -> Article {
        let mut article = Article::new("several", asked, &count(several.len(), "thing"));
        article.text("Say which: `stateline explain KIND ID`.");
        let lines = several
            .iter()
            .map(|entry| format!("{}: {}", entry.qualified(), self.tell(entry).in_short()));
        article.listed("one of", lines);
        article
    }

    /// Findings by their numbers, or all of them in short.
    fn findings(&self, numbers: &[&str], articles: &mut Vec<Article>) -> Result<(), Failure> {
        let given = self.given.as_ref().ok_or_else(|| {
            Failure::usage(
                "findings are those of a run: `stateline explain finding 1 --run stateline-out`",
            )
        })?;
        if numbers.is_empty() {
            articles.push(given.overview());
        }
        for number in numbers {
            articles.push(given.finding(number, self.contracts)?);
        }
        Ok(())
    }

    fn tell(&self, entry: &Entry<'_>) -> Article {
        let given = self.given.as_ref();
        match entry.thing {
            Thing::Call(contract, name) => word::call(contract, name),
            Thing::Cap(contract, ix) => word::cap(contract, ix),
            Thing::Case(contract, scenario, case) => {
                scenario::case(contract, scenario, case, given)
            }
            Thing::Cell(contract, ix) => grid::cell(contract, ix),
            Thing::Clock(contract, ix) => word::clock(contract, ix),
            Thing::Conflict(contract, conflict) => conflicts::tell(contract, conflict),
            Thing::Defect(defect) => client::defect(self.contracts, defect),
            Thing::Design(design) => client::design(design),
            Thing::Name(contract, kind, name) => word::name(contract, kind, name),
            Thing::Profile(contract) => word::profile(contract),
            Thing::Requirement(contract, ix) => requirement::tell(contract, ix, given),
            Thing::Row(contract, ix) => row::tell(self.suite, contract, ix, given),
            Thing::Scenario(contract, told) => scenario::scenario(self.suite, contract, told),
            Thing::State(contract, ix) => grid::state(contract, ix),
            Thing::Stimulus(contract, ix) => grid::stimulus(contract, ix),
            Thing::Timer(contract, name) => word::timer(contract, name),
            Thing::Word(word) => glossary::tell(word),
        }
    }
}

/// A requirement on one line.
fn demand(profile: &Profile, req: ReqIx) -> String {
    let requirement = &profile.requirements[req];
    format!("{} ({}): {}", requirement.id, requirement.strictness.as_str(), requirement.text)
}

/// The same by its id.
fn demand_of(profile: &Profile, id: &str) -> String {
    profile.requirement(id).map_or_else(|| id.to_owned(), |req| demand(profile, req))
}
