//! The SQL, one file a statement.

use ff_transactional::{Patch, PatchError};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

macro_rules! statements {
    ($($name:ident,)*) => {
        /// The text of every statement.
        pub(crate) struct Statements {
            $(pub(crate) $name: SqlStr,)*
        }

        impl Statements {
            /// The files, with one line changed if a patch says so.
            pub(crate) fn load(patch: Option<&Patch>) -> Result<Self, PatchError> {
                let load = |file: &'static str, text: &'static str| match patch {
                    Some(patch) => {
                        // What a patch says comes from this repository, not from a caller.
                        patch.apply(file, text).map(|text| AssertSqlSafe(text).into_sql_str())
                    }
                    None => Ok(text.into_sql_str()),
                };
                Ok(Self {
                    $($name: load(
                        concat!(stringify!($name), ".sql"),
                        include_str!(concat!("../sql/", stringify!($name), ".sql")),
                    )?,)*
                })
            }
        }
    };
}

statements! {
    attempt,
    claimable_requirements,
    clock,
    drop_stale,
    edge,
    edges_from,
    edges_to,
    execution,
    execution_and_group,
    execution_locked,
    executions_after,
    first_claimable,
    flow,
    flow_locked,
    flow_tags,
    flows_after,
    group,
    groups,
    has_backlog,
    idempotency,
    lanes_after,
    members,
    payload,
    remove_result,
    result,
    strike_backlog,
    write_attempts,
    write_backlog,
    write_completions,
    write_created,
    write_edges,
    write_eligible,
    write_flows_created,
    write_flows_updated,
    write_groups,
    write_idempotency,
    write_ineligible,
    write_lanes,
    write_lease_events,
    write_payloads,
    write_results,
    write_turns,
    write_updated,
}
