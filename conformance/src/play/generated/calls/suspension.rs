//! Calls about the secrets that sign tokens.

use ff_core::call::{Call, Method};
use ff_core::contracts::{RotateWaitpointHmacSecretAllArgs, SeedWaitpointHmacSecretArgs};
use proptest::prelude::*;
use proptest::sample::select;

use super::offer::{Offer, offer};

pub(super) const OFFERS: &[Offer] = &[
    offer(Method::RotateWaitpointHmacSecretAll, 2, |_| {
        let grace = select(vec![0, 1, 1_000, 1 << 53]);
        (kid(), secret(), grace)
            .prop_map(|(kid, secret, grace)| Call::RotateWaitpointHmacSecretAll {
                args: RotateWaitpointHmacSecretAllArgs::new(kid, secret, grace),
            })
            .boxed()
    }),
    offer(Method::SeedWaitpointHmacSecret, 1, |_| {
        (kid(), secret())
            .prop_map(|(kid, secret)| Call::SeedWaitpointHmacSecret {
                args: SeedWaitpointHmacSecretArgs::new(kid, secret),
            })
            .boxed()
    }),
];

fn kid() -> BoxedStrategy<String> {
    prop_oneof![12 => select(vec!["k1", "k2", "k3"]), 1 => Just("k:1")]
        .prop_map(str::to_owned)
        .boxed()
}

/// Two secrets, one of them in two ways, and one that is too short.
fn secret() -> BoxedStrategy<String> {
    let secrets = ["0a".repeat(32), "0A".repeat(32), "ff".repeat(32), "0a".repeat(31) + "0"];
    select(secrets.to_vec()).boxed()
}
