//! Creation, reads, claims, leases and attempts of executions.

mod attempts;
mod blocks;
mod cancel;
mod claims;
mod create;
mod expire;
mod fields;
mod grants;
mod idempotency;
mod leases;
mod lists;
mod policies;
mod priority;
mod progress;
mod reads;
mod reclaim;
mod redeem;
mod repeated;
mod repetition;
mod replay;
mod retries;
mod revoke;
mod scheduling;
mod scripts;
mod tags;
