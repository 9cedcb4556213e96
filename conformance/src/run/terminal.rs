//! A report as text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use ff_core::contract;
use owo_colors::{OwoColorize, Style};

use super::registry::registry;
use super::report::{BackendReport, CaseReport, Report, Status, Totals};
use crate::stage::{Coverage, Difference};

/// Columns that clause texts are wrapped to.
const WIDTH: usize = 92;

/// The failures in full, what was skipped and why, then one line a chapter and backend.
pub fn summary_text(report: &Report, colour: bool) -> String {
    let mut text = String::new();
    for backend in &report.backends {
        for case in &backend.cases {
            if case.status == Status::Failed {
                text += &failure_text(&backend.name, case, colour);
                text.push('\n');
            }
        }
    }
    text += &skipped(&report.backends);
    text += &servers(&report.backends);
    let rows: Vec<_> = report.backends.iter().flat_map(rows).collect();
    let name = rows.iter().map(|row| row.backend.len()).max().unwrap_or(0).max(7);
    let chapter = rows.iter().map(|row| row.chapter.len()).max().unwrap_or(0).max(7);
    let _ = writeln!(
        text,
        "{:name$}  {:chapter$}  {:>6}  {:>6}  {:>11}  {:>7}  {:>8}",
        "backend", "chapter", "passed", "failed", "unsupported", "skipped", "time"
    );
    for row in rows {
        let style = match row.totals {
            _ if !colour => Style::new(),
            Totals { failed: 1.., .. } => Style::new().red(),
            Totals { skipped: 1.., .. } | Totals { unsupported: 1.., .. } => Style::new().yellow(),
            _ => Style::new().green(),
        };
        let Totals { passed, failed, unsupported, skipped } = row.totals;
        let line = format!(
            "{:name$}  {:chapter$}  {passed:>6}  {failed:>6}  {unsupported:>11}  {skipped:>7}  {:>5} ms",
            row.backend, row.chapter, row.millis
        );
        let _ = writeln!(text, "{}", line.style(style));
    }
    let _ = writeln!(
        text,
        "\n{} clauses ({} MUST), {} without a case; {} of {} methods have clauses of their own; seed {}",
        report.contract.clauses,
        report.contract.must,
        report.contract.uncovered.len(),
        report.methods.bound,
        report.methods.total,
        report.seed
    );
    text
}

/// Which methods are not claimed, and how much was generated with what answers.
pub fn details_text(report: &Report) -> String {
    unclaimed(&report.backends) + &generated(&report.backends)
}

/// The last line of a run.
pub fn closing_line(totals: Totals) -> String {
    let Totals { passed, failed, unsupported, skipped } = totals;
    format!("{passed} passed, {failed} failed, {unsupported} unsupported, {skipped} skipped")
}

/// A failure, so that someone who has never seen the code knows what broke and how to see it again.
pub fn failure_text(backend: &str, case: &CaseReport, colour: bool) -> String {
    let style = if colour { Style::new().red().bold() } else { Style::new() };
    let mut text = String::new();
    let head = format!("{}  on {backend}", case.slug);
    let _ = writeln!(text, "{}  {head:<70}  {:>6} ms", "FAIL".style(style), case.millis);
    if let Some(known) = registry().iter().find(|known| known.slug == case.slug) {
        text += &indented(known.title);
    }
    for id in &case.clauses {
        if let Some(clause) = contract::clause(id) {
            text += &indented(&clause.to_string());
        }
    }
    let Some(failure) = &case.failure else {
        return text;
    };
    text += &indented(&failure.message);
    let names = failure.differences.iter().map(|difference| &difference.what);
    let width = names.map(|name| name.chars().count()).max().unwrap_or(0);
    for difference in &failure.differences {
        let Difference { what, expected, seen } = difference;
        let _ = writeln!(text, "        {what:width$}  expected  {expected}");
        let _ = writeln!(text, "        {:width$}  seen      {seen}", "");
    }
    if !failure.story.is_empty() {
        let _ = writeln!(text, "      the last calls:");
        for call in &failure.story {
            let _ = writeln!(text, "        {call}");
        }
    }
    let _ = writeln!(text, "      rerun: {}", failure.rerun);
    text
}

struct Row<'a> {
    backend: &'a str,
    chapter: &'a str,
    totals: Totals,
    millis: u64,
}

fn rows(backend: &BackendReport) -> Vec<Row<'_>> {
    let mut chapters: Vec<&str> = backend.cases.iter().map(|case| case.chapter.as_str()).collect();
    chapters.dedup();
    let mut seen = Vec::new();
    chapters.retain(|chapter| {
        let new = !seen.contains(chapter);
        seen.push(chapter);
        new
    });
    let row = |chapter| {
        let cases: Vec<_> =
            backend.cases.iter().filter(|case| case.chapter == chapter).cloned().collect();
        Row {
            backend: &backend.name,
            chapter,
            totals: Totals::of(&cases),
            millis: cases.iter().map(|case| case.millis).sum(),
        }
    };
    chapters.into_iter().map(row).collect()
}

/// Which servers answered, where there were any, and how they were provisioned.
fn servers(backends: &[BackendReport]) -> String {
    let mut text = String::new();
    for backend in backends {
        if let Some(version) = &backend.server_version {
            let _ = writeln!(
                text,
                "{} on {version}: {}, suite in {} ms",
                backend.name, backend.provisioned, backend.duration_ms
            );
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// How much was generated, and what it reached.
fn generated(backends: &[BackendReport]) -> String {
    let mut text = String::new();
    let mut sum = Coverage::default();
    for backend in backends {
        for case in &backend.cases {
            let Some(made) = &case.generated else {
                continue;
            };
            let what = case.slug.rsplit('.').next().unwrap_or_default();
            let methods = made.coverage.methods().count();
            let refusals: BTreeSet<&String> = made.coverage.codes().collect();
            let _ = writeln!(
                text,
                "{}: {} {what}, {} calls of {methods} methods with {} different refusals, {:.1} s",
                backend.name,
                made.runs,
                made.calls,
                refusals.len(),
                Duration::from_millis(case.millis).as_secs_f64()
            );
            sum.add(made.coverage.clone());
        }
    }
    if text.is_empty() {
        return text;
    }
    text += "reached, all together:\n";
    for (method, answers) in sum.methods() {
        let answers = answers.iter().map(|(answer, count)| format!("{answer} {count}"));
        let line = format!("{method}: {}", answers.collect::<Vec<_>>().join(", "));
        let options =
            textwrap::Options::new(WIDTH).initial_indent("  ").subsequent_indent("      ");
        let _ = writeln!(text, "{}", textwrap::fill(&line, options));
    }
    text.push('\n');
    text
}

/// Why cases were skipped, each reason once.
fn skipped(backends: &[BackendReport]) -> String {
    let mut skipped: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for backend in backends {
        for case in backend.cases.iter().filter(|case| case.status == Status::Skipped) {
            let reason = case.reason.as_deref().unwrap_or_default();
            *skipped.entry((&backend.name, reason)).or_default() += 1;
        }
    }
    let line = |((name, reason), count)| format!("{name}: {count} skipped: {reason}\n");
    skipped.into_iter().map(line).collect()
}

/// The methods that are not claimed, by backend.
fn unclaimed(backends: &[BackendReport]) -> String {
    let mut unclaimed: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for backend in backends {
        let unsupported = backend.cases.iter().filter(|case| case.status == Status::Unsupported);
        let methods = unsupported.filter_map(|case| case.reason.as_deref()?.split(' ').next());
        unclaimed.entry(methods.collect()).or_default().push(&backend.name);
    }
    let mut text = String::new();
    for (methods, names) in unclaimed.iter().filter(|(methods, _)| !methods.is_empty()) {
        let list: Vec<_> = methods.iter().copied().collect();
        let line = format!(
            "not claimed by {}: {} methods: {}",
            names.join(", "),
            methods.len(),
            list.join(", ")
        );
        let options = textwrap::Options::new(WIDTH).subsequent_indent("  ");
        let _ = writeln!(text, "{}\n", textwrap::fill(&line, options));
    }
    text
}

fn indented(text: &str) -> String {
    let options =
        textwrap::Options::new(WIDTH).initial_indent("      ").subsequent_indent("      ");
    textwrap::fill(text, options) + "\n"
}
