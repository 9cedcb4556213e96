//! Failures as text for people: alike ones together, each with what shows it again.

use std::collections::BTreeMap;
use std::fmt::Write;

use ff_core::contract;
use owo_colors::{OwoColorize, Style};

use super::registry::registry;
use super::report::{BackendReport, CaseReport, FailureReport, Status};
use crate::stage::{Cause, Difference};

/// Columns that texts are wrapped to.
pub(super) const WIDTH: usize = 92;

/// The most cases of a group that are told by name.
const NAMED: usize = 40;

/// Everything that failed on a backend, what stems from one mistake under one heading: MUSTs first, the largest
/// groups first.
pub(super) fn failures_text(backend: &BackendReport, colour: bool) -> String {
    let failed = backend.cases.iter().filter(|case| case.failure.is_some());
    let mut groups: BTreeMap<(u8, Option<&Cause>, &str), Vec<&CaseReport>> = BTreeMap::new();
    for case in failed {
        let cause = case.failure.as_ref().and_then(|failure| failure.cause.as_ref());
        // What has no cause in common with others stands alone.
        let alone = if cause.is_some() { "" } else { &case.slug };
        groups.entry((weight(case.status), cause, alone)).or_default().push(case);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((weight, ..), cases)| (*weight, usize::MAX - cases.len()));
    let texts = groups.into_iter().map(|((_, cause, _), cases)| match (&cases[..], cause) {
        ([_, _, ..], Some(cause)) => group_text(&backend.name, cause, &cases, colour),
        _ => cases.iter().map(|case| failure_text(&backend.name, case, colour)).collect(),
    });
    texts.map(|text: String| text + "\n").collect()
}

fn weight(status: Status) -> u8 {
    match status {
        Status::Failed => 0,
        Status::Advised => 1,
        _ => 2,
    }
}

/// Failures with one cause: what they have in common, the first in full, and how to see each of the others.
fn group_text(backend: &str, cause: &Cause, cases: &[&CaseReport], colour: bool) -> String {
    let mut text = String::new();
    let style = if colour { Style::new().bold() } else { Style::new() };
    let head =
        format!("{} failures on {backend} that look alike, of {}", cases.len(), cause.method);
    let _ = writeln!(text, "{}", head.style(style));
    text += &indented(&format!("expected  {}", cause.expected));
    if !cause.answered.is_empty() {
        text += &indented(&format!("seen      {}", cause.answered));
    }
    let failures = || cases.iter().filter(|case| !is_setup(case));
    let mut clauses: Vec<&str> =
        failures().flat_map(|case| &case.clauses).map(String::as_str).collect();
    clauses.sort_unstable();
    clauses.dedup();
    if !clauses.is_empty() {
        text += &indented(&format!("clauses   {}", clauses.join(" ")));
    }
    text.push('\n');
    let Some((first, others)) = cases.split_first() else {
        return text;
    };
    text += &failure_text(backend, first, colour);
    for case in others.iter().take(NAMED) {
        let rerun = case.failure.as_ref().map_or("", |failure| &failure.rerun);
        let _ = writeln!(text, "{}  {}", mark(case), case.slug);
        let _ = writeln!(text, "      rerun: {rerun}");
    }
    if others.len() > NAMED {
        let _ = writeln!(
            text,
            "      and {} more, all of which the report names",
            others.len() - NAMED
        );
    }
    text
}

fn is_setup(case: &CaseReport) -> bool {
    case.failure.as_ref().is_some_and(|failure| failure.setup)
}

/// The word in front of a failure.
fn mark(case: &CaseReport) -> &'static str {
    match case.status {
        Status::Advised => "ADVISED",
        Status::Newer => "NEWER",
        _ => "FAIL",
    }
}

/// A failure, so that someone who has never seen the code knows what broke and how to see it again.
pub fn failure_text(backend: &str, case: &CaseReport, colour: bool) -> String {
    let style = match case.status {
        _ if !colour => Style::new(),
        Status::Failed => Style::new().red().bold(),
        _ => Style::new().yellow().bold(),
    };
    let mut text = String::new();
    let head = format!("{}  on {backend}", case.slug);
    let _ = writeln!(text, "{}  {head:<70}  {:>6} ms", mark(case).style(style), case.millis);
    if let Some(known) = registry().iter().find(|known| known.slug == case.slug) {
        text += &indented(known.title);
    }
    let Some(failure) = &case.failure else {
        return text;
    };
    if !failure.setup {
        for clause in case.clauses.iter().filter_map(|id| contract::clause(id)) {
            text += &indented(&clause.to_string());
        }
    }
    text += &indented(&failure.message);
    text += &differences_text(failure);
    if !failure.story.is_empty() {
        let _ = writeln!(text, "      the last calls:");
        for call in &failure.story {
            let _ = writeln!(text, "        {call}");
        }
    }
    let _ = writeln!(text, "      rerun: {}", failure.rerun);
    text
}

fn differences_text(failure: &FailureReport) -> String {
    let names = failure.differences.iter().map(|difference| &difference.what);
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Difference { what, expected, seen } in &failure.differences {
        let _ = writeln!(text, "        {what:width$}  expected  {expected}");
        let _ = writeln!(text, "        {:width$}  seen      {seen}", "");
    }
    text
}

fn indented(text: &str) -> String {
    let options =
        textwrap::Options::new(WIDTH).initial_indent("      ").subsequent_indent("      ");
    textwrap::fill(text, options) + "\n"
}
