//! Calls that nobody thought of: generated ones, compared with the model.

use crate::play::Generated;
use crate::stage::{Need, declare};

declare!(|topic| vec![
    topic.case(
        "sequences",
        "Sequences of calls, each answered as the model answers.",
        &["SYS-034"],
        &[Need::Clock],
        Generated::Sequences,
    ),
    topic.case(
        "histories",
        "Calls that overlap, each answered as in some order of them.",
        &["SYS-035", "CLM-009"],
        &[Need::Clock, Need::Concurrency],
        Generated::Histories,
    ),
]);
