mod completions;
mod leases;
mod signals;
mod subscriptions;
mod tags;
