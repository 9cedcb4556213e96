//! Deviants that break the clauses under "Lists".

use ff_core::call::Reply;

use crate::deviants::declare::{around, reply, request};

reply!("newest-first", EXE_033, "Lists executions in descending order.",
    ListExecutions(page) => page.executions.reverse());

reply!("always-a-cursor", EXE_033, "Gives a cursor on the last page too.",
    ListExecutions(page) => page.next_cursor = page.executions.last().cloned());

request!("zero-is-default", EXE_034, "Takes a limit of 0 for none given.",
    ListExecutions { limit, .. } if *limit == 0 => *limit = 50);

around!("hides-the-ended", EXE_035, "Lists only what has not ended.", |subject, call| {
    let mut answer = subject.ask(call).await;
    if let Ok(Reply::ListExecutions(page)) = &mut answer {
        let mut living = Vec::new();
        for id in page.executions.drain(..) {
            if subject.field(&id, "completed_at").await.is_none() {
                living.push(id);
            }
        }
        page.executions = living;
    }
    answer
});

reply!("lanes-by-age", EXE_036, "Lists lanes in another order.",
    ListLanes(page) => page.lanes.reverse());

request!("lanes-after-anything", EXE_036, "Begins at the first lane where the cursor is no name.",
    ListLanes { cursor, .. } => cursor.take_if(|cursor| cursor.check().is_err()));

reply!("lanes-end-after-a-page", EXE_036, "Says that no page follows one of a thousand lanes.",
    ListLanes(page) if page.lanes.len() == 1_000 => page.next_cursor = None);

request!("lists-somewhere", EXE_034, "Lists the first partition for a key that names none.",
    ListExecutions { partition, .. } if partition.parse().is_err() =>
        *partition = ff_core::partition::PartitionKey::new("{fp:0}"));
