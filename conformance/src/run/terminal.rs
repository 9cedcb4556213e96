//! A report as text for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use ff_core::contract::Level;
use owo_colors::{OwoColorize, Style};

use super::failures::{WIDTH, failures_text};
use super::report::{BackendReport, Report, Status, Totals};
use crate::stage::Coverage;

/// The failures in full, what was skipped and why, then one line a chapter and backend.
pub fn summary_text(report: &Report, colour: bool) -> String {
    let mut text = String::new();
    for backend in &report.backends {
        text += &failures_text(backend, colour);
    }
    text += &skipped(&report.backends);
    text += &servers(&report.backends);
    text += &table(&report.backends, colour);
    let _ = writeln!(
        text,
        "\ncontract {}: {} clauses ({} MUST), {} without a case; {} of {} methods have clauses of their own; seed {}",
        report.contract.version,
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
    let Totals { passed, failed, advised, newer, unsupported, skipped } = totals;
    let newer =
        if newer > 0 { format!(", {newer} newer than the contract") } else { String::new() };
    format!(
        "{passed} passed, {failed} failed, {advised} advised, {unsupported} unsupported, {skipped} skipped{newer}"
    )
}

/// A line for each backend and chapter: whether its MUSTs and its SHOULDs are kept, and how many cases have which
/// status.
fn table(backends: &[BackendReport], colour: bool) -> String {
    let rows: Vec<_> = backends.iter().flat_map(rows).collect();
    let name = rows.iter().map(|row| row.backend.len()).max().unwrap_or(0).max(7);
    let chapter = rows.iter().map(|row| row.chapter.len()).max().unwrap_or(0).max(7);
    let mut text = format!(
        "{:name$}  {:chapter$}  {:7}  {:7}  {:>6}  {:>6}  {:>7}  {:>11}  {:>7}  {:>8}\n",
        "backend",
        "chapter",
        "MUST",
        "SHOULD",
        "passed",
        "failed",
        "advised",
        "unsupported",
        "skipped",
        "time"
    );
    for row in rows {
        let style = match row.totals {
            _ if !colour => Style::new(),
            Totals { failed: 1.., .. } => Style::new().red(),
            Totals { advised: 1.., .. }
            | Totals { skipped: 1.., .. }
            | Totals { unsupported: 1.., .. } => Style::new().yellow(),
            _ => Style::new().green(),
        };
        let Totals { passed, failed, advised, newer: _, unsupported, skipped } = row.totals;
        let line = format!(
            "{:name$}  {:chapter$}  {:7}  {:7}  {passed:>6}  {failed:>6}  {advised:>7}  {unsupported:>11}  \
             {skipped:>7}  {:>5} ms",
            row.backend, row.chapter, row.must, row.should, row.millis
        );
        let _ = writeln!(text, "{}", line.style(style));
    }
    text
}

struct Row<'a> {
    backend: &'a str,
    chapter: &'a str,
    must: String,
    should: String,
    totals: Totals,
    millis: u64,
}

fn rows(backend: &BackendReport) -> Vec<Row<'_>> {
    let mut chapters: Vec<&str> =
        backend.chapters.iter().map(|chapter| chapter.chapter.as_str()).collect();
    chapters.dedup();
    let row = |name| {
        let of = || backend.chapters.iter().filter(|chapter| chapter.chapter == name);
        let verdict = |level| {
            let found = of().find(|chapter| chapter.level == level);
            found.map_or_else(|| "-".to_owned(), |chapter| chapter.verdict.to_string())
        };
        Row {
            backend: &backend.name,
            chapter: name,
            must: verdict(Level::Must),
            should: verdict(Level::Should),
            totals: of().map(|chapter| chapter.totals).sum(),
            millis: backend
                .cases
                .iter()
                .filter(|case| case.chapter == name)
                .map(|case| case.millis)
                .sum(),
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
                "{}: {} {what}{}, {} calls of {methods} methods with {} different refusals, {:.1} s",
                backend.name,
                made.runs,
                if made.cut > 0 { format!(" ({} cut)", made.cut) } else { String::new() },
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
