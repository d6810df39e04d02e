//! Collects what the oracle finds: judgements, findings, warnings, choices, cells.
//!
//! Grades a breach by the strictness of its requirement. Not responsible for finding anything.
//!
//! Invariant: only the first violation of a client, on its side, is not consequent.

use super::Settings;
use crate::profile::grid::StimulusIx;
use crate::profile::requirement::Strictness;
use crate::profile::{Profile, ReqIx, RowIx, StateIx};
use crate::record::{Choice, Finding, Judgement};
use crate::time::Micros;
use smol_str::SmolStr;

/// What was collected so far.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    pub(super) statuses: Vec<Option<Judgement>>,
    pub(super) findings: Vec<Finding>,
    pub(super) warnings: Vec<Finding>,
    pub(super) choices: Vec<Choice>,
    /// State, stimulus, whether it was violated; in order of first sight.
    pub(super) cells: Vec<(StateIx, StimulusIx, bool)>,
    /// For each row of the profile whether it was in force at all.
    pub(super) rows: Vec<bool>,
    /// Changes of state, each with the row that explains it; in order of first sight.
    pub(super) moves: Vec<(StateIx, StateIx, Option<RowIx>)>,
    /// Rows that were closed by what they wait for, each with its cause, where somebody asks.
    pub(super) met: Option<Vec<(RowIx, u32)>>,
}

/// A breach before it is graded.
pub(super) struct Breach<'a> {
    pub(super) req: ReqIx,
    pub(super) row: Option<RowIx>,
    /// The row's name where it is none of the table.
    pub(super) rule: &'a str,
    pub(super) client: &'a SmolStr,
    pub(super) server_side: bool,
    pub(super) at: Micros,
    pub(super) expected: String,
    pub(super) observed: String,
    pub(super) trace: (u32, u32),
    pub(super) consequent: bool,
}

impl Judge {
    pub(super) fn new(profile: &Profile) -> Self {
        Self {
            statuses: vec![None; profile.requirements.len()],
            findings: Vec::new(),
            warnings: Vec::new(),
            choices: Vec::new(),
            cells: Vec::new(),
            rows: vec![false; profile.rows.len()],
            moves: Vec::new(),
            met: None,
        }
    }

    /// Raises the judgement of a requirement.
    pub(super) fn mark(&mut self, req: ReqIx, judgement: Judgement) {
        let status = &mut self.statuses[req];
        if status.is_none_or(|have| have < judgement) {
            *status = Some(judgement);
        }
    }

    /// Marks a requirement satisfied, or recorded where it is OPEN.
    pub(super) fn satisfy(&mut self, profile: &Profile, req: ReqIx) {
        let open = profile.requirements[req].strictness == Strictness::Open;
        self.mark(req, if open { Judgement::Recorded } else { Judgement::Satisfied });
    }

    /// Grades a breach. Returns whether it violates.
    pub(super) fn breach(
        &mut self,
        profile: &Profile,
        settings: &Settings,
        breach: Breach<'_>,
    ) -> bool {
        self.graded(profile, settings, breach, Strictness::Must)
    }

    /// Grades a breach that at most warns.
    pub(super) fn warn(&mut self, profile: &Profile, settings: &Settings, breach: Breach<'_>) {
        self.graded(profile, settings, breach, Strictness::Should);
    }

    /// Something else than what is preferred: a warning, and with `--strict` a breach of a SHOULD.
    pub(super) fn not_preferred(
        &mut self,
        profile: &Profile,
        settings: &Settings,
        breach: Breach<'_>,
    ) -> bool {
        // Of a MUST, only a part is preferred; that part stays a warning.
        let at_most = match profile.requirements[breach.req].strictness {
            Strictness::Should => Strictness::Must,
            _ => Strictness::Should,
        };
        self.graded(profile, settings, breach, at_most)
    }

    fn graded(
        &mut self,
        profile: &Profile,
        settings: &Settings,
        breach: Breach<'_>,
        at_most: Strictness,
    ) -> bool {
        let requirement = &profile.requirements[breach.req];
        let row = breach.row.map(|row| &profile.rows[row]);
        let own =
            requirement.strictness.min(row.and_then(|row| row.strict).unwrap_or(Strictness::Must));
        let strictness = own.min(at_most);
        let row_id = row.map_or_else(|| SmolStr::from(breach.rule), |row| row.id.clone());
        if strictness == Strictness::Open {
            self.choose(
                profile,
                Some(breach.req),
                row_id,
                breach.client,
                breach.observed,
                breach.trace.1,
            );
            return false;
        }
        let violates =
            strictness == Strictness::Must || (settings.strict && at_most == Strictness::Must);
        let finding = Finding {
            requirement: requirement.id.clone(),
            row: row_id,
            basis: requirement.basis,
            strictness,
            client: breach.client.clone(),
            side: SmolStr::new_static(if breach.server_side { "server" } else { "client" }),
            at: breach.at,
            expected: breach.expected,
            observed: breach.observed,
            consequent: breach.consequent,
            trace: breach.trace,
        };
        if violates {
            if !breach.consequent {
                self.mark(breach.req, Judgement::Violated);
            }
            self.findings.push(finding);
        } else if !breach.consequent {
            self.mark(breach.req, Judgement::Warned);
            self.warnings.push(finding);
        }
        violates
    }

    /// Records what a client chose, once for each row and choice.
    pub(super) fn choose(
        &mut self,
        profile: &Profile,
        req: Option<ReqIx>,
        row: SmolStr,
        client: &SmolStr,
        choice: String,
        n: u32,
    ) {
        if let Some(req) = req {
            self.mark(req, Judgement::Recorded);
        }
        let known = self
            .choices
            .iter()
            .any(|have| have.row == row && have.client == *client && have.choice == choice);
        if !known {
            let requirement = req.map(|req| profile.requirements[req].id.clone());
            self.choices.push(Choice { requirement, row, client: client.clone(), choice, n });
        }
    }

    /// Records that a row was triggered, armed or in force.
    pub(super) fn row(&mut self, row: RowIx) {
        self.rows[row] = true;
    }

    /// Records that a client went from one state to another.
    pub(super) fn moved(&mut self, from: StateIx, to: StateIx, row: Option<RowIx>) {
        if from != to && !self.moves.contains(&(from, to, row)) {
            self.moves.push((from, to, row));
        }
    }

    /// Records that a cell was exercised.
    pub(super) fn cell(&mut self, state: StateIx, stimulus: StimulusIx) {
        if !self.cells.iter().any(|cell| (cell.0, cell.1) == (state, stimulus)) {
            self.cells.push((state, stimulus, false));
        }
    }
}
