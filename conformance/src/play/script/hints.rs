//! A call with a `now` that is far from the clock.

use async_trait::async_trait;
use ff_core::call::Call;
use ff_core::types::{MAX_INTEGER, TimestampMs};

use super::fixture::Fixture;
use super::repetition::Repetition;
use super::session::{Session, snapped};
use crate::stage::{Failure, Play, Played, Stage, Verdict, World, callers_now, play_in_world};

/// The clause that says what such a time decides.
pub(super) const RULE: &str = "SYS-005";

/// The case that the caller's own time decides nothing.
pub(super) struct Hinted(pub(super) &'static Repetition);

#[async_trait]
impl Play for Hinted {
    async fn play(&self, stage: Stage) -> Played {
        let repetition = self.0;
        play_in_world(stage, |world| Box::pin(hint(world, repetition))).await
    }
}

/// Makes the call with a time far in the past, and in another world with one far in the future: both answer
/// as with an accurate one, and what is to be seen afterwards is the same.
async fn hint(world: World, repetition: &Repetition) -> Verdict {
    let past = seen_after(&world, repetition, 0).await?;
    let future = seen_after(world.elsewhere(), repetition, MAX_INTEGER).await?;
    let future = snapped(future, &past, -world.lag()..=world.elsewhere().lag());
    expect_eq!(future, past, "after a `now` in the far future, and in the far past");
    Ok(())
}

async fn seen_after(
    world: &World,
    repetition: &Repetition,
    now: u64,
) -> Result<Vec<String>, Failure> {
    let fixture = Fixture::of(world);
    let mut session = Session::new(world).with_names_alike();
    session.play((repetition.before)(&fixture)).await?;
    let call = at(&(repetition.call)(&fixture), now)?;
    let seen = session.make(&call).await?;
    session.compare(&call, repetition.expected()[0], seen)?;
    Ok(session.observed().await)
}

/// The call with this time as its caller's own.
fn at(call: &Call, now: u64) -> Result<Call, Failure> {
    let mut call = call.clone();
    let method = call.method();
    let Some(hint) = callers_now(&mut call) else {
        return Err(Failure::new(format!("{method} has no time of its caller's")));
    };
    *hint = TimestampMs(now.cast_signed());
    Ok(call)
}
