//! What cases are made with: a world over a deployment, builders for what goes into it, and what is
//! expected of it.

#[macro_use]
mod expect;
mod builders;
mod callers_now;
pub(crate) mod case;
pub(crate) mod coverage;
mod deploy;
mod events;
mod expected_times;
pub(crate) mod failure;
mod grants;
mod graph;
mod harness;
mod hooks;
mod leased;
mod metering;
mod model;
mod observe;
pub(crate) mod play;
mod recorder;
mod secrets;
mod streams;
mod suspended;
mod time;
mod unreliable;
mod world;

pub(crate) use ff_conformance_macros::case;

pub use callers_now::callers_now;
pub(crate) use callers_now::{CALLERS_NOW, made_at};

pub use builders::{ExecutionBuilder, Worker, plain_execution};
pub use case::{CaseInfo, Need, Verdict};
pub(crate) use coverage::Answered;
pub use coverage::{Coverage, GeneratedReport, named_codes};
pub(crate) use deploy::deploy;
pub use deploy::finish;
pub(crate) use events::{Following, Told};
pub(crate) use failure::told;
pub use failure::{Cause, Difference, Failure};
pub(crate) use grants::revocation;
pub(crate) use graph::{BLOCKED, FanIn, Graph, READY, SKIPPED, lane_of};
pub(crate) use harness::SEED_VARIABLE;
pub use harness::{Deployment, Harness, HarnessError, KnownDifference, Nemesis, Settling, Vandal};
pub(crate) use hooks::registering;
pub(crate) use leased::{ENDING, KEEPING, LeaseCall, Leased, SUSPENDING};
pub(crate) use metering::{Way, in_order};
pub use model::{ModelHarness, kept_by_xtask, play_by_xtask, rerun_by_xtask};
pub(crate) use observe::CORE_FIELDS;
pub use observe::Observation;
pub use play::{Case, Options};
pub(crate) use play::{
    Declaration, InWorld, ManyTimes, Outcome, Play, Played, Running, Scene, Stage, Topic, declare,
    in_world, play_in_world,
};
pub use secrets::redacted;
pub(crate) use streams::{
    FIRST_ATTEMPT, Tail, at, fields, frame, ids, live, patch, payloads, sized,
};
pub(crate) use suspended::{
    SECRET, Suspended, Target, all_of, any_at, count, named_at, plain_signal,
};
pub(crate) use time::{Waited, in_good_time};
pub use unreliable::Unreliable;
pub use world::World;
pub(crate) use world::{FIRST, MOST_ROUNDS, apply_args, cancellation};
