//! Leases are known in their partitions; a page of all that have run out is merged here.

use ff_core::backend::Namespace;
use ff_core::call::Method;
use ff_core::contracts::{
    ExpiredLeaseInfo, ExpiredLeasesCursor, ListExpiredLeasesArgs, ListExpiredLeasesResult,
};
use ff_core::engine_error::EngineError;
use ff_core::types::TimestampMs;
use ff_transactional::expired_leases_page;
use serde::Serialize;

use crate::everywhere::everywhere;
use crate::server::{Server, transport};
use crate::wire::Wire;

/// What a partition is asked for.
#[derive(Serialize)]
struct Asked<'a> {
    as_of: TimestampMs,
    after: Option<&'a ExpiredLeasesCursor>,
    after_partition: Option<u16>,
    namespace: Option<&'a Namespace>,
    wanted: usize,
}

/// The partitions' pages in one round trip, and the first leases of them (LSE-034, LSE-035).
pub(crate) async fn list(
    server: &Server,
    partitions: u16,
    args: &ListExpiredLeasesArgs,
) -> Result<ListExpiredLeasesResult, EngineError> {
    let page = expired_leases_page(args);
    let after = args.after.as_ref();
    let asked = Asked {
        as_of: args.as_of,
        after,
        after_partition: after.map(|after| after.execution_id.partition()),
        namespace: args.namespace.as_ref(),
        wanted: page.wanted(),
    };
    let asked = Wire::of(&asked).map_err(transport)?;
    let method = Method::ListExpiredLeases;
    let mut found: Vec<ExpiredLeaseInfo> = Vec::new();
    for answer in everywhere(server, method.as_str(), true, 0..partitions, &asked).await? {
        let there: Vec<ExpiredLeaseInfo> = answer?.content.into().map_err(transport)?;
        found.extend(there);
    }
    found.sort_by_key(|lease| {
        let id = &lease.execution_id;
        (lease.expires_at_ms, id.partition(), id.uuid())
    });
    found.truncate(page.wanted());
    Ok(page.of_leases(found))
}
