//! What a deviant does to the model: to calls, to answers, to records, or around a whole call.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::play::listing::page_call;
use async_trait::async_trait;
use ff_core::backend::{BackendTag, CapabilitySet, HandlePayload};
use ff_core::call::{Call, Method, Reply};
use ff_core::capability::Capabilities;
use ff_core::clock::ManualClock;
use ff_core::contracts::{CancelFlowResult, IssueClaimGrantArgs};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::{ContentionKind, EngineError};
use ff_core::housekeeping::Housekeeping;
use ff_core::partition::{Partition, PartitionConfig, PartitionFamily, PartitionKey};
use ff_core::types::{ExecutionId, LaneId, TimestampMs, WorkerId, WorkerInstanceId};
use ff_mock::{
    EdgeGroup, Execution, MemoryStore, Model, OnWrite, Queues, Settings, Snapshot, Stored, Take,
};

pub(crate) type Answer = Result<Reply, EngineError>;

type OnCall = Box<dyn Fn(&mut Call) + Send + Sync>;
type OnDue = Box<dyn Fn(&mut Vec<Call>) + Send + Sync>;
type OnAnswer = Box<dyn Fn(&Call, &mut Answer) + Send + Sync>;
type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;
type Around = Box<dyn for<'a> Fn(&'a Subject, Call) -> Answering<'a> + Send + Sync>;

/// The ways to break a rule; any may be combined.
#[derive(Default)]
pub(crate) struct Fault {
    on_call: Option<OnCall>,
    on_answer: Option<OnAnswer>,
    on_due: Option<OnDue>,
    on_write: Option<OnWrite>,
    around: Option<Around>,
    on_capabilities: Option<fn(&mut Capabilities)>,
    label: Option<&'static str>,
    blamed: Option<&'static str>,
}

/// Changes calls before the model sees them.
pub(crate) fn call(change: impl Fn(&mut Call) + Send + Sync + 'static) -> Fault {
    Fault::default().call(change)
}

/// Changes the model's answers.
pub(crate) fn answer(change: impl Fn(&Call, &mut Answer) + Send + Sync + 'static) -> Fault {
    Fault::default().answer(change)
}

/// Changes what is listed as due.
pub(crate) fn due(change: impl Fn(&mut Vec<Call>) + Send + Sync + 'static) -> Fault {
    Fault { on_due: Some(Box::new(change)), ..Fault::default() }
}

/// Changes executions as they are written, given what they replace.
pub(crate) fn write(
    change: impl Fn(Option<&Execution>, &mut Execution) + Send + Sync + 'static,
) -> Fault {
    Fault::default().write(change)
}

/// Changes edge groups as they are written, given what they replace.
pub(crate) fn group(
    change: impl Fn(Option<&EdgeGroup>, &mut EdgeGroup) + Send + Sync + 'static,
) -> Fault {
    Fault::default().damage(change)
}

/// Answers calls with the help of the model.
pub(crate) fn around(
    answer: impl for<'a> Fn(&'a Subject, Call) -> Answering<'a> + Send + Sync + 'static,
) -> Fault {
    Fault { around: Some(Box::new(answer)), ..Fault::default() }
}

/// Changes what the model says of itself.
pub(crate) fn capabilities(change: fn(&mut Capabilities)) -> Fault {
    Fault::default().claiming(change)
}

/// Gives the model another label.
pub(crate) fn label(label: &'static str) -> Fault {
    Fault { label: Some(label), ..Fault::default() }
}

/// Says of lost connections that they are this one's.
pub(crate) fn blames(blamed: &'static str) -> Fault {
    Fault { blamed: Some(blamed), ..Fault::default() }
}

impl Fault {
    pub(crate) fn call(mut self, change: impl Fn(&mut Call) + Send + Sync + 'static) -> Self {
        self.on_call = Some(Box::new(change));
        self
    }

    pub(crate) fn answer(
        mut self,
        change: impl Fn(&Call, &mut Answer) + Send + Sync + 'static,
    ) -> Self {
        self.on_answer = Some(Box::new(change));
        self
    }

    pub(crate) fn write(
        self,
        change: impl Fn(Option<&Execution>, &mut Execution) + Send + Sync + 'static,
    ) -> Self {
        self.damage(change)
    }

    /// Changes what the model says of itself.
    pub(crate) fn claiming(self, change: fn(&mut Capabilities)) -> Self {
        Self { on_capabilities: Some(change), ..self }
    }

    /// Changes records of one type as they are written, given what they replace.
    pub(crate) fn damage<R: Stored>(
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

    /// The model on this clock, with the fault.
    pub(crate) fn deploy(mut self, clock: &ManualClock) -> Subject {
        let mut store = MemoryStore::new(clock.clone());
        if let Some(on_write) = self.on_write.take() {
            store = store.with_on_write(on_write);
        }
        Subject { model: Model::new(store, settings()), clock: clock.clone(), fault: self }
    }
}

/// The model, with what is done to it.
pub(crate) struct Subject {
    pub(crate) model: Model,
    pub(crate) clock: ManualClock,
    fault: Fault,
}

impl Subject {
    /// Whose connection a lost one is said to be.
    pub(crate) fn blamed(&self) -> &'static str {
        self.fault.blamed.unwrap_or_else(|| Dispatch::backend_label(self))
    }

    /// What the model answers as it is.
    pub(crate) async fn ask(&self, call: Call) -> Answer {
        self.model.dispatch(call).await
    }

    /// A field of an execution, as the model as it is shows it.
    pub(crate) async fn field(&self, id: &ExecutionId, name: &str) -> Option<String> {
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
    pub(crate) async fn claimable(
        &self,
        lane: &LaneId,
        offered: &CapabilitySet,
    ) -> BTreeMap<u16, Vec<ExecutionId>> {
        let held = Snapshot::of(self.model.store()).await;
        let offered = offered.tokens.iter().cloned().collect();
        held.claimable(Queues::Fresh, lane, &offered, self.clock.now())
    }

    /// A claim that takes this.
    pub(crate) async fn take(&self, take: Take, claim: Call) -> Answer {
        let store = self.model.store().clone().taking(take);
        Model::new(store, settings()).dispatch(claim).await
    }

    /// Grants an execution to a worker.
    pub(crate) async fn grant_to(&self, id: &ExecutionId, worker: &WorkerId) {
        let lane = self.field(id, "lane_id").await.unwrap_or_default();
        let args = IssueClaimGrantArgs::new(
            id.clone(),
            LaneId::new(lane),
            worker.clone(),
            WorkerInstanceId::new("deviant"),
            Partition { family: PartitionFamily::Execution, index: id.partition() },
            BTreeSet::new(),
            1_000,
            TimestampMs(0),
        );
        // Where it cannot be granted, there is nothing to go on with.
        let _ = self.model.dispatch(Call::IssueClaimGrant { args }).await;
    }

    /// Leaves a mark on an execution that nobody asked for.
    pub(crate) async fn leave_trace(&self, id: &ExecutionId) {
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
        if let Some(change) = &self.fault.on_due {
            change(&mut calls);
        }
        Ok(calls)
    }
}

#[async_trait]
impl Dispatch for Subject {
    async fn dispatch(&self, mut call: Call) -> Answer {
        if let Some(change) = &self.fault.on_call {
            change(&mut call);
        }
        let mut answer = match &self.fault.around {
            Some(around) => around(self, call.clone()).await,
            None => self.model.dispatch(call.clone()).await,
        };
        if let Some(change) = &self.fault.on_answer {
            change(&call, &mut answer);
        }
        answer
    }

    fn backend_label(&self) -> &'static str {
        let honest = Dispatch::backend_label(&self.model);
        self.fault.label.unwrap_or(honest)
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Dispatch::capabilities(&self.model);
        if let Some(change) = self.fault.on_capabilities {
            change(&mut capabilities);
        }
        capabilities
    }
}

fn settings() -> Settings {
    Settings::new(BackendTag::Mock, PartitionConfig::default())
}

/// What the handle of a call under a lease carries.
pub(crate) fn payload_of(call: &Call) -> Option<HandlePayload> {
    let handle = call.clone().handle_mut()?.clone();
    HandlePayload::open(BackendTag::Mock, &handle).ok()
}

/// The execution a call is about, if it has a handle or an id.
pub(crate) fn target_of(call: &Call) -> Option<ExecutionId> {
    match call {
        Call::SetExecutionTag { execution_id, .. }
        | Call::PromoteDelayed { execution_id, .. }
        | Call::ExpireSuspension { execution_id, .. }
        | Call::CloseWaitpoint { execution_id, .. }
        | Call::UnblockExecution { execution_id, .. }
        | Call::ExpireExecution { execution_id, .. }
        | Call::MarkLeaseExpiredIfDue { execution_id, .. } => Some(execution_id.clone()),
        Call::CancelExecution { args } => Some(args.execution_id.clone()),
        Call::ChangePriority { args } => Some(args.execution_id.clone()),
        Call::BlockRoute { args } => Some(args.execution_id.clone()),
        Call::ReleaseBudget { args } => Some(args.execution_id.clone()),
        Call::BlockExecutionForAdmission { args } => Some(args.execution_id.clone()),
        Call::RevokeLease { args } => Some(args.execution_id.clone()),
        call => payload_of(call).map(|payload| payload.execution_id),
    }
}

/// Answers as one that succeeded was answered, where a call of this method overlapped it.
pub(crate) fn succeeds_for_all(method: Method, succeeds: fn(&Reply) -> bool) -> Fault {
    let done: Arc<Mutex<Vec<Reply>>> = Arc::default();
    around(move |subject, call| {
        let done = Arc::clone(&done);
        Box::pin(async move {
            if call.method() != method {
                return subject.ask(call).await;
            }
            let before = lock(&done).len();
            pause().await;
            let answer = subject.ask(call).await;
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Long enough for other tasks to come between.
pub(crate) async fn pause() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

/// Long enough for several calls of other tasks to come between.
pub(crate) async fn linger() {
    for _ in 0..6 {
        pause().await;
    }
}

/// Counts the calls that change something under a lease, while they are under way.
pub(crate) async fn counted(busy: &AtomicUsize, subject: &Subject, call: Call) -> Answer {
    busy.fetch_add(1, Ordering::SeqCst);
    pause().await;
    let answer = subject.ask(call).await;
    busy.fetch_sub(1, Ordering::SeqCst);
    answer
}

pub(crate) fn marks_repetitions_of(method: Method) -> Fault {
    let made: Mutex<Vec<Call>> = Mutex::default();
    around(move |subject, call| {
        let mut known = made.lock().unwrap_or_else(PoisonError::into_inner);
        let again = call.method() == method && known.contains(&call);
        if call.method() == method {
            known.push(call.clone());
        }
        drop(known);
        Box::pin(async move {
            let answer: Answer = subject.ask(call.clone()).await;
            let marked: Vec<ExecutionId> = match &answer {
                Ok(Reply::CancelFlow(CancelFlowResult::Cancelled {
                    member_execution_ids, ..
                })) => {
                    let members = member_execution_ids.iter();
                    members.filter_map(|id| ExecutionId::parse(id).ok()).collect()
                }
                _ => target_of(&call).into_iter().collect(),
            };
            for id in marked.iter().filter(|_| again) {
                subject.leave_trace(id).await;
            }
            answer
        })
    })
}

/// Takes a cursor of this list for the number of entries before it.
pub(crate) fn pages_by_number(method: Method) -> Fault {
    let places: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    around(move |subject, call| {
        let places = Arc::clone(&places);
        Box::pin(async move {
            let known = serde_json::to_value(&call).unwrap_or_default();
            let arguments = &known[method.as_str()];
            let place = match arguments["cursor"].as_str() {
                Some(cursor) => lock(&places).get(cursor).copied(),
                None => Some(0),
            };
            let limit = arguments["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
            let (Some(place), Some(limit)) = (place, limit) else {
                return subject.ask(call).await;
            };
            let partition = arguments["partition"].as_str().unwrap_or_default();
            let all = page_call(method, partition, None, limit.saturating_add(place));
            let answer = subject.ask(all.unwrap_or(call)).await?;
            let mut page = serde_json::to_value(&answer).unwrap_or_default();
            for entries in
                page[method.as_str()].as_object_mut().into_iter().flat_map(|page| page.values_mut())
            {
                if let Some(entries) = entries.as_array_mut() {
                    entries.drain(..place.min(entries.len()));
                }
            }
            if let Some(next) = page[method.as_str()]["next_cursor"].as_str() {
                lock(&places).insert(next.to_owned(), place + limit);
            }
            Ok(serde_json::from_value(page).unwrap_or(answer))
        })
    })
}

/// Answers calls of a method as if it were so many milliseconds later.
pub(crate) fn later_by(method: Method, millis: i64) -> Fault {
    around(move |subject, call| {
        Box::pin(async move {
            if call.method() != method {
                return subject.ask(call).await;
            }
            let now = subject.clock.now();
            subject.clock.set(TimestampMs(now.0 + millis));
            let answer = subject.ask(call).await;
            subject.clock.set(now);
            answer
        })
    })
}

/// Leaves a mark on what requires something, where a call of this method looks for work.
pub(crate) fn marks_the_passed_over(method: Method) -> Fault {
    let demanding: Mutex<Vec<ExecutionId>> = Mutex::default();
    around(move |subject, call| {
        let mut passed_over = Vec::new();
        match &call {
            Call::CreateExecution { args } if args.policy.is_some() => {
                lock(&demanding).push(args.execution_id.clone());
            }
            other if other.method() == method => passed_over.clone_from(&lock(&demanding)),
            _ => {}
        }
        Box::pin(async move {
            for id in passed_over {
                subject.leave_trace(&id).await;
            }
            subject.ask(call).await
        })
    })
}

/// Turns away calls of a method while another is under way.
pub(crate) fn busy(method: Method) -> Fault {
    let under_way = Arc::new(AtomicUsize::new(0));
    around(move |subject, call| {
        let under_way = Arc::clone(&under_way);
        Box::pin(async move {
            if call.method() != method {
                return subject.ask(call).await;
            }
            let others = under_way.fetch_add(1, Ordering::SeqCst);
            pause().await;
            let answer = subject.ask(call).await;
            under_way.fetch_sub(1, Ordering::SeqCst);
            if others > 0 {
                return Err(EngineError::Contention(ContentionKind::RetryExhausted));
            }
            answer
        })
    })
}

/// Answers calls of a method that are refused with this code otherwise.
pub(crate) fn instead(
    methods: &'static [Method],
    code: &'static str,
    given: fn(&Call, EngineError) -> Answer,
) -> Fault {
    answer(move |call, answer| {
        let is_meant = methods.contains(&call.method());
        if let Err(error) = answer
            && is_meant
            && error.code() == code
        {
            *answer = given(call, error.clone());
        }
    })
}
