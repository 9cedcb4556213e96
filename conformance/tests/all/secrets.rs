//! What people read of a run has no secret and no token in it, however wrong the backend.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use ff_conformance::{
    CaseInfo, CaseReport, Deployment, Harness, HarnessError, Options, Progress, Report,
    details_text, registry, run_backend, summary_text,
};
use ff_core::backend::{SuspendOutcome, SuspendOutcomeDetails};
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{EngineError, StateKind};
use ff_core::types::{SuspensionId, WaitpointToken};
use ff_mock::MockBackend;

/// Secrets and tokens that were in calls and answers.
type Seen = Arc<Mutex<BTreeSet<String>>>;

/// Does everything, and gives a wrong answer to everything about waitpoints.
struct Wrong {
    model: MockBackend,
    seen: Seen,
}

impl Wrong {
    fn keep(&self, text: &str) {
        let digest = text.split_once(':').map_or(text, |(_, digest)| digest);
        if digest.len() >= 32 {
            self.seen.lock().unwrap().insert(digest.to_owned());
        }
    }

    fn keep_all(&self, details: &SuspendOutcomeDetails) {
        self.keep(details.waitpoint_token.as_str());
        for other in &details.additional_waitpoints {
            self.keep(other.waitpoint_token.as_str());
        }
    }
}

#[async_trait]
impl Dispatch for Wrong {
    async fn dispatch(&self, call: Call) -> Result<Reply, EngineError> {
        match &call {
            Call::SeedWaitpointHmacSecret { args } => self.keep(&args.secret_hex),
            Call::RotateWaitpointHmacSecretAll { args } => self.keep(&args.new_secret_hex),
            _ => {}
        }
        let mut answer = self.model.dispatch(call).await;
        match &mut answer {
            Ok(Reply::CreateWaitpoint(made)) => {
                self.keep(made.hmac_token.as_str());
                made.hmac_token = ff_core::backend::WaitpointHmac::new(
                    made.hmac_token.as_str().replace(':', ":a"),
                );
            }
            Ok(Reply::Suspend(outcome) | Reply::SuspendByTriple(outcome)) => {
                if let SuspendOutcome::Suspended { details, .. } = outcome {
                    self.keep_all(details);
                    details.suspension_id = SuspensionId::new();
                }
            }
            Ok(Reply::ReadWaitpointToken(Some(token))) => {
                self.keep(token);
                token.push('0');
            }
            Ok(Reply::ListPendingWaitpoints(page)) => {
                for entry in &mut page.entries {
                    entry.waitpoint_key.push('!');
                }
            }
            Ok(Reply::DeliverSignal(_)) => answer = Err(EngineError::State(StateKind::StaleLease)),
            Ok(Reply::SeedWaitpointHmacSecret(_)) if self.seen.lock().unwrap().len() > 40 => {
                answer = Err(EngineError::State(StateKind::StaleLease));
            }
            _ => {}
        }
        answer
    }

    fn backend_label(&self) -> &'static str {
        "mock"
    }

    fn capabilities(&self) -> Capabilities {
        Dispatch::capabilities(&self.model)
    }
}

struct WrongHarness(Seen);

#[async_trait]
impl Harness for WrongHarness {
    fn name(&self) -> &str {
        "wrong"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let model = MockBackend::conforming_with(clock.clone());
        let wrong = Wrong { model, seen: Arc::clone(&self.0) };
        Ok(Deployment::new(Arc::new(wrong)).with_clock(clock))
    }

    fn regressions(&self) -> Option<PathBuf> {
        None
    }
}

struct Told(Mutex<Vec<String>>);

impl Progress for Told {
    fn done(&self, case: &CaseReport) {
        self.0.lock().unwrap().push(format!("{case:?}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_shows() {
    let seen = Seen::default();
    let harness: Arc<dyn Harness> = Arc::new(WrongHarness(Arc::clone(&seen)));
    let cases = registry().into_iter();
    let cases: Vec<_> =
        cases.filter(|case| matches!(case.chapter(), "suspension" | "system")).collect();
    let progress = Told(Mutex::default());
    let report = run_backend(&harness, &cases, Options::default(), &progress).await;
    assert!(report.totals.failed > 30, "{} have failed", report.totals.failed);
    let report = Report::new(Options::default(), 0, vec![report]);
    let texts = [
        ("the report", serde_json::to_string(&report).unwrap()),
        ("the screen", summary_text(&report, false)),
        ("the details", details_text(&report)),
        ("the progress", progress.0.into_inner().unwrap().concat()),
    ];
    let seen = seen.lock().unwrap();
    assert!(seen.len() > 40, "{} secrets and tokens were seen", seen.len());
    for (what, text) in &texts {
        for secret in &*seen {
            assert!(!text.contains(secret.as_str()), "{what} has {secret} in it");
            // Nor its beginning.
            assert!(!text.contains(&secret[..12]), "{what} has {}… in it", &secret[..12]);
        }
    }
}

#[test]
fn tokens_show_their_kid_and_length() {
    let token = WaitpointToken::new(format!("kid:{}", "0a".repeat(20)));
    for shown in [format!("{token}"), format!("{token:?}")] {
        assert!(shown.contains("kid") && shown.contains("44 bytes"), "{shown}");
        assert!(!shown.contains("0a0a"), "{shown}");
    }
}
