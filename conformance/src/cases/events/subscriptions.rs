//! What every subscription does, whatever its family.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ff_core::backend::{Frame, FrameKind, ScannerFilter};
use ff_core::call::Call;
use ff_core::dispatch::Dispatch;
use ff_core::engine_backend::EngineBackend;
use ff_core::engine_error::EngineError;
use ff_core::stream_events::{
    CompletionEvent, InstanceTagEvent, LeaseHistoryEvent, SignalDeliveryEvent,
};
use ff_core::stream_subscribe::StreamCursor;
use ff_core::types::ExecutionId;

use crate::stage::{
    ExecutionBuilder, FIRST, Failure, Following, Told, Verdict, World, cancellation, case,
    in_good_time,
};

/// Longer than any event takes, in seconds.
const SOON: u32 = 5;

/// A family of events, and how one comes about.
#[async_trait]
trait Family: Told {
    /// Has one event happen, at least, of what is created like this.
    async fn happen(world: &World, execution: ExecutionBuilder) -> Result<ExecutionId, Failure>;
}

#[async_trait]
impl Family for LeaseHistoryEvent {
    async fn happen(_: &World, execution: ExecutionBuilder) -> Result<ExecutionId, Failure> {
        execution.claimed().await.map(|(id, _)| id)
    }
}

#[async_trait]
impl Family for CompletionEvent {
    async fn happen(world: &World, execution: ExecutionBuilder) -> Result<ExecutionId, Failure> {
        let id = execution.create().await?;
        world.cancel_execution(cancellation(&id)).await.map_err(Failure::setup_refused)?;
        Ok(id)
    }
}

#[async_trait]
impl Family for SignalDeliveryEvent {
    async fn happen(world: &World, execution: ExecutionBuilder) -> Result<ExecutionId, Failure> {
        world.sign().await?;
        let claimed = execution.claimed().await?;
        let suspended = world.suspended_by(claimed, world.plain_suspension()).await?;
        let signal = world.signal(&suspended.target());
        world.deliver_signal(signal).await.map_err(Failure::setup_refused)?;
        Ok(suspended.id)
    }
}

#[async_trait]
impl Family for InstanceTagEvent {
    async fn happen(_: &World, execution: ExecutionBuilder) -> Result<ExecutionId, Failure> {
        execution.tag("app.family", "tags").create().await
    }
}

/// Does this for every family that the backend claims.
macro_rules! for_each_family {
    ($world:ident, $check:ident) => {
        for_each_family!($world, $check, [
            LeaseHistoryEvent, CompletionEvent, SignalDeliveryEvent, InstanceTagEvent
        ])
    };
    ($world:ident, $check:ident, [$($Event:ident),*]) => {{
        $(if $world.claims(<$Event as Told>::METHOD) {
            $check::<$Event>(&$world).await?;
        })*
        Ok(())
    }};
}

impl World {
    /// On a lane of its own, so that nobody else claims it.
    fn apart(&self) -> ExecutionBuilder {
        self.execution().lane(&format!("l{}", self.uuid().simple()))
    }

    async fn happens<T: Family>(&self) -> Result<ExecutionId, Failure> {
        T::happen(self, self.apart()).await
    }
}

/// The executions that events are of, each once.
fn executions<T: Told>(events: &[T]) -> BTreeSet<ExecutionId> {
    events.iter().map(|event| event.execution().clone()).collect()
}

/// What was there before, what comes, and a second subscription in between.
#[case(EVT_003)]
async fn from_now(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        world.happens::<T>().await?;
        let mut first = world.follow::<T>().await?;
        let one = world.happens::<T>().await?;
        let mut second = world.follow::<T>().await?;
        let other = world.happens::<T>().await?;
        expect_eq!(first.next().await?.execution(), &one, "{}: what comes first", T::METHOD);
        expect_eq!(second.next().await?.execution(), &other, "{}: what comes later", T::METHOD);
        let rest = executions(&first.until([other.clone()]).await?);
        expect!(rest.is_subset(&[one, other].into()), "nothing else: {rest:?}");
        Ok(())
    }
    for_each_family!(world, check)
}

/// In the last partition, and then in the first.
#[case(EVT_002)]
async fn everywhere(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let mut events = world.follow::<T>().await?;
        let last = world.partitions().num_flow_partitions - 1;
        for partition in [last, FIRST, last / 2] {
            let execution = world.execution_in(partition);
            let execution = execution.lane(&format!("l{}", world.uuid().simple()));
            let id = T::happen(world, execution).await?;
            let seen = events.until([id.clone()]).await?;
            expect_eq!(seen[0].execution(), &id, "{} in partition {partition}", T::METHOD);
            events = world.follow_after(&seen[seen.len() - 1]).await?;
        }
        Ok(())
    }
    for_each_family!(world, check)
}

/// Of another deployment, nothing.
#[case(EVT_002, needs(elsewhere))]
async fn not_elsewhere(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let mut events = world.follow::<T>().await?;
        world.elsewhere().happens::<T>().await?;
        let id = world.happens::<T>().await?;
        expect_eq!(events.next().await?.execution(), &id, "{}", T::METHOD);
        Ok(())
    }
    for_each_family!(world, check)
}

/// From each of six cursors, and again from the first.
#[case(EVT_006)]
async fn resumed(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let mut events = world.follow::<T>().await?;
        let mut happened = Vec::new();
        for _ in 0..6 {
            happened.push(world.happens::<T>().await?);
        }
        let seen = events.until(happened).await?;
        for begin in (0..seen.len() - 1).chain([0]) {
            let rest = executions(&seen[begin + 1..]);
            let mut again = world.follow_after(&seen[begin]).await?;
            let delivered = again.take(seen.len() - begin - 1).await?;
            expect_eq!(executions(&delivered), rest, "{} from event {begin}", T::METHOD);
        }
        Ok(())
    }
    for_each_family!(world, check)
}

/// By another instance, where there is one.
#[case(EVT_006)]
async fn resumed_there(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let mut events = world.follow::<T>().await?;
        world.happens::<T>().await?;
        let first = events.next().await?;
        drop(events);
        let id = world.happens::<T>().await?;
        let call = T::subscribe(first.cursor().clone(), ScannerFilter::NOOP);
        let mut there = Following::<T>::of(world.there(call).await?)?;
        let seen = there.until([id.clone()]).await?;
        expect_eq!(executions(&seen), [id].into(), "{} from the first event", T::METHOD);
        Ok(())
    }
    for_each_family!(world, check)
}

/// Of one execution, many; each once.
#[case(EVT_007)]
async fn in_order(world: World) -> Verdict {
    let mut events = world.follow::<LeaseHistoryEvent>().await?;
    let (id, handle) = world.claimed().await?;
    for _ in 0..20 {
        world.renew(&handle).await?;
    }
    world.complete(&handle, None).await?;
    let kinds = events.take(22).await?;
    let kind = |event: &LeaseHistoryEvent| match event {
        LeaseHistoryEvent::Acquired { .. } => 'a',
        LeaseHistoryEvent::Renewed { .. } => 'r',
        _ => 'e',
    };
    let told: String = kinds.iter().map(kind).collect();
    expect_eq!(told, format!("a{}e", "r".repeat(20)), "in the order in which they happened");
    let cursors: BTreeSet<&[u8]> = kinds.iter().map(|event| event.cursor().as_bytes()).collect();
    expect_eq!(cursors.len(), 22, "each has a cursor of its own");
    let other = world.happens::<LeaseHistoryEvent>().await?;
    let next = events.next().await?;
    expect_eq!(next.execution(), &other, "each of {id} once");
    Ok(())
}

/// Eight at once, 25 each, beside a subscription and from several cursors of it.
#[case(EVT_008, needs(concurrency))]
async fn no_gaps(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let mut events = world.follow::<T>().await?;
        let answers = world.at_once(8, |world, _| async move {
            let mut happened = Vec::new();
            for _ in 0..25 {
                happened.push(world.happens::<T>().await?);
            }
            Ok::<_, Failure>(happened)
        });
        let mut happened = BTreeSet::new();
        for answer in answers.await? {
            happened.extend(answer?);
        }
        let last = world.happens::<T>().await?;
        happened.insert(last.clone());
        let seen = events.until([last.clone()]).await?;
        expect_eq!(executions(&seen), happened, "{}: what happened at once", T::METHOD);
        for begin in [0, seen.len() / 3, seen.len() / 2] {
            let mut again = world.follow_after(&seen[begin]).await?;
            let rest = executions(&again.until([last.clone()]).await?);
            let expected = executions(&seen[begin + 1..]);
            expect_eq!(rest, expected, "{} from event {begin}", T::METHOD);
        }
        Ok(())
    }
    for_each_family!(world, check, [LeaseHistoryEvent, CompletionEvent, InstanceTagEvent])
}

/// Stale leases, repetitions, and what is there already.
#[case(EVT_009)]
async fn nothing_happened(world: World) -> Verdict {
    let (done, handle) = world.apart().tag("app.key", "value").claimed().await?;
    world.complete(&handle, None).await?;
    let mut leases = world.follow::<LeaseHistoryEvent>().await?;
    let mut ends = world.follow::<CompletionEvent>().await?;
    let mut tags = world.follow::<InstanceTagEvent>().await?;
    world.complete(&handle, None).await?;
    expect_refused!(world.renew(&handle).await, "contention.execution_not_active", "it is over");
    let late = world.append_frame(&handle, Frame::new(Vec::new(), FrameKind::Event)).await;
    expect_refused!(late, "contention.execution_not_active", "it is over");
    world.execution().id(&done).tag("app.other", "value").try_create().await?;
    let nul = world.set_execution_tag(&done, "app.other", "a\0b").await;
    expect_refused!(nul, "validation.invalid_input", "no text");
    let (id, handle) = world.apart().tag("app.last", "value").claimed().await?;
    world.complete(&handle, None).await?;
    expect_eq!(leases.next().await?.execution(), &id, "the next lease");
    expect_eq!(ends.next().await?.execution(), &id, "the next end");
    expect_eq!(tags.next().await?.execution(), &id, "the next tag");
    Ok(())
}

/// Of another family, cut short, changed, and none at all.
#[case(EVT_005)]
async fn cursors(world: World) -> Verdict {
    let mut leases = world.follow::<LeaseHistoryEvent>().await?;
    let mut tags = world.follow::<InstanceTagEvent>().await?;
    world.apart().tag("app.key", "value").claimed().await?;
    let lease = leases.next().await?.cursor().clone();
    let tag = tags.next().await?.cursor().clone();
    let short = StreamCursor::new(lease.as_bytes()[..lease.as_bytes().len().min(5)].to_vec());
    let mut changed = lease.as_bytes().to_vec();
    changed[0] ^= 0x55;
    let none = [StreamCursor::new(vec![0]), StreamCursor::new(b"0-0".to_vec()), short];
    let bad = none.into_iter().chain([StreamCursor::new(changed)]);
    for cursor in bad.clone().chain([tag]) {
        let refused =
            world.subscribe::<LeaseHistoryEvent>(cursor.clone(), ScannerFilter::NOOP).await;
        expect_refused!(refused.map(drop), "validation.invalid_input", "{cursor:?}");
    }
    for cursor in bad.chain([lease]) {
        let refused =
            world.subscribe::<InstanceTagEvent>(cursor.clone(), ScannerFilter::NOOP).await;
        expect_refused!(refused.map(drop), "validation.invalid_input", "{cursor:?}");
    }
    Ok(())
}

/// Of another deployment.
#[case(EVT_005, needs(elsewhere))]
async fn cursors_from_elsewhere(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let mut events = world.elsewhere().follow::<T>().await?;
        world.elsewhere().happens::<T>().await?;
        let cursor = events.next().await?.cursor().clone();
        let refused = world.subscribe::<T>(cursor, ScannerFilter::NOOP).await;
        expect_refused!(refused.map(drop), "validation.invalid_input", "{}", T::METHOD);
        Ok(())
    }
    for_each_family!(world, check)
}

/// By namespace, by tag, and by both.
#[case(EVT_010)]
async fn filters(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let filters = [
            ScannerFilter::new().with_namespace("ours"),
            ScannerFilter::new().with_instance_tag("app.key", "one"),
            ScannerFilter::new().with_namespace("ours").with_instance_tag("app.key", "one"),
        ];
        let mut following = Vec::new();
        for filter in filters {
            following.push(world.subscribe::<T>(StreamCursor::empty(), filter).await?);
        }
        let made = |namespace: &str, tag: &str| world.apart().namespace(namespace).tag(tag, "one");
        T::happen(world, world.apart().namespace("theirs")).await?;
        T::happen(world, made("theirs", "app.other")).await?;
        T::happen(world, world.apart().namespace("theirs").tag("app.key", "two")).await?;
        let named = T::happen(world, world.apart().namespace("ours")).await?;
        let tagged = T::happen(world, made("theirs", "app.key")).await?;
        let both = T::happen(world, made("ours", "app.key")).await?;
        let expected = [[&named, &both], [&tagged, &both], [&both, &both]];
        for (events, expected) in following.iter_mut().zip(expected) {
            let seen = executions(&events.until([both.clone()]).await?);
            let expected: BTreeSet<ExecutionId> = expected.into_iter().cloned().collect();
            expect_eq!(seen, expected, "{}", T::METHOD);
        }
        Ok(())
    }
    for_each_family!(world, check, [LeaseHistoryEvent, CompletionEvent, SignalDeliveryEvent])
}

/// A tag that changes between two events.
#[case(EVT_011)]
async fn as_it_was(world: World) -> Verdict {
    let filter = |value: &str| ScannerFilter::new().with_instance_tag("app.key", value);
    let now = StreamCursor::empty;
    let mut before = world.subscribe::<LeaseHistoryEvent>(now(), filter("before")).await?;
    let mut after = world.subscribe::<LeaseHistoryEvent>(now(), filter("after")).await?;
    let (id, handle) = world.apart().tag("app.key", "before").claimed().await?;
    world.set_execution_tag(&id, "app.key", "after").await?;
    world.renew(&handle).await?;
    let acquired = before.next().await?;
    expect!(matches!(acquired, LeaseHistoryEvent::Acquired { .. }), "before: {acquired:?}");
    let renewed = after.next().await?;
    expect!(matches!(renewed, LeaseHistoryEvent::Renewed { .. }), "after: {renewed:?}");
    Ok(())
}

/// Keys that no tag has.
#[case(EVT_024)]
async fn filtered_by_nothing(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        for key in ["", "App.key", "app.", "key"] {
            let filter = ScannerFilter::new().with_instance_tag(key, "value");
            let refused = world.subscribe::<T>(StreamCursor::empty(), filter).await.map(drop);
            let refused = refused.map_err(|error| match error.code().as_str() {
                "validation.invalid_tag_key" => EngineError::invalid_input("the key"),
                _ => error,
            });
            expect_refused!(refused, "validation.invalid_input", "{} by {key:?}", T::METHOD);
        }
        Ok(())
    }
    for_each_family!(world, check, [LeaseHistoryEvent, CompletionEvent, SignalDeliveryEvent])
}

/// Who does not look, while 1 500 events come.
#[case(EVT_013)]
async fn slow(world: World) -> Verdict {
    let mut events = world.follow::<InstanceTagEvent>().await?;
    let id = world.apart().create().await?;
    for number in 0..750 {
        world.set_execution_tag(&id, "app.key", &number.to_string()).await?;
    }
    let mut expected = vec!["app.key=0".to_owned()];
    for number in 1..750 {
        expected.extend([format!("app.key={}", number - 1), format!("app.key={number}")]);
    }
    let seen = events.take(expected.len()).await?;
    let tags = seen.iter().map(|event| match event {
        InstanceTagEvent::Attached { tag, .. } | InstanceTagEvent::Cleared { tag, .. } => {
            tag.clone()
        }
        _ => String::new(),
    });
    expect_eq!(tags.collect::<Vec<_>>(), expected, "none is missed");
    Ok(())
}

/// Ten at once, of which some are dropped.
#[case(EVT_021)]
async fn independent(world: World) -> Verdict {
    async fn check<T: Family>(world: &World) -> Verdict {
        let mut following = Vec::new();
        for _ in 0..10 {
            following.push(world.follow::<T>().await?);
        }
        let first = world.happens::<T>().await?;
        for events in &mut following[..7] {
            expect_eq!(events.next().await?.execution(), &first, "{}", T::METHOD);
        }
        following.drain(..4);
        let second = world.happens::<T>().await?;
        for events in &mut following {
            let seen = executions(&events.until([second.clone()]).await?);
            expect!(seen.contains(&second), "{}: {seen:?}", T::METHOD);
        }
        Ok(())
    }
    for_each_family!(world, check)
}

/// Committed by another instance, where there is one.
#[case(EVT_023)]
async fn soon(world: World) -> Verdict {
    let id = world.apart().create().await?;
    let mut events = world.follow::<InstanceTagEvent>().await?;
    let tag = |value: &str| Call::SetExecutionTag {
        execution_id: id.clone(),
        key: "app.key".to_owned(),
        value: value.to_owned(),
    };
    for value in ["one", "two", "three"] {
        world.there(tag(value)).await?;
        loop {
            let Some(event) = in_good_time(SOON, events.next()).await else {
                return Err(Failure::new(format!("{value} is not delivered within {SOON} s")));
            };
            match event? {
                InstanceTagEvent::Attached { tag, .. } if tag == format!("app.key={value}") => {
                    break;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Over a loss of all connections, with a subscription that has had an event and one that has had none.
#[case(EVT_012, needs(nemesis))]
async fn disconnected(world: World) -> Verdict {
    let mut begun = world.follow::<InstanceTagEvent>().await?;
    let mut idle = world.follow::<InstanceTagEvent>().await?;
    let first = world.apart().tag("app.key", "first").create().await?;
    let seen = begun.next().await?;
    expect_eq!(seen.execution(), &first, "the first");
    world.nemesis().lose_request(0);
    // What it answers is of no interest.
    let _ = world.dispatch(Call::ServerTimeMs {}).await;
    world.reconnect().await?;
    let second = world.apart().tag("app.key", "second").create().await?;
    let mut last = seen.cursor().clone();
    for (events, mut left) in
        [(&mut begun, vec![second.clone()]), (&mut idle, vec![first, second.clone()])]
    {
        while !left.is_empty() {
            match events.item().await? {
                Some(Ok(event)) => {
                    expect!(left.contains(event.execution()), "{event:?} again");
                    left.retain(|id| id != event.execution());
                    last = event.cursor().clone();
                }
                Some(Err(EngineError::StreamDisconnected { cursor })) => {
                    let end = events.item().await?;
                    expect!(end.is_none(), "it ends with that: {end:?}");
                    *events = world.subscribe(cursor, ScannerFilter::NOOP).await?;
                }
                other => return Err(Failure::new(format!("{other:?}"))),
            }
        }
    }
    let third = world.apart().tag("app.key", "third").create().await?;
    let mut again = world.subscribe::<InstanceTagEvent>(last, ScannerFilter::NOOP).await?;
    expect_eq!(again.next().await?.execution(), &third, "what comes after the last");
    Ok(())
}
