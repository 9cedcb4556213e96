//! Runs of the suite: statuses, reports, and what a failure says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use ff_conformance::{
    BackendReport, Case, CaseInfo, CaseReport, Deployment, Harness, HarnessError, KnownDifference,
    ModelHarness, Options, Progress, Report, SCHEMA, Selection, Status, closing_line, details_text,
    failure_text, registry, run_backend, skip_backend, summary_text,
};
use ff_core::backend::CancelFlowWait;
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::{Capabilities, Supports};
use ff_core::clock::{Clock, ManualClock};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_mock::MockBackend;

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}

static OPTIONS: LazyLock<Options> =
    LazyLock::new(|| Options { seed: 7, jobs: 16, ..Options::default() });

async fn run(harness: impl Harness, cases: &[Case], options: Options) -> BackendReport {
    let harness: Arc<dyn Harness> = Arc::new(harness);
    run_backend(&harness, cases, options, &Silent).await
}

fn statuses(report: &BackendReport) -> BTreeMap<String, Status> {
    let cases = report.cases.iter();
    cases.map(|case| (case.slug.clone(), case.status)).collect()
}

/// Deploys the model, changed in some way.
struct Changed {
    clock: bool,
    change: fn(MockBackend) -> Arc<dyn ff_core::engine_backend::EngineBackend>,
}

#[async_trait]
impl Harness for Changed {
    fn name(&self) -> &str {
        "changed"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = if self.clock { ManualClock::new().into() } else { Clock::Server };
        let backend = (self.change)(MockBackend::conforming_with(clock.clone()));
        Ok(Deployment::new(backend).with_clock(clock))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_passes_in_any_order_and_width() {
    let cases = registry();
    let first = run(ModelHarness::default(), &cases, *OPTIONS).await;
    assert_eq!(first.totals.failed, 0);
    assert!(first.totals.passed > 200);
    for options in [Options { jobs: 1, ..*OPTIONS }, Options { shuffle: true, seed: 8, ..*OPTIONS }]
    {
        let again = run(ModelHarness::default(), &cases, options).await;
        assert_eq!(statuses(&again), statuses(&first), "{options:?}");
    }
    let repeated =
        run(ModelHarness::default(), &cases[..10], Options { repeat: 3, ..*OPTIONS }).await;
    assert_eq!(repeated.cases.len(), 30);
}

/// Forgets results, and says that it does not; and has neither frames to tail nor documents.
struct Forgetful(MockBackend);

#[async_trait]
impl Dispatch for Forgetful {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        match self.0.dispatch(call).await {
            Ok(Reply::GetExecutionResult(_)) => Ok(Reply::GetExecutionResult(None)),
            Ok(Reply::TailStream(_)) => Err(EngineError::Unavailable { op: "tail_stream" }),
            Ok(Reply::ReadSummary(_)) => Err(EngineError::Unavailable { op: "read_summary" }),
            answer => answer,
        }
    }

    fn backend_label(&self) -> &'static str {
        "mock"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Dispatch::capabilities(&self.0);
        capabilities.supports.tail_stream = false;
        capabilities.supports.read_summary = false;
        capabilities
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_tells_clause_difference_and_rerun() {
    let cases =
        Selection { cases: vec!["executions.reads.result".to_owned()], ..Selection::default() };
    let harness = Changed { clock: true, change: |model| Arc::new(Forgetful(model)) };
    let report = run(harness, &cases.choose().unwrap(), *OPTIONS).await;
    assert_eq!(report.totals.failed, 1);
    let text = failure_text("changed", &report.cases[0], false);
    // The first line ends in how long it took.
    let (first, rest) = text.split_once('\n').expect("a failure has several lines");
    assert!(first.starts_with("FAIL  executions.reads.result  on changed"), "{first}");
    insta::assert_snapshot!(rest);
}

/// Forgets results, and its author knows.
struct Known;

#[async_trait]
impl Harness for Known {
    fn name(&self) -> &str {
        "known"
    }

    async fn deploy(&self, case: &CaseInfo) -> Result<Deployment, HarnessError> {
        Changed { clock: true, change: |model| Arc::new(Forgetful(model)) }.deploy(case).await
    }

    fn known_differences(&self) -> Vec<KnownDifference> {
        let ok = || "ok".to_owned();
        vec![KnownDifference { method: Method::GetExecutionResult, expected: ok(), answered: ok() }]
    }

    fn regressions(&self) -> Option<PathBuf> {
        None
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequences_end_at_differences_that_are_known() {
    let slug = "system.interactions.sequences".to_owned();
    let cases = Selection { cases: vec![slug], ..Selection::default() }.choose().unwrap();
    let report = run(Known, &cases, *OPTIONS).await;
    let case = &report.cases[0];
    assert_eq!(case.status, Status::Passed, "{:?}", case.failure);
    let generated = case.generated.as_ref().unwrap();
    assert!(generated.cut > 10 && generated.cut <= generated.runs, "{} cut", generated.cut);
}

/// Claims nothing and answers everything.
struct Modest(MockBackend);

#[async_trait]
impl Dispatch for Modest {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        self.0.dispatch(call).await
    }

    fn backend_label(&self) -> &'static str {
        "mock"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Dispatch::capabilities(&self.0);
        capabilities.supports = Supports::none();
        capabilities
    }
}

/// Has nothing at all.
struct Absent;

#[async_trait]
impl Dispatch for Absent {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        let op = call.method().as_str();
        match call {
            Call::Prepare {} | Call::ShutdownPrepare { .. } | Call::ServerTimeMs {} => {
                MockBackend::new().dispatch(call).await
            }
            _ => Err(EngineError::Unavailable { op }),
        }
    }

    fn backend_label(&self) -> &'static str {
        "absent"
    }

    fn capabilities(&self) -> Capabilities {
        let identity = ff_core::capability::BackendIdentity::new(
            "absent",
            ff_core::capability::Version::new(0, 0, 0),
            "none",
        );
        Capabilities::new(identity, Supports::none())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn capabilities_are_promises_both_ways() {
    let cases = registry();
    let modest = Changed { clock: true, change: |model| Arc::new(Modest(model)) };
    let report = run(modest, &cases, *OPTIONS).await;
    let failed = report.cases.iter().find(|case| case.slug == "executions.create.waiting");
    let reason = failed.and_then(|case| case.reason.clone()).unwrap_or_default();
    assert!(reason.starts_with("create_execution is not claimed, so it answers"), "{reason}");

    let absent = Changed { clock: true, change: |_| Arc::new(Absent) };
    let report = run(absent, &cases, *OPTIONS).await;
    let failed = report.cases.iter().filter(|case| case.failure.is_some());
    let failed: Vec<_> = failed.map(|case| (&case.slug, &case.failure)).collect();
    assert!(failed.is_empty(), "nothing claimed, nothing broken: {failed:?}");
    assert!(report.totals.unsupported > 250, "{:?}", report.totals);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_case_needs_and_is_not_there_is_a_reasoned_skip() {
    let harness = Changed { clock: false, change: |model| Arc::new(model) };
    let report = run(harness, &registry(), *OPTIONS).await;
    assert_eq!(report.totals.failed, 0);
    let skipped = report.cases.iter().filter(|case| case.status == Status::Skipped);
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for case in skipped {
        *reasons.entry(case.reason.as_deref().unwrap()).or_default() += 1;
    }
    assert!(reasons.remove("the deployment has no clock").unwrap() > 10);
    assert!(reasons.remove("the deployment has no nemesis").unwrap() > 1);
    assert!(reasons.remove("the deployment has no housekeeping").unwrap() > 1);
    assert_eq!(reasons.remove("the deployment has no vandal"), Some(6));
    assert_eq!(reasons, BTreeMap::new());
}

/// Cancels flows, and does not wait for that.
struct Hurried(MockBackend);

#[async_trait]
impl Dispatch for Hurried {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        match call {
            Call::CancelFlow { wait, .. } if wait != CancelFlowWait::NoWait => {
                Err(EngineError::Unavailable { op: "cancel_flow" })
            }
            call => self.0.dispatch(call).await,
        }
    }

    fn backend_label(&self) -> &'static str {
        "mock"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Dispatch::capabilities(&self.0);
        capabilities.supports.cancel_flow_wait_timeout = false;
        capabilities.supports.cancel_flow_wait_indefinite = false;
        capabilities
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_is_not_claimed_is_unsupported() {
    let harness = Changed { clock: true, change: |model| Arc::new(Hurried(model)) };
    let report = run(harness, &registry(), *OPTIONS).await;
    let failed: Vec<_> = report.cases.iter().filter(|case| case.failure.is_some()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let why = Some("cancel_flow is not claimed in this form");
    let unsupported = report.cases.iter().filter(|case| case.reason.as_deref() == why);
    assert!((2..20).contains(&unsupported.count()));
}

/// Has no clock that can be turned.
struct OnTheWall {
    patience: Duration,
    skew: Duration,
}

#[async_trait]
impl Harness for OnTheWall {
    fn name(&self) -> &str {
        "on the wall"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let deployment = Deployment::new(Arc::new(MockBackend::conforming()));
        Ok(deployment.with_patience(self.patience).with_skew(self.skew))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_wait_longer_than_its_author_is_skipped() {
    let impatient = OnTheWall { patience: Duration::ZERO, skew: Duration::ZERO };
    let report = run(impatient, &registry(), *OPTIONS).await;
    assert_eq!(report.totals.failed, 0);
    let why = Some("it would wait for longer than 0ns");
    let skipped = report.cases.iter().filter(|case| case.reason.as_deref() == why);
    assert!(skipped.clone().all(|case| case.status == Status::Skipped));
    assert!(skipped.count() > 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_differs_is_met_with_longer_waits() {
    let reads = Selection { cases: vec!["executions.reads".to_owned()], ..Selection::default() };
    let skewed = OnTheWall { patience: Duration::from_secs(2), skew: Duration::from_millis(10) };
    let report = run(skewed, &reads.choose().unwrap(), *OPTIONS).await;
    assert_eq!(report.totals.failed, 0);
    assert!(report.totals.passed > 10);
}

/// Cannot be deployed.
struct Broken;

#[async_trait]
impl Harness for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        Err("no route to host".into())
    }
}

/// Never gets anywhere, or dies on the way.
struct Hopeless {
    dies: bool,
}

#[async_trait]
impl Harness for Hopeless {
    fn name(&self) -> &str {
        "hopeless"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        assert!(!self.dies, "nothing to deploy");
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_hangs_or_dies_is_a_failure_of_its_case() {
    for (dies, why) in [(false, "longer than 60s"), (true, "nothing to deploy")] {
        let report = run(Hopeless { dies }, &registry()[..3], *OPTIONS).await;
        assert_eq!(report.totals.failed, 3);
        for case in &report.cases {
            let failure = case.failure.as_ref().unwrap();
            assert!(failure.setup && failure.message.contains(why), "{}", failure.message);
        }
    }
}

/// Serves one case at a time, and counts what is there at once and in all.
#[derive(Clone, Default)]
struct Exclusive {
    firsts: Arc<AtomicUsize>,
    seconds: Arc<AtomicUsize>,
    all: Arc<AtomicUsize>,
}

/// One less when it is dropped.
struct Gone(Arc<AtomicUsize>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Exclusive {
    fn deployment(&self, counted: &Arc<AtomicUsize>) -> Deployment {
        self.all.fetch_add(1, Ordering::SeqCst);
        let before = counted.fetch_add(1, Ordering::SeqCst);
        assert_eq!(before, 0, "one at a time");
        let clock = ManualClock::new();
        let model = Arc::new(MockBackend::conforming_with(clock.clone()));
        Deployment::new(model).with_clock(clock).with_guard(Gone(Arc::clone(counted)))
    }
}

#[async_trait]
impl Harness for Exclusive {
    fn name(&self) -> &str {
        "exclusive"
    }

    fn is_exclusive(&self) -> bool {
        true
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        Ok(self.deployment(&self.firsts))
    }

    async fn deploy_second(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        assert_eq!(self.firsts.load(Ordering::SeqCst), 1, "beside a first");
        Ok(self.deployment(&self.seconds))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusive_harness_serves_one_case_at_a_time() {
    let harness = Exclusive::default();
    let report = run(harness.clone(), &registry(), *OPTIONS).await;
    let broken = report.cases.iter().find(|case| case.failure.is_some());
    assert!(broken.is_none(), "{broken:?}");
    let skipped = report.totals.skipped;
    assert!(skipped > 20, "cases that need what is not there");
    let played = report.cases.len() - skipped;
    let all = harness.all.load(Ordering::SeqCst);
    assert!(all >= played, "{all} deployments of {played} cases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_newer_than_the_contract_fails_nothing() {
    let cases = Selection { clauses: vec!["EXE-023".to_owned()], ..Selection::default() };
    let cases = cases.choose().unwrap();
    let forgetful = || Changed { clock: true, change: |model| Arc::new(Forgetful(model)) };
    let older = Options { contract: "0.0".parse().unwrap(), ..*OPTIONS };
    let report = run(forgetful(), &cases, older).await;
    assert_eq!(report.totals.failed, 0);
    assert!(report.totals.newer > 0 && report.totals.conforms(true), "{:?}", report.totals);
    let report = run(forgetful(), &cases, *OPTIONS).await;
    assert!(report.totals.failed > 0 && report.totals.newer == 0, "{:?}", report.totals);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_should_that_is_not_kept_is_advised() {
    let cases = Selection { clauses: vec!["EXE-049".to_owned()], ..Selection::default() };
    let deviant = ff_conformance::deviants::all();
    let deviant = deviant.into_iter().find(|deviant| deviant.breaks == "EXE-049").unwrap();
    let seen = ff_conformance::seen_by(deviant, &cases.choose().unwrap(), *OPTIONS).await;
    assert!(!seen.is_empty() && seen.iter().all(|case| case.status == Status::Advised));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_report_obeys_the_schema() {
    let cases = registry();
    let forgetful = Changed { clock: false, change: |model| Arc::new(Forgetful(model)) };
    let backends = vec![
        run(ModelHarness::default(), &cases, *OPTIONS).await,
        run(forgetful, &cases, *OPTIONS).await,
        run(Broken, &cases[..3], *OPTIONS).await,
        skip_backend("elsewhere", "install it", &cases[..3]),
    ];
    assert_eq!(backends[2].totals.failed, 3);
    assert_eq!(backends[3].totals.skipped, 3);
    let report = Report::new(*OPTIONS, 12, backends);
    assert_eq!(report.contract.uncovered, Vec::<String>::new());
    assert_eq!(report.methods.total, 115);

    let schema = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    let back: Report = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(serde_json::to_value(&back).unwrap(), json);

    let mut wrong = json;
    wrong["backends"][0]["cases"][0]["status"] = "fine".into();
    assert!(!validator.is_valid(&wrong));

    let details = details_text(&report);
    assert!(
        details.contains("not claimed by changed: 2 methods: read_summary, tail_stream"),
        "{details}"
    );
    let text = summary_text(&report, false);
    assert!(text.contains("elsewhere: 3 skipped: install it"), "{text}");
    assert!(text.contains("FF_CONFORMANCE_SEED=7 cargo test --test all -- --exact "), "{text}");
    let totals = report.totals();
    let line = closing_line(totals);
    assert!(line.starts_with(&format!("{} passed, {} failed, ", totals.passed, totals.failed)));
}
