//! Deviants that break the clauses under "Lists".

use ff_core::call::Reply;

use crate::deviants::declare::{around, list, request};

list!("executions", ListExecutions, executions, Clone::clone, [EXE_033, EXE_034, EXE_049, EXE_044]);

list!("lanes", ListLanes, lanes, Clone::clone, [EXE_036, EXE_036, EXE_050, EXE_045]);

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

request!("lanes-after-anything", EXE_050, "Begins at the first lane where the cursor is not a name.",
    ListLanes { cursor, .. } => cursor.take_if(|cursor| cursor.check().is_err()));

request!("lists-somewhere", EXE_049, "Lists the first partition for a key that names none.",
    ListExecutions { partition, .. } if partition.parse().is_err() =>
        *partition = ff_core::partition::PartitionKey::new("{fp:0}"));
