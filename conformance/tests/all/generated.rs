//! What generated sequences do with what they find.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use ff_conformance::{
    CaseInfo, CaseReport, Deployment, Harness, HarnessError, ModelHarness, Options, Progress,
    Recording, Selection, Status, play_recording, run_backend,
};
use ff_core::call::{Call, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_mock::MockBackend;

/// The model, but for tags under one key, which it keeps under another.
struct Wrong(MockBackend);

#[async_trait]
impl Dispatch for Wrong {
    async fn dispatch(&self, mut call: Call) -> Result<Reply, EngineError> {
        if let Call::SetExecutionTag { key, .. } = &mut call
            && key == "app.k2"
        {
            key.truncate("app.k".len());
        }
        call.send(&self.0).await
    }

    fn backend_label(&self) -> &'static str {
        Dispatch::backend_label(&self.0)
    }

    fn capabilities(&self) -> Capabilities {
        Dispatch::capabilities(&self.0)
    }
}

struct WrongHarness(PathBuf);

#[async_trait]
impl Harness for WrongHarness {
    fn name(&self) -> &'static str {
        "wrong"
    }

    async fn deploy(&self, _: &CaseInfo) -> Result<Deployment, HarnessError> {
        let clock = ManualClock::new();
        let backend = Wrong(MockBackend::conforming_with(clock.clone()));
        Ok(Deployment::new(Arc::new(backend)).with_clock(clock))
    }

    fn regressions(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

struct Silent;

impl Progress for Silent {
    fn done(&self, _: &CaseReport) {}
}

async fn sequences(harness: &Arc<dyn Harness>, seed: u64) -> CaseReport {
    let selection = Selection {
        cases: vec!["system.interactions.sequences".to_owned()],
        ..Selection::default()
    };
    let options = Options { seed, ..Options::default() };
    let cases = selection.choose().unwrap();
    let report = run_backend(harness, &cases, options, &Silent).await;
    report.cases.into_iter().next().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_is_told_briefly_kept_and_played_first() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("regressions");
    let harness: Arc<dyn Harness> = Arc::new(WrongHarness(kept.clone()));
    let found = sequences(&harness, 5).await;
    assert_eq!(found.status, Status::Advised);
    let failure = found.failure.unwrap();
    let story = &failure.story;
    assert!(story.len() <= 4, "{story:#?}");
    assert!(story[0].starts_with("create_execution"), "{story:#?}");
    assert!(story[1].contains("key=app.k2"), "{story:#?}");
    assert!(!failure.differences.is_empty());

    let file = kept.join("wrong-5.json");
    assert!(failure.message.contains(&file.display().to_string()));
    let recording = Recording::read(&file).unwrap();
    assert_eq!(recording.found_on, "wrong");
    let again = play_recording(&harness, &recording).await.unwrap();
    assert!(again.difference.is_some());
    let model: Arc<dyn Harness> = Arc::new(ModelHarness::default());
    let right = play_recording(&model, &recording).await.unwrap();
    assert!(right.difference.is_none());
    assert_eq!(right.story.len(), recording.steps.len());

    // With another seed it is the kept one that fails, before anything is generated.
    let first = sequences(&harness, 6).await;
    assert!(first.generated.is_none());
    let message = first.failure.unwrap().message;
    assert!(message.contains(&file.display().to_string()), "{message}");
}

#[test]
fn what_is_no_recording_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.json");
    assert!(Recording::read(&path).unwrap_err().to_string().contains("x.json"));
    std::fs::write(&path, "{}").unwrap();
    let error = Recording::read(&path).unwrap_err().to_string();
    assert!(error.contains("no recording of a sequence"), "{error}");
}
