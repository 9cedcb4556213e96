//! Calls that nobody thought of: generated ones, compared with the model.

use crate::case::{Body, Case, Need};
use crate::generated::Generated;

pub(super) const CASES: &[Case] = &[
    Case {
        slug: "system.generated.sequences",
        title: "Sequences of calls, each answered as the model answers.",
        clauses: &["SYS-034"],
        needs: &[Need::Clock],
        body: Body::Generated(Generated::Sequences),
    },
    Case {
        slug: "system.generated.histories",
        title: "Calls that overlap, each answered as in some order of them.",
        clauses: &["SYS-035", "CLM-009"],
        needs: &[Need::Clock, Need::Concurrency],
        body: Body::Generated(Generated::Histories),
    },
];
