//! The judge of histories, beside another that knows nothing of it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use ff_conformance::inside::{Judgement, Object, Span, judge};

/// A register that is written, read and swapped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Register(u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Write(u8),
    Read,
    /// Writes the second if the first is there.
    Swap(u8, u8),
}

/// What a read finds, and whether a change was made.
type Seen = u8;

impl SequentialSpec for Register {
    type Op = Act;
    type Ret = Seen;

    fn invoke(&mut self, act: &Act) -> Seen {
        match *act {
            Act::Write(value) => {
                self.0 = value;
                1
            }
            Act::Read => self.0,
            Act::Swap(from, to) if self.0 == from => {
                self.0 = to;
                1
            }
            Act::Swap(..) => 0,
        }
    }
}

impl Object for Register {
    type Op = (Act, Option<Seen>);

    fn after(&self, (act, seen): &Self::Op) -> Vec<Self> {
        let mut after = self.clone();
        let answer = after.invoke(act);
        let fits = seen.is_none_or(|seen| seen == answer);
        if fits { vec![after] } else { Vec::new() }
    }

    fn fingerprint(&self) -> u64 {
        self.0.into()
    }
}

const PLENTY: u64 = 1_000_000;

fn span(act: Act, seen: Seen, start: u64, end: u64) -> Span<(Act, Option<Seen>)> {
    Span { op: (act, Some(seen)), start, end: Some(end) }
}

fn lost(act: Act, start: u64) -> Span<(Act, Option<Seen>)> {
    Span { op: (act, None), start, end: None }
}

fn judged(history: &[Span<(Act, Option<Seen>)>]) -> Judgement {
    judge(&Register::default(), history, &mut PLENTY.clone())
}

#[test]
fn calls_in_turn_have_one_order() {
    let good = [span(Act::Write(1), 1, 0, 1), span(Act::Read, 1, 2, 3)];
    assert_eq!(judged(&good), Judgement::Linearizable(vec![0, 1]));
    let stale = [span(Act::Write(1), 1, 0, 1), span(Act::Read, 0, 2, 3)];
    assert_eq!(judged(&stale), Judgement::NotLinearizable);
}

#[test]
fn overlapping_calls_have_any_order() {
    let before = [span(Act::Write(1), 1, 0, 3), span(Act::Read, 0, 1, 2)];
    assert_eq!(judged(&before), Judgement::Linearizable(vec![1, 0]));
    let after = [span(Act::Write(1), 1, 0, 3), span(Act::Read, 1, 1, 2)];
    assert_eq!(judged(&after), Judgement::Linearizable(vec![0, 1]));
    // Once somebody has seen it, nobody sees the time before.
    let back = [span(Act::Write(1), 1, 0, 9), span(Act::Read, 1, 1, 2), span(Act::Read, 0, 3, 4)];
    assert_eq!(judged(&back), Judgement::NotLinearizable);
}

#[test]
fn of_two_swaps_one_succeeds() {
    let both = [span(Act::Swap(0, 1), 1, 0, 3), span(Act::Swap(0, 2), 1, 1, 2)];
    assert_eq!(judged(&both), Judgement::NotLinearizable);
    let one = [span(Act::Swap(0, 1), 1, 0, 3), span(Act::Swap(0, 2), 0, 1, 2)];
    assert_eq!(judged(&one), Judgement::Linearizable(vec![0, 1]));
}

#[test]
fn a_call_without_answer_happened_or_not() {
    let late = [lost(Act::Write(1), 0), span(Act::Read, 0, 1, 2), span(Act::Read, 1, 3, 4)];
    assert_eq!(judged(&late), Judgement::Linearizable(vec![1, 0, 2]));
    let never = [lost(Act::Write(1), 0), span(Act::Read, 0, 1, 2)];
    assert_eq!(judged(&never), Judgement::Linearizable(vec![1]));
    let twice = [
        lost(Act::Write(1), 0),
        span(Act::Read, 1, 1, 2),
        span(Act::Write(2), 1, 3, 4),
        span(Act::Read, 1, 5, 6),
    ];
    assert_eq!(judged(&twice), Judgement::NotLinearizable);
    let too_early = [span(Act::Read, 1, 0, 1), lost(Act::Write(1), 2)];
    assert_eq!(judged(&too_early), Judgement::NotLinearizable);
}

#[test]
fn what_cannot_be_tried_is_unknown() {
    let many: Vec<_> = (0..12)
        .map(|number| span(Act::Write(number), 1, 0, 100))
        .chain([span(Act::Read, 77, 101, 102)])
        .collect();
    assert_eq!(judge(&Register::default(), &many, &mut 100), Judgement::Unknown);
    assert_eq!(judge(&Register::default(), &many, &mut PLENTY.clone()), Judgement::NotLinearizable);
    assert_eq!(judged(&[]), Judgement::Linearizable(Vec::new()));
}

/// What a thread does next: begins a call, or returns from the one that it is in.
#[derive(Clone, Copy, Debug)]
enum Event {
    Begin(Act),
    Return(Seen),
}

fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let act = prop_oneof![
        (0..3_u8).prop_map(Act::Write),
        Just(Act::Read),
        (0..3_u8, 0..3_u8).prop_map(|(from, to)| Act::Swap(from, to)),
    ];
    let event = prop_oneof![
        1 => act.prop_map(Event::Begin),
        1 => (0..3_u8).prop_map(Event::Return),
    ];
    proptest::collection::vec((0..3_usize, event), 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Another judge, of which this one knows nothing, decides the same on small histories.
    #[test]
    fn agrees_with_the_tester_of_stateright(events in events()) {
        let mut tester = LinearizabilityTester::new(Register::default());
        let mut history: Vec<Span<(Act, Option<Seen>)>> = Vec::new();
        let mut open: BTreeMap<usize, usize> = BTreeMap::new();
        for (now, (thread, event)) in (0..).zip(events) {
            match (event, open.get(&thread).copied()) {
                (Event::Begin(act), None) => {
                    open.insert(thread, history.len());
                    history.push(lost(act, now));
                    tester.on_invoke(thread, act).unwrap();
                }
                (Event::Return(seen), Some(call)) => {
                    open.remove(&thread);
                    // A change is answered by whether it was made.
                    let seen = match history[call].op.0 {
                        Act::Write(_) => 1,
                        Act::Swap(..) => seen % 2,
                        Act::Read => seen,
                    };
                    history[call].op.1 = Some(seen);
                    history[call].end = Some(now);
                    tester.on_return(thread, seen).unwrap();
                }
                // A thread makes one call at a time.
                (Event::Begin(_), Some(_)) | (Event::Return(_), None) => {}
            }
        }
        let theirs = tester.is_consistent();
        let ours = matches!(judged(&history), Judgement::Linearizable(_));
        prop_assert_eq!(ours, theirs);
    }
}
