//! A call that is interrupted wherever it can be, and made again.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use async_trait::async_trait;
use ff_core::call::Method;

use super::fixture::Fixture;
use super::repetition::{Repetition, TIMES};
use super::session::{Session, snap, snapped};
use crate::play::generated::story::call_text;
use crate::stage::{
    Deployment, Failure, Nemesis, Outcome, Play, Played, Scene, Stage, Verdict, World,
};

/// More steps and more messages than a call has.
const MOST: usize = 10_000;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    /// Its caller is gone when it waits for the `n`-th time.
    GivenUp,
    /// The connection is lost with one of its requests.
    RequestLost,
    /// The connection is lost with one of the answers.
    AnswerLost,
}

impl Interruption {
    const ALL: [Self; 3] = [Self::GivenUp, Self::RequestLost, Self::AnswerLost];

    /// Has the message lost that comes after `n` others.
    fn lose(self, nemesis: &dyn Nemesis, after: usize) {
        match self {
            Self::GivenUp => {}
            Self::RequestLost => nemesis.lose_request(after),
            Self::AnswerLost => nemesis.lose_answer(after),
        }
    }
}

/// The case that a call can be interrupted at each of its steps, requests and answers, each time in a new
/// deployment. Made again it answers as if it had been made before, if it was acknowledged, and else as if it
/// had or had not; and after all repetitions the world looks as if nothing had been interrupted.
pub(super) struct Interrupted(pub(super) &'static Repetition);

#[async_trait]
impl Play for Interrupted {
    async fn play(&self, stage: Stage) -> Played {
        // Each trial has a deployment of its own.
        drop(stage.deployment);
        let interrupted = Interrupting { scene: stage.scene, repetition: self.0 };
        let outcome = match interrupted.everywhere().await {
            Ok(()) => Outcome::Passed,
            Err(End::Unclaimed(method)) => Outcome::Unsupported(format!("{method} is not claimed")),
            Err(End::Impatient(failure)) => Outcome::Skipped(failure.message),
            Err(End::Failed(failure)) => Outcome::Failed(failure),
        };
        outcome.into()
    }
}

/// Why a case ends early.
enum End {
    Unclaimed(Method),
    Impatient(Failure),
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// All that can be seen, and how much later than expected its times may be.
struct Seen {
    lines: Vec<String>,
    lag: i64,
}

struct Interrupting {
    scene: Scene,
    repetition: &'static Repetition,
}

impl Interrupting {
    async fn everywhere(&self) -> Result<(), End> {
        let calm = self.deploy().await?;
        let after = calm.checked(self.undisturbed(&calm.world).await)?;
        drop(calm);
        for how in Interruption::ALL {
            let mut number = 0;
            loop {
                let place = self.deploy().await?;
                let over = self.trial(&place.world, how, number, &after).await;
                if place.checked(over)? {
                    break;
                }
                number += 1;
                if number == MOST {
                    let why = format!("a call has less than {MOST} steps");
                    return Err(Failure::new(why).into());
                }
            }
        }
        Ok(())
    }

    async fn deploy(&self) -> Result<Place, Failure> {
        let deployment = self.scene.deploy().await?;
        let world = World::new(&deployment, None, self.scene.seed(), self.scene.waited.clone());
        Ok(Place { world, _deployment: deployment })
    }

    /// What is to be seen after all repetitions, if none is interrupted.
    async fn undisturbed(&self, world: &World) -> Result<Seen, Failure> {
        let fixture = Fixture::of(world);
        let mut session = Session::new(world).with_names_alike();
        session.play((self.repetition.before)(&fixture)).await?;
        let call = (self.repetition.call)(&fixture);
        for expected in self.repetition.expected() {
            let seen = session.make(&call).await?;
            session.compare(&call, expected, seen)?;
        }
        Ok(Seen { lines: session.observed().await, lag: world.lag() })
    }

    /// Interrupts one call. Whether it ended before it could be interrupted there.
    async fn trial(
        &self,
        world: &World,
        how: Interruption,
        number: usize,
        after: &Seen,
    ) -> Result<bool, Failure> {
        let fixture = Fixture::of(world);
        let mut session = Session::new(world).with_names_alike();
        session.play((self.repetition.before)(&fixture)).await?;
        let call = (self.repetition.call)(&fixture);
        let expected = self.repetition.expected();
        let when = format!("{} {how:?} at {number}", call_text(&call));
        let nemesis = world.nemesis();
        let (first, over) = match how {
            Interruption::GivenUp => {
                let first = within(number + 1, session.make(&call)).await.transpose()?;
                let over = first.is_some();
                (first, over)
            }
            Interruption::RequestLost | Interruption::AnswerLost => {
                how.lose(nemesis, number);
                (Some(session.make(&call).await?), nemesis.spare())
            }
        };
        let first = first.map(|first| snap(first, expected[0], &(0..=world.lag())));
        let acknowledged = first.as_deref() == Some(expected[0]);
        let is_plausible = first
            .as_deref()
            .is_none_or(|first| acknowledged || (!over && first == "refused: transport"));
        expect!(is_plausible, "{when} is answered {first:?}");
        if how != Interruption::GivenUp && !over {
            world.reconnect().await?;
        }
        let mut seen = Vec::new();
        for _ in 1..TIMES {
            seen.push(session.make(&call).await?);
        }
        let is_like =
            |expected: &[&str]| snapped(seen.clone(), expected, 0..=world.lag()) == expected;
        let has_happened = is_like(&expected[1..]);
        let has_not = !acknowledged && is_like(&expected[..TIMES - 1]);
        expect!(
            has_happened || has_not,
            "{when} is answered {first:?}, and the next calls {seen:?}"
        );
        let observed = session.observed().await;
        let observed = snapped(observed, &after.lines, -after.lag..=world.lag());
        expect_eq!(observed, after.lines, "{when}");
        Ok(over)
    }
}

/// Interrupts every read that there is about an execution and a flow, and makes it again: it answers as it
/// did before.
pub(crate) async fn interrupt_reads(world: World) -> Verdict {
    let fixture = Fixture::of(&world);
    let mut session = Session::new(&world).with_names_alike();
    let lines = vec![fixture.created(1), fixture.flow_created(1), fixture.joined(1, 1, 1)];
    session.play(lines).await?;
    let nemesis = world.nemesis();
    for read in session.reads() {
        let expected = session.make(&read).await?;
        for how in Interruption::ALL {
            for number in 0..MOST {
                let over = match how {
                    Interruption::GivenUp => {
                        let first = within(number + 1, session.make(&read)).await;
                        first.is_some()
                    }
                    Interruption::RequestLost | Interruption::AnswerLost => {
                        how.lose(nemesis, number);
                        let first = session.make(&read).await?;
                        let over = nemesis.spare();
                        expect!(
                            first == expected || (!over && first == "refused: transport"),
                            "{} {how:?} at {number} is answered {first}",
                            call_text(&read)
                        );
                        if !over {
                            world.reconnect().await?;
                        }
                        over
                    }
                };
                let again = session.make(&read).await?;
                expect_eq!(again, expected, "{} {how:?} at {number}", call_text(&read));
                if over {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// A world of its own, for as long as this is there.
struct Place {
    world: World,
    _deployment: Deployment,
}

impl Place {
    /// What was found, unless a method was called that is not claimed.
    fn checked<T>(&self, found: Result<T, Failure>) -> Result<T, End> {
        match (self.world.unclaimed(), found) {
            (Some(unclaimed), _) => Err(End::Unclaimed(unclaimed.method)),
            (None, Err(failure)) if self.world.is_impatient() => Err(End::Impatient(failure)),
            (None, found) => Ok(found?),
        }
    }
}

/// Lets a call come so far, and drops it where it waits then.
pub(crate) async fn within<T>(steps: usize, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut left = steps;
    poll_fn(|context| {
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
