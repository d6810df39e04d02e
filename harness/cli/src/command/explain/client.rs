//! Defects and designs of the reference clients.
//!
//! Not responsible for whether a defect is found; `selftest` plays that.
//!
//! Invariant: a requirement that a defect breaks is shown in the profile's words.

use super::article::Article;
use super::demand_of;
use crate::suite::Contract;
use serde_json::json;
use smol_str::SmolStr;
use stateline_reference::{DefectInfo, DesignInfo};

/// Tells of a defect.
pub(super) fn defect(contracts: &[Contract], defect: &DefectInfo) -> Article {
    let is = format!("defect of the reference client for {}", defect.profile);
    let mut article =
        Article::new("defect", defect.id, &is).of(&SmolStr::new_static(defect.profile));
    article.text(defect.text);
    let also: Vec<&str> = defect.also.iter().map(|(id, _)| *id).collect();
    article.data(json!({ "breaks": defect.breaks, "also": also }));
    let contract = contracts.iter().find(|contract| contract.profile.id == defect.profile);
    let broken = contract.map(|contract| demand_of(&contract.profile, defect.breaks));
    article.labelled("breaks", broken.unwrap_or_else(|| defect.breaks.to_owned()));
    article.listed("also", defect.also.iter().map(|(id, why)| format!("{id}: {why}")));
    article.command("play it", format!("stateline run --client builtin:{}", defect.id));
    article
}

/// Tells of a design.
pub(super) fn design(design: &DesignInfo) -> Article {
    let is = format!("design of the reference client for {}", design.profile);
    let mut article =
        Article::new("design", design.id, &is).of(&SmolStr::new_static(design.profile));
    article.text(design.text);
    article.command("play it", format!("stateline run --client builtin/{}", design.id));
    article
}
