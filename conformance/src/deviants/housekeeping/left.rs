//! Deviants that break the clauses under "Left".

use ff_core::call::Call;
use ff_core::types::CancelSource;

use crate::deviants::declare::deviant;
use crate::deviants::fault::due;
use crate::deviants::housekeeping::without;

deviant!("forgets-members", HSK_004, "Acknowledges nobody." => without("ack_cancel_member"));

deviant!("one-reason-for-all", HSK_004, "Cancels every member for the flow's sake." =>
    due(|calls| reasons(calls, "flow_cancelled")));

deviant!("forgets-siblings", HSK_005, "Never forgets a note." =>
    without("drain_sibling_cancel_group"));

deviant!("siblings-by-cascade", HSK_005,
    "Cancels siblings in the name of the flow." => due(|calls| {
    for call in calls {
        if let Call::CancelExecution { args } = call {
            args.source = CancelSource::FlowCascade;
        }
    }
}));

deviant!("siblings-always-satisfied", HSK_005,
    "Gives one reason whether a group is satisfied or not." => due(|calls| {
    for call in calls {
        if let Call::CancelExecution { args } = call
            && args.reason == "sibling_quorum_impossible"
        {
            "sibling_quorum_satisfied".clone_into(&mut args.reason);
        }
    }
}));

fn reasons(calls: &mut [Call], reason: &str) {
    for call in calls {
        if let Call::CancelExecution { args } = call {
            reason.clone_into(&mut args.reason);
        }
    }
}
