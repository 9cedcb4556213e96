//! Names that arrive as data. Alone in its process, as it fills the room there is for them.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ff_core::backend::BackendTag;
use ff_core::engine_error::EngineError;

#[test]
fn names_from_data_do_not_fill_the_memory() {
    let tag = |name: &str| serde_json::from_str::<BackendTag>(&format!("{name:?}"));
    assert_eq!(tag("another").unwrap(), BackendTag::Other("another"));
    let long = "x".repeat(65);
    assert!(tag(&long).is_err(), "a long name");
    let kept = (0..100_000).filter(|number| tag(&format!("family-{number}")).is_ok());
    assert_eq!(kept.count(), 4_095);
    let refused = tag("one-more").unwrap_err();
    assert!(refused.to_string().contains("no room"), "{refused}");

    // What is known is known still.
    assert_eq!(tag("another").unwrap(), BackendTag::Other("another"));
    assert_eq!(tag("valkey").unwrap(), BackendTag::Valkey);
    let error = r#"{"not_found":{"entity":"nobody-knows"}}"#;
    let error: EngineError = serde_json::from_str(error).unwrap();
    assert_eq!(error, EngineError::NotFound { entity: "unknown" });
}
