//! A report as text for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use ff_core::contract;
use owo_colors::{OwoColorize, Style};

use crate::report::{BackendReport, CaseReport, Report, Status, Totals};

/// Columns that clause texts are wrapped to.
const WIDTH: usize = 92;

/// The failures in full, then one line a chapter and backend.
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
    let rows: Vec<_> = report.backends.iter().flat_map(rows).collect();
    let name = rows
        .iter()
        .map(|row| row.backend.len())
        .max()
        .unwrap_or(0)
        .max(7);
    let chapter = rows
        .iter()
        .map(|row| row.chapter.len())
        .max()
        .unwrap_or(0)
        .max(7);
    let _ = writeln!(
        text,
        "{:name$}  {:chapter$}  {:>6}  {:>6}  {:>11}  {:>7}  {:>8}",
        "backend", "chapter", "passed", "failed", "unsupported", "skipped", "time"
    );
    for row in rows {
        let style = match row.totals {
            _ if !colour => Style::new(),
            Totals { failed: 1.., .. } => Style::new().red(),
            Totals { skipped: 1.., .. }
            | Totals {
                unsupported: 1.., ..
            } => Style::new().yellow(),
            _ => Style::new().green(),
        };
        let Totals {
            passed,
            failed,
            unsupported,
            skipped,
        } = row.totals;
        let line = format!(
            "{:name$}  {:chapter$}  {passed:>6}  {failed:>6}  {unsupported:>11}  {skipped:>7}  {:>5} ms",
            row.backend, row.chapter, row.millis
        );
        let _ = writeln!(text, "{}", line.style(style));
    }
    for backend in &report.backends {
        text += &reasons(backend);
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

/// The last line of a run.
pub fn closing_line(totals: Totals) -> String {
    let Totals {
        passed,
        failed,
        unsupported,
        skipped,
    } = totals;
    format!("{passed} passed, {failed} failed, {unsupported} unsupported, {skipped} skipped")
}

/// A failure, so that someone who has never seen the code knows what broke and how to see it again.
pub fn failure_text(backend: &str, case: &CaseReport, colour: bool) -> String {
    let style = if colour {
        Style::new().red().bold()
    } else {
        Style::new()
    };
    let mut text = String::new();
    let head = format!("{}  on {backend}", case.slug);
    let _ = writeln!(
        text,
        "{}  {head:<70}  {:>6} ms",
        "FAIL".style(style),
        case.millis
    );
    for id in &case.clauses {
        if let Some(clause) = contract::clause(id) {
            text += &indented(&clause.to_string());
        }
    }
    let Some(failure) = &case.failure else {
        return text;
    };
    text += &indented(&failure.message);
    for difference in &failure.differences {
        let what = &difference.what;
        let gap = what.chars().count();
        let _ = writeln!(text, "        {what}  expected  {}", difference.expected);
        let _ = writeln!(text, "        {:gap$}  seen      {}", "", difference.seen);
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
    let mut chapters: Vec<&str> = backend
        .cases
        .iter()
        .map(|case| case.chapter.as_str())
        .collect();
    chapters.dedup();
    let mut seen = Vec::new();
    chapters.retain(|chapter| {
        let new = !seen.contains(chapter);
        seen.push(chapter);
        new
    });
    let row = |chapter| {
        let cases: Vec<_> = backend
            .cases
            .iter()
            .filter(|case| case.chapter == chapter)
            .cloned()
            .collect();
        Row {
            backend: &backend.name,
            chapter,
            totals: Totals::of(&cases),
            millis: cases.iter().map(|case| case.millis).sum(),
        }
    };
    chapters.into_iter().map(row).collect()
}

/// Why cases were skipped or unsupported, each reason once.
fn reasons(backend: &BackendReport) -> String {
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for case in &backend.cases {
        if matches!(case.status, Status::Skipped | Status::Unsupported)
            && let Some(reason) = &case.reason
        {
            *counts.entry((case.status.to_string(), reason)).or_default() += 1;
        }
    }
    counts
        .iter()
        .fold(String::new(), |mut text, ((status, reason), count)| {
            let _ = writeln!(text, "{}: {count} {status}: {reason}", backend.name);
            text
        })
}

fn indented(text: &str) -> String {
    let options = textwrap::Options::new(WIDTH)
        .initial_indent("      ")
        .subsequent_indent("      ");
    textwrap::fill(text, options) + "\n"
}
