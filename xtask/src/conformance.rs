//! `cargo xtask conformance`.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Command, FromArgMatches};
use ff_conformance::{
    Case, HarnessError, Options, Report, Selection, Status, closing_line, details_text, finish,
    run_backend, skip_backend, summary_text,
};
use ff_core::contract::{Malformed, Version, versions};
use ff_provision::Servers;

use crate::backends::{Backend, Time};
use crate::progress::{Bar, colour};
use crate::servers::{ImageArguments, with_servers};
use crate::{BREAKS, CONFORMS, Outcome};

#[derive(Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of the command line.
pub(crate) struct Arguments {
    /// Backends to run the suite on; all of them if none is named
    backends: Vec<Backend>,
    /// Only cases of this chapter
    #[arg(long, value_name = "NAME")]
    chapter: Vec<String>,
    /// Only this case, or the cases whose slug begins with this up to a dot
    #[arg(long, value_name = "SLUG")]
    case: Vec<String>,
    /// Only cases that check this clause
    #[arg(long, value_name = "ID")]
    clause: Vec<String>,
    /// Backends that must be there, by name or `all`; one that is missing is a failure
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    require: Vec<String>,
    #[command(flatten)]
    pub(crate) images: ImageArguments,
    /// Cases at once, twice the number of cores by default
    #[arg(long, value_name = "N", default_value_t = Options::default().jobs, hide_default_value = true)]
    jobs: usize,
    /// Where every random choice starts; drawn if not given
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Runs the cases in an order that follows from the seed
    #[arg(long)]
    shuffle: bool,
    /// Runs each case this often
    #[arg(long, value_name = "N", default_value_t = 1)]
    repeat: usize,
    /// This many times as many generated sequences and histories as usual
    #[arg(long, value_name = "N", default_value_t = 1)]
    long: usize,
    /// The version of the contract that backends are held to; what they break of newer clauses is told apart
    #[arg(long, value_name = "VERSION", default_value_t = Version::latest(), value_parser = published)]
    contract: Version,
    /// Lets time pass by waiting, as on backends without a clock that the suite can turn
    #[arg(long)]
    wall_clock: bool,
    /// Also fails if a SHOULD is not kept
    #[arg(long)]
    strict: bool,
    /// Also shows which methods are not claimed, and what generated calls were answered
    #[arg(long, short)]
    verbose: bool,
    /// Shows the cases instead of running them
    #[arg(long)]
    list: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "target/conformance")]
    report: PathBuf,
}

impl Arguments {
    /// The whole suite on every backend, these of which must be there, with its SHOULDs.
    pub(crate) fn requiring(names: &[String], time: Time) -> Self {
        let defaults = Command::new("conformance");
        let matches = Self::augment_args(defaults).get_matches_from(["conformance"]);
        let mut arguments = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        arguments.require = names.to_vec();
        arguments.strict = true;
        arguments.wall_clock = time == Time::Passing;
        arguments
    }
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    with_servers(&arguments.images, async |servers| run_on(arguments, servers).await)
}

pub(crate) async fn run_on(arguments: &Arguments, servers: &Servers) -> Outcome {
    let selection = Selection {
        chapters: arguments.chapter.clone(),
        cases: arguments.case.clone(),
        clauses: arguments.clause.clone(),
    };
    let cases = selection.choose()?;
    if arguments.list {
        print!("{}", listing(&cases));
        return Ok(CONFORMS);
    }
    let required = required(&arguments.require)?;
    let report = run_suite(arguments, servers, &cases).await?;
    report.write(&arguments.report)?;
    if arguments.verbose {
        print!("{}", details_text(&report));
    }
    print!("{}", summary_text(&report, colour()));
    println!("report: {}", arguments.report.join("report.json").display());

    let missing: Vec<_> = required
        .iter()
        .filter(|backend| !ran(&report, **backend))
        .map(|backend| backend.name())
        .collect();
    if !missing.is_empty() {
        println!("required, but not there: {}", missing.join(", "));
    }
    let totals = report.totals();
    println!("{}", closing_line(totals));
    Ok(if totals.conforms(arguments.strict) && missing.is_empty() { CONFORMS } else { BREAKS })
}

async fn run_suite(
    arguments: &Arguments,
    servers: &Servers,
    cases: &[Case],
) -> Result<Report, HarnessError> {
    let started = Instant::now();
    let options = Options {
        seed: arguments.seed.unwrap_or_else(drawn),
        jobs: arguments.jobs,
        shuffle: arguments.shuffle,
        repeat: arguments.repeat,
        long: arguments.long,
        contract: arguments.contract,
        ..Options::default()
    };
    let chosen = match arguments.backends.as_slice() {
        [] => &Backend::ALL,
        named => named,
    };
    let time = if arguments.wall_clock { Time::Passing } else { Time::Turned };
    let mut backends = Vec::new();
    for backend in chosen {
        let url = backend.url_variable().filter(|name| std::env::var_os(name).is_some());
        backends.push(match backend.harness(servers, time).await {
            Ok(harness) => {
                let bar = Bar::new(backend.name(), cases.len() * options.repeat.max(1));
                let report = run_backend(&harness, cases, options, &bar).await;
                finish(&harness).await?;
                report
            }
            // Whoever asks for a backend, or names its server, means it: without it nothing was found out.
            Err(missing) if !arguments.backends.is_empty() || url.is_some() => {
                return Err(format!("{} was asked for: {missing}", backend.name()).into());
            }
            Err(missing) => skip_backend(backend.name(), &missing.reason, cases),
        });
    }
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Report::new(options, millis, backends))
}

/// A version of the contract that there is.
fn published(text: &str) -> Result<Version, String> {
    let version: Version = text.parse().map_err(|error: Malformed| error.to_string())?;
    let known = versions();
    if known.contains(&version) {
        return Ok(version);
    }
    let known: Vec<_> = known.iter().map(ToString::to_string).collect();
    Err(format!("the versions of the contract are {}", known.join(", ")))
}

/// A seed short enough to type.
fn drawn() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()) % 100_000_000)
}

pub(crate) fn required(names: &[String]) -> Result<Vec<Backend>, String> {
    let mut required = Vec::new();
    for name in names {
        match Backend::ALL.into_iter().find(|backend| backend.name() == name) {
            _ if name == "all" => required.extend(Backend::ALL),
            Some(backend) => required.push(backend),
            None => return Err(format!("--require: there is no backend {name:?}")),
        }
    }
    Ok(required)
}

fn ran(report: &Report, backend: Backend) -> bool {
    report.backends.iter().any(|seen| {
        seen.name == backend.name() && seen.cases.iter().any(|case| case.status != Status::Skipped)
    })
}

/// One line a case: slug, clauses, needs.
fn listing(cases: &[Case]) -> String {
    let slug = cases.iter().map(|case| case.slug.len()).max().unwrap_or(0);
    let clauses = cases.iter().map(|case| case.clauses.join(" ").len()).max().unwrap_or(0);
    let line = |case: &Case| {
        let needs: Vec<_> = case.needs.iter().map(ToString::to_string).collect();
        let line = format!(
            "{:slug$}  {:clauses$}  {}",
            case.slug,
            case.clauses.join(" "),
            needs.join(" ")
        );
        line.trim_end().to_owned() + "\n"
    };
    cases.iter().map(line).collect()
}
