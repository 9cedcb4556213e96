//! Deviants that break the clauses under "Ends".

use ff_core::call::Call;
use ff_mock::Execution;

use crate::deviants::declare::deviant;
use crate::deviants::fault::{due, write};
use crate::deviants::housekeeping::without;

deviant!("forgets-ends", HSK_003, "Lists no end." => without("cascade_completion"));

deviant!("forgets-late-edges", HSK_003,
    "Lists an end once." => write(|before: Option<&Execution>, after: &mut Execution| {
    if before.is_some_and(Execution::is_terminal) {
        after.uncascaded_since = None;
    }
}));

deviant!("ends-without-flows", HSK_003, "Names no flow." => due(|calls| {
    for call in calls {
        if let Call::CascadeCompletion { payload } = call {
            payload.flow_id = None;
        }
    }
}));
