mod admission;
mod budgets;
mod counters;
mod exhaustion;
mod quotas;
mod repeated;
mod spending;
mod usage;
