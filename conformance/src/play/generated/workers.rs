//! Workers that make calls at once on one deployment, and the history of what they saw.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ff_core::call::{Call, Reply};
use ff_core::capability::Supports;
use ff_core::clock::ManualClock;
use ff_core::engine_backend::EngineBackend;
use ff_core::types::{ExecutionId, TimestampMs, WorkerInstanceId};
use ff_mock::Take;
use futures_util::FutureExt;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::{Barrier, RwLock};

use super::calls::next_step;
use super::event::{Event, History};
use super::linearizability::Span;
use super::observed::observables;
use super::player::CALL_LIMIT;
use super::reference::{Answer, Reference};
use super::sequences::rng;
use super::step::{Given, Step, bound, claimant_mut};
use crate::stage::{Coverage, made_at};

/// One call in this many is given up before its answer is seen.
const GIVEN_UP: u32 = 60;

/// One change of time in this many happens while calls are under way.
const RACING: u32 = 12;

/// Calls from a list of what is due that a worker makes at once.
const SETTLED: usize = 3;

/// Calls given up in one history at most: each may have happened or not, so each doubles the search.
const GIVEN_UP_AT_MOST: usize = 3;

/// What workers share.
pub(crate) struct Arena {
    /// The deployment, once for each connection to it.
    pub(crate) backends: Vec<Arc<dyn EngineBackend>>,
    pub(crate) clock: ManualClock,
    supports: Supports,
    /// Roughly what there is: each call as it would have been answered when it returned.
    rough: Mutex<Reference>,
    given: Mutex<Given>,
    history: Mutex<History>,
    coverage: Mutex<Coverage>,
    /// Every time that the clock has shown.
    shown: Mutex<Vec<TimestampMs>>,
    ticks: AtomicU64,
    claims: AtomicUsize,
    given_up: AtomicUsize,
    /// Held by calls, and against them by who changes the time.
    calling: RwLock<()>,
}

/// How many do how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) workers: usize,
    /// Calls of all together.
    pub(crate) calls: usize,
    pub(crate) seed: u64,
}

impl Arena {
    pub(crate) fn new(
        initial: Reference,
        backends: Vec<Arc<dyn EngineBackend>>,
        clock: ManualClock,
        supports: Supports,
    ) -> Self {
        let shown = vec![clock.now()];
        Self {
            backends,
            clock,
            supports: at_one_instant(supports),
            rough: Mutex::new(initial),
            given: Mutex::default(),
            history: Mutex::default(),
            coverage: Mutex::default(),
            shown: Mutex::new(shown),
            ticks: AtomicU64::new(0),
            claims: AtomicUsize::new(0),
            given_up: AtomicUsize::new(0),
            calling: RwLock::default(),
        }
    }

    /// Lets the workers make their calls; returns all of them, and ends with every read there is.
    pub(crate) async fn run(self: Arc<Self>, load: Load) -> (History, Coverage) {
        let together = Arc::new(Barrier::new(load.workers));
        let workers = (0..load.workers).map(|worker| {
            let (arena, together) = (Arc::clone(&self), Arc::clone(&together));
            tokio::spawn(async move {
                together.wait().await;
                arena.work(worker, load).await;
            })
        });
        for worker in workers.collect::<Vec<_>>() {
            // A worker that panicked has made its calls up to there.
            let _ = worker.await;
        }
        let reads = {
            let rough = lock(&self.rough);
            observables(&rough.known(), &rough.universe.partitions, &self.supports)
        };
        for read in reads {
            self.make(load.workers, read, &mut StdRng::seed_from_u64(0)).await;
        }
        let mut history = std::mem::take(&mut *lock(&self.history));
        history.sort_by_key(|span| span.start);
        (history, std::mem::take(&mut *lock(&self.coverage)))
    }

    async fn work(&self, worker: usize, load: Load) {
        let number = worker as u64;
        let mut random = StdRng::seed_from_u64(load.seed ^ number.rotate_left(32));
        for _ in 0..load.calls / load.workers {
            match self.draw(load.seed, random.random()) {
                Some(Step::Call(call)) => {
                    let before = lock(&self.shown).len();
                    let answer = self.make(worker, call.clone(), &mut random).await;
                    if answer.is_none() || lock(&self.shown).len() > before {
                        self.look_at(worker, &call).await;
                    }
                    if let (Call::Claim { policy, .. }, Some(Ok(Reply::Claim(Some(_))))) =
                        (&call, answer)
                    {
                        let claimed = self.claimed(worker, &policy.worker_instance_id).await;
                        self.remember(&call, claimed);
                    }
                }
                Some(Step::Advance(millis)) => {
                    // A call that a change of time meets may have read either time, and much later
                    // nobody can tell which: each such call doubles the search.
                    let racing = random.random_ratio(1, RACING);
                    let _still = if racing { None } else { Some(self.calling.write().await) };
                    self.advance(millis);
                }
                Some(Step::Settle) => {
                    // By a list that others may have seen to meanwhile.
                    let due = lock(&self.rough).due();
                    let due = due.into_iter().flat_map(|(_, calls)| calls).take(SETTLED);
                    for call in due {
                        self.make(worker, call, &mut random).await;
                    }
                }
                // What can be seen is looked at often enough by single reads.
                Some(Step::Observe) | None => {}
            }
        }
    }

    fn draw(&self, seed: u64, number: u64) -> Option<Step> {
        let reference = lock(&self.rough).clone();
        let mut runner = TestRunner::new_with_rng(Config::default(), rng(seed, number));
        let step = next_step(&reference, &self.supports).new_tree(&mut runner);
        let mut step = step.ok()?.current();
        // Two workers that look at the same time would give a claim the same name.
        if let Step::Call(call) = &mut step
            && let Some(instance) = claimant_mut(call)
            && !instance.as_str().is_empty()
        {
            let claim = self.claims.fetch_add(1, Ordering::SeqCst);
            *instance = WorkerInstanceId::new(format!("w{}", claim + 1));
        }
        Some(step)
    }

    /// Moves the clock; the times it shows are kept in order.
    fn advance(&self, millis: u64) {
        let mut shown = lock(&self.shown);
        self.clock.advance(Duration::from_millis(millis));
        shown.push(self.clock.now());
        lock(&self.rough).now = self.clock.now();
    }

    /// The execution that shows this holder, if any still does.
    async fn claimed(&self, worker: usize, holder: &WorkerInstanceId) -> Option<ExecutionId> {
        let alive: Vec<ExecutionId> = {
            let rough = lock(&self.rough);
            rough.alive().map(|execution| execution.id.clone()).collect()
        };
        for id in alive {
            let read = Call::DescribeExecution { id: id.clone() };
            let mut patient = StdRng::seed_from_u64(0);
            let answer = self.make(worker, read, &mut patient).await;
            if let Some(Ok(Reply::DescribeExecution(Some(shown)))) = answer
                && shown.current_lease.is_some_and(|lease| lease.worker_instance_id == *holder)
            {
                return Some(id);
            }
        }
        None
    }

    /// Reads what the call was about. Whether a call took effect that was given up, and which time
    /// one read that met a change of time, would else stay open until the search for an order has
    /// gone on far beyond it.
    async fn look_at(&self, worker: usize, call: &Call) {
        let about = lock(&self.rough).subjects(call);
        for id in about {
            let read = Call::DescribeExecution { id };
            self.make(worker, read, &mut StdRng::seed_from_u64(0)).await;
        }
    }

    fn remember(&self, claim: &Call, claimed: Option<ExecutionId>) {
        let mut history = lock(&self.history);
        if let Some(span) = history.iter_mut().rfind(|span| span.op.call == *claim) {
            span.op.claimed = claimed;
        }
    }

    async fn make(&self, worker: usize, call: Call, random: &mut StdRng) -> Option<Answer> {
        let call = made_at(call, self.clock.now());
        let _calling = self.calling.read().await;
        let backend = self.backends[worker % self.backends.len()].as_ref();
        let from = lock(&self.shown).len() - 1;
        let start = self.ticks.fetch_add(1, Ordering::SeqCst);
        // Between the ticks, like what an answer gives out: who calls after a call has ended knows what that gave.
        let bound = bound(&call, &lock(&self.given))?;
        let give_up = random.random_ratio(1, GIVEN_UP)
            && self.given_up.fetch_add(1, Ordering::SeqCst) < GIVEN_UP_AT_MOST;
        let answer = if give_up {
            given_up(&bound, backend, random.random_range(0..4)).await
        } else {
            let answer = tokio::time::timeout(CALL_LIMIT, bound.send(backend)).await;
            answer.ok()
        };
        if let Some(answer) = &answer {
            lock(&self.given).learn(&call, answer);
        }
        let end = self.ticks.fetch_add(1, Ordering::SeqCst);
        let times = lock(&self.shown)[from..].to_vec();
        if let Some(answer) = &answer {
            lock(&self.coverage).count(call.method(), answer);
        }
        self.follow(&call, answer.as_ref());
        let event = Event::new(worker, call, times, answer.clone());
        let end = event.answer.is_some().then_some(end);
        let span = Span { op: event, start, end };
        lock(&self.history).push(span);
        answer
    }

    /// Keeps the rough model near what has happened.
    fn follow(&self, call: &Call, answer: Option<&Answer>) {
        if answer.is_some_and(Result::is_ok) {
            let mut rough = lock(&self.rough);
            if let Some((_, after)) = rough.answer(call, rough.now, Take::First) {
                *rough = after;
            }
        }
    }
}

/// Drops a call after it was polled so often; its answer, if it was ready by then.
async fn given_up(call: &Call, backend: &dyn EngineBackend, polls: usize) -> Option<Answer> {
    let mut sending = pin!(call.send(backend));
    for _ in 0..=polls {
        if let Some(answer) = sending.as_mut().now_or_never() {
            return Some(answer);
        }
        tokio::task::yield_now().await;
    }
    None
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// But for what is done, or looked at, in one partition after the other.
fn at_one_instant(mut supports: Supports) -> Supports {
    supports.register_worker = false;
    supports.heartbeat_worker = false;
    supports.list_expired_leases = false;
    supports
}
