//! Deviants that break the clauses under "Summaries".

use std::collections::HashSet;
use std::sync::Mutex;

use ff_core::call::{Call, Reply};
use ff_core::types::FlowId;

use crate::deviants::declare::{around, deviant, reply};
use crate::deviants::fault::{Fault, answer, lock};

reply!("always-a-summary", FLW_031, "Says of every flow that it has written a summary.",
    ProjectFlowSummary(written) => *written = true);

deviant!("one-summary", FLW_031, "Writes a flow's summary once." => one_summary());

around!("summary-as-a-tag", FLW_033, "Keeps summaries among the tags.", |subject, call| {
    let answer = subject.ask(call.clone()).await;
    if let Call::ProjectFlowSummary { flow_id, .. } = &call
        && matches!(answer, Ok(Reply::ProjectFlowSummary(true)))
    {
        let tag = Call::SetFlowTag {
            flow_id: *flow_id,
            key: "deviant.summary".to_owned(),
            value: String::new(),
        };
        subject.ask(tag).await?;
    }
    answer
});

fn one_summary() -> Fault {
    let written: Mutex<HashSet<FlowId>> = Mutex::default();
    answer(move |call, answer| {
        if let (Call::ProjectFlowSummary { flow_id, .. }, Ok(Reply::ProjectFlowSummary(done))) =
            (call, answer)
            && *done
        {
            *done = lock(&written).insert(*flow_id);
        }
    })
}
