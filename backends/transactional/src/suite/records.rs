//! Single records: that they come back as they were, and where they belong.

use super::samples::{self, difficult, lane, tags};
use super::{Bench, Finding, Storage, changes, expect};
use crate::records::{Lane, Record, Stored};
use crate::store::{Before, Query};

/// A record comes back as it was stored.
pub(super) async fn come_back<S: Storage>(bench: Bench<S>) -> Finding {
    for record in difficult() {
        bench.put([record.clone()]).await?;
        expect(&bench.record(&record.key()).await?, &Some(record), "as it was stored")?;
    }
    for record in difficult() {
        let found = bench.record(&record.key()).await?;
        expect(&found, &Some(record), "as it was stored, beside others")?;
    }
    Ok(())
}

/// Of several versions the last remains, whatever was known of those before.
pub(super) async fn replaced<S: Storage>(bench: Bench<S>) -> Finding {
    let versions = ["one", "two", "three"].map(|value| tags(1, value).into_record());
    let [one, two, three] = versions;
    let key = one.key();
    bench.commit(changes([(Before::Absent, Some(one.clone()))])).await?;
    expect(&bench.record(&key).await?, &Some(one.clone()), "the first version")?;
    bench.commit(changes([(Before::Present(one), Some(two.clone()))])).await?;
    expect(&bench.record(&key).await?, &Some(two), "the second version")?;
    bench.put([three.clone()]).await?;
    expect(&bench.record(&key).await?, &Some(three), "the third version")
}

/// What is removed is gone; removing what is not there is fine.
pub(super) async fn removed<S: Storage>(bench: Bench<S>) -> Finding {
    let (gone, kept) = (tags(1, "gone").into_record(), tags(2, "kept").into_record());
    bench.put([gone.clone(), kept.clone()]).await?;
    for _ in 0..2 {
        bench.commit(changes([(Before::Present(gone.clone()), None)])).await?;
        expect(&bench.record(&gone.key()).await?, &None, "removed")?;
    }
    expect(&bench.record(&kept.key()).await?, &Some(kept), "another record")
}

/// Keys that look alike are different keys, and texts go by their bytes.
pub(super) async fn told_apart<S: Storage>(bench: Bench<S>) -> Finding {
    let names = ["", " ", "A", "B", "a", "a ", "aA", "aa", "b", "é", "\u{fffd}", "\u{1F980}"];
    let lanes: Vec<Record> = names.iter().map(|name| lane(name).into_record()).collect();
    bench.put(lanes.iter().rev().cloned()).await?;
    let all = Query::Range(Lane::KEY.all().range().clone());
    expect(&bench.find(all).await?, &lanes, "lanes by their bytes")?;
    let same_number = [0, 1, 10, 2, 256].map(|partition| {
        samples::execution(&samples::id(partition, 7), "lane", 0, 1).into_record()
    });
    bench.put(same_number.clone()).await?;
    for record in same_number {
        let found = bench.record(&record.key()).await?;
        expect(&found, &Some(record), "of the same UUID in another partition")?;
    }
    Ok(())
}
