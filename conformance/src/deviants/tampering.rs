//! What a deviant does to the model: to calls, to answers, to records, or around a whole call.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ff_core::backend::{BackendTag, CapabilitySet, HandlePayload};
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::ManualClock;
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId};
use ff_mock::{EdgeGroup, Execution, MemoryStore, Model, Settings, Snapshot, Stored, Take, Tamper};

pub(super) type Answer = Result<Reply, EngineError>;

type OnCall = Box<dyn Fn(&mut Call) + Send + Sync>;
type OnDue = Box<dyn Fn(&mut Vec<Call>) + Send + Sync>;
type OnAnswer = Box<dyn Fn(&Call, &mut Answer) + Send + Sync>;
type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
type Around = Box<dyn for<'a> Fn(&'a Subject, Call) -> Answering<'a> + Send + Sync>;

/// The ways to break a rule; any may be combined.
#[derive(Default)]
pub(super) struct Tampering {
    on_call: Option<OnCall>,
    on_answer: Option<OnAnswer>,
    on_due: Option<OnDue>,
    on_write: Option<Tamper>,
    around: Option<Around>,
    on_capabilities: Option<fn(&mut Capabilities)>,
    label: Option<&'static str>,
}

/// Changes calls before the model sees them.
pub(super) fn call(change: impl Fn(&mut Call) + Send + Sync + 'static) -> Tampering {
    Tampering::default().call(change)
}

/// Changes the model's answers.
pub(super) fn answer(change: impl Fn(&Call, &mut Answer) + Send + Sync + 'static) -> Tampering {
    Tampering::default().answer(change)
}

/// Changes what is listed as due.
pub(super) fn due(change: impl Fn(&mut Vec<Call>) + Send + Sync + 'static) -> Tampering {
    Tampering { on_due: Some(Box::new(change)), ..Tampering::default() }
}

/// Changes executions as they are written, given what they replace.
pub(super) fn write(
    change: impl Fn(Option<&Execution>, &mut Execution) + Send + Sync + 'static,
) -> Tampering {
    Tampering::default().write(change)
}

/// Changes edge groups as they are written, given what they replace.
pub(super) fn group(
    change: impl Fn(Option<&EdgeGroup>, &mut EdgeGroup) + Send + Sync + 'static,
) -> Tampering {
    Tampering::default().damage(change)
}

/// Answers calls with the help of the model.
pub(super) fn around(
    answer: impl for<'a> Fn(&'a Subject, Call) -> Answering<'a> + Send + Sync + 'static,
) -> Tampering {
    Tampering { around: Some(Box::new(answer)), ..Tampering::default() }
}

/// Changes what the model says of itself.
pub(super) fn capabilities(change: fn(&mut Capabilities)) -> Tampering {
    Tampering { on_capabilities: Some(change), ..Tampering::default() }
}

/// Gives the model another label.
pub(super) fn label(label: &'static str) -> Tampering {
    Tampering { label: Some(label), ..Tampering::default() }
}

impl Tampering {
    pub(super) fn call(mut self, change: impl Fn(&mut Call) + Send + Sync + 'static) -> Self {
        self.on_call = Some(Box::new(change));
        self
    }

    pub(super) fn answer(
        mut self,
        change: impl Fn(&Call, &mut Answer) + Send + Sync + 'static,
    ) -> Self {
        self.on_answer = Some(Box::new(change));
        self
    }

    pub(super) fn write(
        self,
        change: impl Fn(Option<&Execution>, &mut Execution) + Send + Sync + 'static,
    ) -> Self {
        self.damage(change)
    }

    /// Changes records of one type as they are written, given what they replace.
    pub(super) fn damage<R: Stored>(
        mut self,
        change: impl Fn(Option<&R>, &mut R) + Send + Sync + 'static,
    ) -> Self {
        self.on_write = Some(Arc::new(move |before, after| {
            if let Some(after) = R::of_mut(after) {
                change(before.and_then(R::of).map(AsRef::as_ref), after);
            }
        }));
        self
    }

    /// The model on this clock, tampered with.
    pub(super) fn deploy(mut self, clock: &ManualClock) -> Subject {
        let mut store = MemoryStore::new(clock.clone());
        if let Some(tamper) = self.on_write.take() {
            store = store.tampered(tamper);
        }
        Subject { model: Model::new(store, settings()), clock: clock.clone(), tampering: self }
    }
}

/// The model, with what is done to it.
pub(super) struct Subject {
    pub(super) model: Model,
    pub(super) clock: ManualClock,
    tampering: Tampering,
}

impl Subject {
    /// A field of an execution, as the untampered model shows it.
    pub(super) async fn field(&self, id: &ExecutionId, name: &str) -> Option<String> {
        let call = Call::ReadExecCoreFields {
            partition: Partition { family: PartitionFamily::Execution, index: id.partition() },
            execution_id: id.clone(),
            fields: vec![name.to_owned()],
        };
        match self.model.dispatch(call).await {
            Ok(Reply::ReadExecCoreFields(mut fields)) => fields.remove(name).flatten(),
            _ => None,
        }
    }

    /// What a claim would find, by partition.
    pub(super) async fn claimable(
        &self,
        lane: &LaneId,
        offered: &CapabilitySet,
    ) -> BTreeMap<u16, Vec<ExecutionId>> {
        let held = Snapshot::of(self.model.store()).await;
        held.claimable(lane, offered)
    }

    /// A claim that takes this.
    pub(super) async fn take(&self, take: Take, claim: Call) -> Answer {
        let store = self.model.store().clone().taking(take);
        Model::new(store, settings()).dispatch(claim).await
    }

    /// Leaves a mark on an execution that nobody asked for.
    pub(super) async fn leave_trace(&self, id: &ExecutionId) {
        let call = Call::SetExecutionTag {
            execution_id: id.clone(),
            key: "deviant.trace".to_owned(),
            value: "here".to_owned(),
        };
        // Where there is no execution, there is nothing to leave a mark on.
        let _ = self.model.dispatch(call).await;
    }
}

#[async_trait]
impl Housekeeping for Subject {
    async fn due(&self, partition: &PartitionKey, limit: usize) -> Result<Vec<Call>, EngineError> {
        let mut calls = self.model.due(partition, limit).await?;
        if let Some(change) = &self.tampering.on_due {
            change(&mut calls);
        }
        Ok(calls)
    }
}

#[async_trait]
impl Dispatch for Subject {
    async fn dispatch(&self, mut call: Call) -> Answer {
        if let Some(change) = &self.tampering.on_call {
            change(&mut call);
        }
        let mut answer = match &self.tampering.around {
            Some(around) => around(self, call.clone()).await,
            None => self.model.dispatch(call.clone()).await,
        };
        if let Some(change) = &self.tampering.on_answer {
            change(&call, &mut answer);
        }
        answer
    }

    fn backend_label(&self) -> &'static str {
        let honest = Dispatch::backend_label(&self.model);
        self.tampering.label.unwrap_or(honest)
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Dispatch::capabilities(&self.model);
        if let Some(change) = self.tampering.on_capabilities {
            change(&mut capabilities);
        }
        capabilities
    }
}

fn settings() -> Settings {
    Settings { tag: BackendTag::Mock, partitions: PartitionConfig::default() }
}

/// What the handle of a call under a lease carries.
pub(super) fn payload_of(call: &Call) -> Option<HandlePayload> {
    let handle = call.clone().handle_mut()?.clone();
    HandlePayload::open(BackendTag::Mock, &handle).ok()
}

/// The execution a call is about, if it has a handle or an id.
pub(super) fn target_of(call: &Call) -> Option<ExecutionId> {
    match call {
        Call::SetExecutionTag { execution_id, .. }
        | Call::PromoteDelayed { execution_id, .. }
        | Call::MarkLeaseExpiredIfDue { execution_id, .. } => Some(execution_id.clone()),
        Call::CancelExecution { args } => Some(args.execution_id.clone()),
        call => payload_of(call).map(|payload| payload.execution_id),
    }
}

/// Answers as one that succeeded was answered, where a call of this method overlapped it.
pub(super) fn succeeds_for_all(method: Method, succeeds: fn(&Reply) -> bool) -> Tampering {
    let done: Arc<Mutex<Vec<Reply>>> = Arc::default();
    around(move |subject, call| {
        let done = Arc::clone(&done);
        Box::pin(async move {
            if call.method() != method {
                return subject.model.dispatch(call).await;
            }
            let before = lock(&done).len();
            pause().await;
            let answer = subject.model.dispatch(call).await;
            let mut done = lock(&done);
            match &answer {
                Ok(reply) if succeeds(reply) => done.push(reply.clone()),
                _ => {
                    if let Some(success) = done.get(before) {
                        return Ok(success.clone());
                    }
                }
            }
            answer
        })
    })
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Long enough for other tasks to come between.
pub(super) async fn pause() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}
