//! Flows, their graph and their cancellation.

mod apply;
mod cancel;
mod cascade;
mod closing;
mod describe;
mod edges;
mod eligibility;
mod graphs;
mod groups;
mod headers;
mod lists;
mod members;
mod outcomes;
mod repeated;
mod replay;
mod resolve;
mod scripts;
mod siblings;
mod stage;
mod summaries;
mod tags;
