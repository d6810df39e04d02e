//! From judgements to the verdict of a case.
//!
//! FAIL needs a violated MUST row and a span of trace. ERROR is the harness's or the adapter's
//! failure. A case that names a requirement and leaves it undetermined is INCONCLUSIVE with its
//! reason; it is never green. Not responsible for judging.
//!
//! Invariant: the verdict is a function of what is in the run record.

use super::Judged;
use crate::profile::{Profile, ReqIx};
use crate::record::{Judgement, RequirementRecord, Verdict};
use crate::time::Micros;

/// What the harness has to say about how a case went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conduct {
    /// The harness or the adapter failed.
    pub error: Option<String>,
    /// What a step waited for and did not see.
    pub missed: Option<String>,
    /// The script was over, and the case was ended at its longest time: what was still open then is
    /// nobody's fault.
    pub cut: bool,
    /// How late the machine was in all. Whoever judges gives that much more time before it says FAIL.
    pub stalled: Micros,
}

impl Conduct {
    /// Whether the case was played to its end.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.error.is_none() && self.missed.is_none() && !self.cut
    }
}

/// The verdict, its reason, and the judgements as the record holds them.
#[must_use]
pub fn conclude(
    profile: &Profile,
    judged: &Judged,
    named: &[ReqIx],
    conduct: &Conduct,
) -> (Verdict, Option<String>, Vec<RequirementRecord>) {
    let mut requirements: Vec<(ReqIx, Judgement)> = judged.requirements.clone();
    for req in named {
        if !requirements.iter().any(|(have, _)| have == req) {
            requirements.push((*req, Judgement::Undetermined));
        }
    }
    requirements.sort_unstable_by_key(|(req, _)| *req);
    let open: Vec<&str> = requirements
        .iter()
        .filter(|(req, judgement)| *judgement == Judgement::Undetermined && named.contains(req))
        .map(|(req, _)| profile.requirements[*req].id.as_str())
        .collect();
    let lab = judged.findings.iter().find(|finding| finding.side == "server");
    let (verdict, reason) = if let Some(error) = &conduct.error {
        (Verdict::Error, Some(error.clone()))
    } else if let Some(finding) = lab {
        (
            Verdict::Error,
            Some(format!("lab-violation: the lab broke its own duty {}", finding.requirement)),
        )
    } else if !judged.findings.is_empty() {
        (Verdict::Fail, None)
    } else if judged.overflow {
        (Verdict::Inconclusive, Some("too-many-configurations".to_owned()))
    } else if let Some(missed) = &conduct.missed {
        (Verdict::Inconclusive, Some(format!("steering-missed: {missed}")))
    } else if !open.is_empty() && !conduct.cut {
        (Verdict::Inconclusive, Some(format!("undetermined: {}", open.join(", "))))
    } else {
        (Verdict::Pass, None)
    };
    let records = requirements
        .into_iter()
        .map(|(req, judgement)| RequirementRecord {
            id: profile.requirements[req].id.clone(),
            judgement,
            named: named.contains(&req),
        })
        .collect();
    (verdict, reason, records)
}
