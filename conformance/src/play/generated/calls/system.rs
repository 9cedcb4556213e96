//! Calls about the deployment as a whole. A shutdown is about one instance, and comes in none.

use ff_core::call::{Call, Method};
use proptest::prelude::*;

use super::offer::{Offer, offer};

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::Ping, 1, |_| Just(Call::Ping {}).boxed()),
    offer(Method::Prepare, 1, |_| Just(Call::Prepare {}).boxed()),
    offer(Method::ServerTimeMs, 1, |_| Just(Call::ServerTimeMs {}).boxed()),
];
