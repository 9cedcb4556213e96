//! Indexes: order, bounds, pages, and that they follow the records.

use ff_core::state::EligibilityState;

use super::samples::{edge, execution, flow, id};
use super::{Bench, Finding, Storage, changes, expect, told};
use crate::records::{Edge, Execution, Flow, Kind, Part, Range, Record, Scan, Stored};
use crate::store::{Access, Before, Inspected, Query, Tx};

/// Executions of several partitions and lanes, flows and edges, in no order.
fn many() -> Vec<Record> {
    let mut records = Vec::new();
    for place in 0..60_u32 {
        let number = (place * 37) % 60;
        let partition = u16::try_from(number % 4).unwrap_or(0) * 5;
        let lane = ["a", "aa", "b"][number as usize % 3];
        let priority = i32::try_from(number % 5).unwrap_or(0);
        let mut one = execution(&id(partition, number), lane, priority, i64::from(number % 7));
        one.flow = (number % 2 == 0).then(|| flow(number % 6, 0).id);
        if number % 4 == 1 {
            one.requirements.insert(format!("cap-{}", number % 3));
        }
        records.push(one.into_record());
        records.push(flow(number, 0).into_record());
        let (up, down) = (id(partition, number % 5), id(partition, number));
        records.push(edge(number % 6, number, &up, &down).into_record());
    }
    records
}

/// What a range holds, by definition.
fn expected(records: &[Record], range: &Range) -> Vec<Record> {
    let of_kind = records.iter().filter(|record| record.kind() == range.kind);
    let mut entries: Vec<(Vec<Part>, Record)> = of_kind
        .filter_map(|record| Some((record.entry(range.index)?, record.clone())))
        .filter(|(entry, _)| range.contains(entry))
        .collect();
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    entries.truncate(range.limit.unwrap_or(usize::MAX));
    entries.into_iter().map(|(_, record)| record).collect()
}

async fn expect_range<S: Storage>(bench: &Bench<S>, all: &[Record], range: &Range) -> Finding {
    let keys = |records: &[Record]| records.iter().map(Record::key).collect::<Vec<_>>();
    let found = bench.find(Query::Range(range.clone())).await?;
    let what = format!("{range:?}");
    let expected = expected(all, range);
    expect(&keys(&found), &keys(&expected), &what)?;
    let mut tx = bench.begin(Access::Read).await?;
    let count = tx.count(range).await.map_err(told)?;
    expect(&count, &expected.len(), &format!("the count of {what}"))?;
    if range.index > 0 {
        return Ok(());
    }
    let inspected = tx.inspect(range).await.map_err(told)?;
    let in_place = |record: Record| {
        let key = record.key();
        Inspected { key, record: Some(record), is_in_place: true }
    };
    let sound: Vec<_> = expected.into_iter().map(in_place).collect();
    expect(&inspected, &sound, &format!("what stands in {what}"))
}

/// Every index in full, and below each first part that occurs.
pub(super) async fn ordered<S: Storage>(bench: Bench<S>) -> Finding {
    let all = many();
    bench.put(all.clone()).await?;
    for kind in [Kind::Execution, Kind::Flow, Kind::Edge] {
        for index in 0..kind.schema().indexes.len() {
            let of_kind = all.iter().filter(|record| record.kind() == kind);
            let mut firsts: Vec<Part> =
                of_kind.filter_map(|record| record.entry(index)?.into_iter().next()).collect();
            firsts.sort();
            firsts.dedup();
            let whole = Range {
                kind,
                index,
                prefix: Vec::new(),
                after: Vec::new(),
                up_to: None,
                limit: None,
            };
            expect_range(&bench, &all, &whole).await?;
            for first in firsts {
                let prefix = vec![first.clone()];
                expect_range(&bench, &all, &Range { prefix, ..whole.clone() }).await?;
                let up_to = Some(first.clone());
                expect_range(&bench, &all, &Range { up_to, ..whole.clone() }).await?;
                let after = vec![first];
                expect_range(&bench, &all, &Range { after, ..whole.clone() }).await?;
            }
        }
    }
    Ok(())
}

/// Pages of every size join to the whole, wherever the cursor stands.
pub(super) async fn paged<S: Storage>(bench: Bench<S>) -> Finding {
    let all = many();
    bench.put(all.clone()).await?;
    for size in [0, 1, 4, 15, 100] {
        let first = Execution::KEY.of(&5_u16).limit(size);
        expect_range(&bench, &all, first.range()).await?;
        for number in 0..61 {
            let cursor = id(5, number).uuid();
            let page = Execution::KEY.of(&5_u16).after(Some(&cursor)).limit(size);
            expect_range(&bench, &all, page.range()).await?;
            let listed: Scan<Flow> = Flow::LISTED.of(&3_u16).after(Some(&flow(number, 0).id));
            expect_range(&bench, &all, listed.limit(size).range()).await?;
        }
    }
    for number in 0..6 {
        let of = flow(number, 0).id;
        let out = Edge::OUT.of(&of).and(&id(0, number % 5));
        expect_range(&bench, &all, out.range()).await?;
        expect_range(&bench, &all, Edge::IN.of(&of).and(&id(0, number)).range()).await?;
        expect_range(&bench, &all, Execution::MEMBERS.of(&of).range()).await?;
    }
    Ok(())
}

/// A record leaves the places that it had and takes those that it has.
pub(super) async fn kept_in_step<S: Storage>(bench: Bench<S>) -> Finding {
    let mut all = many();
    bench.put(all.clone()).await?;
    for round in 0..4_usize {
        let mut writes = Vec::new();
        let mut kept = Vec::new();
        for (place, record) in all.into_iter().enumerate() {
            let mut after = Some(record.clone());
            let changed = after.as_mut().and_then(Execution::of_mut);
            match (place % 7 + round, changed) {
                (3, _) => after = None,
                (4, Some(changed)) => changed.eligibility = EligibilityState::BlockedByDependencies,
                (5, Some(changed)) => changed.eligibility = EligibilityState::EligibleNow,
                (6, Some(changed)) => changed.flow = None,
                (7, Some(changed)) => changed.flow = Some(flow(1, 0).id),
                _ => {}
            }
            kept.extend(after.clone());
            writes.push((Before::Present(record), after));
        }
        bench.commit(changes(writes)).await?;
        all = kept;
        for lane in ["a", "aa", "b"] {
            let queue = Execution::QUEUE.of(&lane);
            expect_range(&bench, &all, queue.range()).await?;
        }
        for number in 0..6 {
            let members = Execution::MEMBERS.of(&flow(number, 0).id);
            expect_range(&bench, &all, members.range()).await?;
        }
        expect_range(&bench, &all, Execution::KEY.all().range()).await?;
        expect_range(&bench, &all, Edge::KEY.all().range()).await?;
    }
    Ok(())
}
