//! Identifiers, partitions, states and errors.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ff_core::backend::{
    BackendTag, Handle, HandleKind, HandleOpaque, HandlePayload, PendingWaitpoint, ScannerFilter,
    WaitpointHmac,
};
use ff_core::call::{Call, Reply};
use ff_core::clock::ManualClock;
use ff_core::contracts::{RotateWaitpointHmacSecretAllArgs, SeedWaitpointHmacSecretArgs};
use ff_core::engine_backend::validate_tag_key;
use ff_core::engine_error::{
    ConflictKind, ContentionKind, EngineError, StateKind, backend_context, codes,
};
use ff_core::error::ErrorClass;
use ff_core::partition::{
    Partition, PartitionConfig, PartitionFamily, PartitionKey, PartitionKeyParseError,
    budget_partition, flow_partition, quota_partition, solo_partition,
};
use ff_core::policy::{BackoffStrategy, RetryPolicy};
use ff_core::state::{PublicState, StateVector};
use ff_core::types::{
    AttemptId, AttemptIndex, BudgetId, CancelSource, ExecutionId, ExecutionIdParseError, FlowId,
    LaneId, LaneIdError, LeaseEpoch, LeaseFence, LeaseId, MAX_INTEGER, QuotaPolicyId, TimestampMs,
    WaitpointId, WaitpointToken, WorkerInstanceId,
};
use uuid::Uuid;

const UUID: &str = "11111111-1111-1111-1111-111111111111";

#[test]
fn execution_ids_have_one_spelling() {
    let id = ExecutionId::parse(&format!("{{fp:7}}:{UUID}")).unwrap();
    assert_eq!((id.partition(), id.uuid().to_string().as_str()), (7, UUID));
    let upper = format!("{{fp:7}}:{}", "ABCDEFAB-1111-1111-1111-111111111111");
    assert!(ExecutionId::parse(&upper).unwrap().as_str().contains("abcdefab"));
    for (text, error) in [
        (UUID.to_owned(), ExecutionIdParseError::MissingTag(UUID.to_owned())),
        (format!("{{fp:x}}:{UUID}"), ExecutionIdParseError::InvalidPartitionIndex("x".to_owned())),
        (
            format!("{{fp:07}}:{UUID}"),
            ExecutionIdParseError::InvalidPartitionIndex("07".to_owned()),
        ),
        (
            format!("{{fp:70000}}:{UUID}"),
            ExecutionIdParseError::InvalidPartitionIndex("70000".to_owned()),
        ),
        ("{fp:1}:x".to_owned(), ExecutionIdParseError::InvalidUuid("x".to_owned())),
    ] {
        assert_eq!(ExecutionId::parse(&text), Err(error), "{text}");
    }
    assert!(serde_json::from_str::<ExecutionId>("\"nonsense\"").is_err());
}

#[test]
fn members_share_their_flows_partition() {
    let config = PartitionConfig::default();
    for _ in 0..100 {
        let flow = FlowId::new();
        let member = ExecutionId::for_flow(&flow, &config);
        assert_eq!(member.partition(), flow_partition(&flow, &config).index);
        assert!(member.partition() < 256);
        assert_eq!(flow_partition(&flow, &PartitionConfig::single()).index, 0);
    }
    let lane = LaneId::new("default");
    assert_eq!(ExecutionId::solo(&lane, &config).partition(), solo_partition(&lane, &config).index);
    assert!(budget_partition(&BudgetId::new(), &config).index < 32);
    assert!(quota_partition(&QuotaPolicyId::new(), &config).index < 32);
}

/// The checksum is fixed: other implementations must place flows alike.
#[test]
fn partitions_follow_crc16_xmodem() {
    let lane = LaneId::new("123456789");
    let all = PartitionConfig { num_flow_partitions: u16::MAX, ..PartitionConfig::default() };
    assert_eq!(solo_partition(&lane, &all).index, 0x31c3);
}

#[test]
fn partition_keys_parse_back() {
    for (family, tag) in [
        (PartitionFamily::Flow, "{fp:9}"),
        (PartitionFamily::Budget, "{b:9}"),
        (PartitionFamily::Quota, "{q:9}"),
    ] {
        let partition = Partition { family, index: 9 };
        let key = PartitionKey::from(&partition);
        assert_eq!((key.as_str(), key.parse()), (tag, Ok(partition)));
        assert_eq!(Partition::try_from(&key), Ok(partition));
    }
    let parse = |text: &str| PartitionKey::new(text).parse().unwrap_err();
    assert_eq!(parse("fp:1"), PartitionKeyParseError::MissingBraces);
    assert_eq!(parse("{fp}"), PartitionKeyParseError::MalformedBody);
    assert_eq!(parse("{x:1}"), PartitionKeyParseError::UnknownFamilyPrefix("x".to_owned()));
    assert_eq!(parse("{fp:+1}"), PartitionKeyParseError::InvalidIndex("+1".to_owned()));
}

#[test]
fn lane_names_are_checked_on_request() {
    assert_eq!(LaneId::try_new(""), Err(LaneIdError::Empty));
    assert_eq!(LaneId::try_new("x".repeat(65)), Err(LaneIdError::TooLong(65)));
    assert_eq!(LaneId::try_new("a\tb"), Err(LaneIdError::NonPrintable(1)));
    assert_eq!(LaneId::try_new("~ !").unwrap().as_str(), "~ !");
}

#[test]
fn cancel_sources_parse_back() {
    for text in ["lease_holder", "operator_override", "flow_cascade", "system_timeout", "cron"] {
        let source: CancelSource = text.parse().unwrap();
        assert_eq!(source.as_str(), text);
        assert_eq!(matches!(source, CancelSource::Custom(_)), text == "cron");
    }
}

fn payload() -> HandlePayload {
    HandlePayload {
        execution_id: ExecutionId::from_parts(3, Uuid::nil()),
        fence: LeaseFence {
            lease_id: LeaseId::new(),
            lease_epoch: LeaseEpoch::new(4),
            attempt_id: AttemptId::new(),
        },
        attempt_index: AttemptIndex::new(3),
        lease_ttl_ms: 30_000,
        lane_id: LaneId::new("default"),
        worker_instance_id: WorkerInstanceId::new("w-1"),
    }
}

#[test]
fn handles_open_for_their_family_only() {
    let outside = BackendTag::from_name("my-backend");
    assert_eq!(outside, BackendTag::Other("my-backend"));
    for tag in [BackendTag::Valkey, BackendTag::Mock, outside] {
        let handle = payload().seal(tag, HandleKind::Fresh);
        assert!(HandlePayload::open(tag, &handle).is_ok());
        let error = HandlePayload::open(BackendTag::Sqlite, &handle).unwrap_err();
        assert_eq!(error.code(), "validation.handle_from_other_backend");
        // The content says whose it is, whatever the tag claims.
        let relabelled = Handle::new(BackendTag::Sqlite, handle.kind, handle.opaque.clone());
        let error = HandlePayload::open(BackendTag::Sqlite, &relabelled).unwrap_err();
        assert_eq!(error.code(), "validation.handle_from_other_backend");
        let text = serde_json::to_string(&handle).unwrap();
        assert_eq!(serde_json::from_str::<Handle>(&text).unwrap(), handle);
    }
}

#[test]
fn damaged_handles_are_corrupt() {
    let handle = payload().seal(BackendTag::Mock, HandleKind::Fresh);
    let bytes = handle.opaque.as_bytes();
    for end in 0..bytes.len() {
        let opaque = HandleOpaque::new(bytes[..end].into());
        let cut = Handle::new(BackendTag::Mock, HandleKind::Fresh, opaque);
        let error = HandlePayload::open(BackendTag::Mock, &cut).unwrap_err();
        assert_eq!(error.code(), "validation.corruption", "{end} bytes");
    }
}

#[test]
fn bytes_are_text_in_json_and_themselves_elsewhere() {
    let told = |bytes: &[u8]| {
        let payload = Some(bytes.to_vec());
        let handle =
            Handle::new(BackendTag::Sqlite, HandleKind::Fresh, HandleOpaque::new([].into()));
        let call = Call::Complete { handle, payload };
        let text = serde_json::to_value(&call).unwrap();
        assert_eq!(serde_json::from_value::<Call>(text.clone()).unwrap(), call);
        text["complete"]["payload"].clone()
    };
    assert_eq!(told("grün \\x".as_bytes()), r"grün\x20\\x");
    assert_eq!(told(b"a\0\n\xFF"), r"a\0\n\xFF");
    told(&(0..=255).collect::<Vec<u8>>());

    let packed = postcard::to_allocvec(&HandleOpaque::new([0, 255].into())).unwrap();
    assert_eq!(packed, [2, 0, 255]);
    let id = LeaseId::parse(UUID).unwrap();
    assert_eq!(&postcard::to_allocvec(&id).unwrap()[1..], UUID.as_bytes());
}

#[test]
fn codes_are_stable_and_distinct() {
    let all: Vec<_> = codes().collect();
    for code in [
        "contention.stale_graph_revision",
        "validation.invalid_input",
        "state.lease_expired",
        "conflict.dependency_already_exists",
        "not_found.flow",
        "bug.attempt_not_in_created_state",
        "unavailable",
    ] {
        assert_eq!(all.iter().filter(|known| *known == code).count(), 1, "{code}");
    }
    let stale = EngineError::Contention(ContentionKind::StaleGraphRevision);
    assert_eq!(stale.code(), "contention.stale_graph_revision");
    let wrapped = backend_context(backend_context(stale.clone(), "inner"), "outer");
    assert_eq!(wrapped.code(), stale.code());
    assert_eq!(wrapped.root(), &stale);
    assert_ne!(wrapped, stale);
}

#[test]
fn classes_say_what_to_do() {
    for (error, class) in [
        (EngineError::invalid_input("x"), ErrorClass::Terminal),
        (EngineError::State(StateKind::StaleLease), ErrorClass::Cooperative),
        (EngineError::State(StateKind::DuplicateSignal), ErrorClass::Informational),
        (EngineError::Conflict(ConflictKind::CycleDetected), ErrorClass::Terminal),
        (EngineError::Contention(ContentionKind::RetryExhausted), ErrorClass::Retryable),
        (EngineError::transport("x", "y"), ErrorClass::Retryable),
        (EngineError::StreamBackpressure, ErrorClass::Advisory),
    ] {
        assert_eq!(error.class(), class, "{error}");
        assert_eq!(backend_context(error, "somewhere").class(), class);
    }
}

#[test]
fn transport_faults_keep_their_text() {
    let error = EngineError::transport("sqlite", std::io::Error::other("disk full"));
    let copy = error.clone();
    assert_eq!(copy, error);
    assert_eq!(copy.to_string(), "sqlite: disk full");
    let text = serde_json::to_string(&error).unwrap();
    assert_eq!(serde_json::from_str::<EngineError>(&text).unwrap(), error);
}

/// Every combination of the other dimensions has one public state, and only that is consistent.
#[test]
fn public_states_follow() {
    let bytes: Vec<u8> = (0..=255).cycle().take(4_096).collect();
    let mut u = arbitrary::Unstructured::new(&bytes);
    while !u.is_empty() {
        let Ok(mut vector) = u.arbitrary::<StateVector>() else {
            break;
        };
        vector.public_state = vector.derive_public_state();
        let terminal = matches!(
            vector.public_state,
            PublicState::Completed
                | PublicState::Failed
                | PublicState::Cancelled
                | PublicState::Expired
                | PublicState::Skipped
        );
        assert_eq!(terminal, vector.lifecycle_phase.as_str() == "terminal");
    }
}

#[test]
fn retry_policies_read_with_defaults() {
    let policy: RetryPolicy = serde_json::from_str("{}").unwrap();
    assert_eq!(policy, RetryPolicy::default());
    let text = r#"{"max_retries":1,"backoff":{"type":"exponential","initial_delay_ms":5}}"#;
    let policy: RetryPolicy = serde_json::from_str(text).unwrap();
    let backoff = BackoffStrategy::Exponential {
        initial_delay_ms: 5,
        max_delay_ms: 60_000,
        multiplier: 2.0,
        jitter: false,
    };
    assert_eq!((policy.max_retries, policy.backoff), (1, backoff));
    assert!(serde_json::from_str::<RetryPolicy>(r#"{"backoff":{"type":"never"}}"#).is_err());
}

#[test]
fn filters_compare_tenant_and_tag() {
    let tenant = ScannerFilter::new().with_namespace("a");
    let both = tenant.clone().with_instance_tag("app.id", "1");
    let (a, b) = ("a".into(), "b".into());
    assert!(ScannerFilter::NOOP.is_noop() && ScannerFilter::NOOP.matches(None, None));
    assert!(tenant.matches(Some(&a), None) && !tenant.matches(Some(&b), None));
    assert!(!tenant.matches(None, None));
    assert!(both.matches(Some(&a), Some("1")) && !both.matches(Some(&a), Some("2")));
    assert!(!both.matches(Some(&b), Some("1")) && !both.matches(Some(&a), None));
}

#[test]
fn tag_keys_match_as_a_whole() {
    for key in ["a.b", "a1_2.x", "app.sub.field", "x.y_z", "a.b."] {
        assert!(validate_tag_key(key).is_ok(), "{key}");
    }
    for key in ["", "a", "a.", ".a", "A.b", "a..b", "1.b", "_.b", "a-b.c", "a.B", "a.b c", "a.b\n"]
    {
        let error = validate_tag_key(key).unwrap_err();
        assert_eq!(error.code(), "validation.invalid_input", "{key:?}");
        assert!(error.to_string().contains(&format!("{key:?}")), "{error}");
    }
}

#[test]
fn manual_clocks_share_their_time() {
    let clock = ManualClock::new();
    let other = clock.clone();
    clock.advance(std::time::Duration::from_millis(1_500));
    assert_eq!(other.now().0, ManualClock::START.0 + 1_500);
    clock.advance(std::time::Duration::MAX);
    assert_eq!(other.now().0, MAX_INTEGER.cast_signed());
    clock.set(TimestampMs(-1));
    assert_eq!(other.now().0, 0);
    assert_eq!(ManualClock::starting_at(TimestampMs(i64::MAX)).now().0, MAX_INTEGER.cast_signed());
}

#[test]
fn tokens_and_secrets_never_show() {
    let hex = "5eC2e7";
    let token = format!("kid-1:{hex}");
    let seed = SeedWaitpointHmacSecretArgs::new("kid-1", hex);
    let rotation = RotateWaitpointHmacSecretAllArgs::new("kid-2", hex, 1);
    let hmac = WaitpointHmac::new(token.as_str());
    let shown = [
        format!("{:?}", WaitpointToken::new(token.as_str())),
        WaitpointToken::new(token.as_str()).to_string(),
        format!("{:?}", PendingWaitpoint::new(WaitpointId::new(), hmac)),
        format!("{:?}", Reply::ReadWaitpointToken(Some(token.clone()))),
        format!("{:?}", Call::SeedWaitpointHmacSecret { args: seed }),
        format!("{:?}", Call::RotateWaitpointHmacSecretAll { args: rotation }),
    ];
    for text in &shown {
        assert!(!text.contains(hex), "{text}");
    }
    assert_eq!(shown[0], "<token kid-1, 12 bytes>");
    assert_eq!(WaitpointToken::new(hex).to_string(), "<token ?, 6 bytes>");
    let wire = serde_json::to_value(WaitpointToken::new(token.as_str())).unwrap();
    assert_eq!(wire, token.as_str(), "what is serialised is the token itself");
}
