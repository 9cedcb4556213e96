-- The kinds of records, and the outboxes, as `ff_transactional::records` declares them: a test compares
-- the two. Packed, a record is the list of its fields in this order, without those of its key.
--
-- An index is an ordered set for each combination of the fields in `per`; it has those records that
-- have all of these, each by the last field of its key. An index by time (`at`) is one set of a
-- partition; it has those records that have a time, each by its whole key. Beside an index that
-- `leads_to` a field stands the set of all values that the field has had in its records. An index with
-- `when` has only those records of which that holds; one `by` a number is in the order of that. An index by
-- `place` has texts in their order, in such sets too. A `queue` is one set for each lane and requirement
-- set, of the executions of which it holds in the order of claims, beside the sets that a lane has.

ff.kinds = {
  layout = {
    key = { 'family' },
    fields = { 'partitions', 'deployment' },
    indexes = {},
  },
  idempotency = {
    key = { 'partition_key', 'digest' },
    fields = { 'execution_id', 'expires_at' },
    indexes = {},
  },
  flow = {
    key = { 'flow_id' },
    fields = {
      'partition_key', 'flow_kind', 'namespace', 'created_at', 'public_flow_state',
      'graph_revision', 'node_count', 'edge_count', 'last_mutation_at', 'cancelled_at',
      'cancel_reason', 'cancellation_policy', 'projection',
    },
    indexes = { LISTED = { per = {} } },
  },
  flow_tags = {
    key = { 'flow_id' },
    fields = { 'tags' },
    indexes = {},
  },
  execution = {
    key = { 'execution_id' },
    fields = {
      'namespace', 'lane_id', 'execution_kind', 'creator_identity', 'payload_encoding',
      'required_capabilities', 'policy', 'created_at', 'flow_id', 'lifecycle_phase',
      'ownership_state', 'eligibility_state', 'blocking_reason', 'blocking_detail',
      'terminal_outcome', 'attempt_state', 'total_attempt_count', 'retry_count', 'replay_count',
      'lease_reclaim_count', 'current_attempt', 'lease', 'lease_epoch', 'lease_expired_at',
      'closing', 'started_at', 'completed_at', 'last_transition_at', 'last_mutation_at',
      'delay_until', 'execution_deadline_at', 'uncascaded_since', 'failure_reason', 'failure_category',
      'cancellation_reason', 'cancelled_by', 'progress_percent', 'progress_message', 'suspension',
      'waitpoint_count', 'signal_count', 'grant', 'last_lease_id', 'priority',
      'lease_revoked_at', 'lease_revoke_reason', 'attempt_clock', 'denied_by_budget',
    },
    indexes = {
      KEY = { per = {} },
      MEMBERS = { per = { 'flow_id' } },
      DUE = {
        at = function(fields)
          return ff.execution.due_at(fields)
        end,
      },
      SUSPENDED = {
        per = {},
        place = function(fields)
          return fields.lifecycle_phase == 'suspended'
            and ff.execution.place_suspended(fields.suspension.since, fields.execution_id)
        end,
      },
      WAITING = {
        per = { 'lane_id' },
        place = function(fields)
          return ff.execution.is_eligible(fields) and ff.execution.place(fields)
        end,
      },
      ENDED = {
        per = { 'lane_id' },
        place = function(fields)
          return fields.completed_at and ff.execution.place_ended(fields)
        end,
      },
      RESERVED = {
        at = function(fields)
          return ff.execution.is_reserved(fields) and fields.grant.expires_at or nil
        end,
      },
      LEASES = {
        at = function(fields)
          local lease = ff.execution.unrevoked_lease(fields)
          return lease and lease.expires_at
        end,
      },
      DENIED = {
        per = {},
        place = function(fields)
          local budget = fields.denied_by_budget
          return budget and budget .. ':' .. fields.execution_id
        end,
      },
      QUEUE = {
        queue = 'queue',
        holds = function(fields)
          return ff.execution.is_claimable(fields)
        end,
        is_work = true,
      },
      RESUMABLE = {
        queue = 'resumable',
        holds = function(fields)
          return ff.execution.is_resumable(fields)
        end,
      },
      ROUTED = {
        queue = 'routed',
        holds = function(fields)
          return fields.eligibility_state == 'blocked_by_route'
        end,
      },
    },
  },
  payload = {
    key = { 'execution_id' },
    fields = { 'payload' },
    indexes = {},
  },
  result = {
    key = { 'execution_id' },
    fields = { 'result' },
    indexes = {},
  },
  tags = {
    key = { 'execution_id' },
    fields = { 'tags' },
    indexes = {},
  },
  attempt = {
    key = { 'execution_id', 'attempt_index' },
    fields = {
      'attempt_id', 'attempt_type', 'started_at', 'state', 'ended_at', 'failure_reason',
      'failure_category', 'closed',
    },
    indexes = {},
  },
  past_lease = {
    key = { 'execution_id', 'lease_id' },
    fields = { 'lease_epoch' },
    indexes = { KEY = { per = { 'execution_id' } } },
  },
  past_attempt = {
    key = { 'execution_id', 'attempt_id' },
    fields = { 'attempt_index' },
    indexes = { KEY = { per = { 'execution_id' } } },
  },
  lane = {
    key = { 'lane_id' },
    fields = {},
    indexes = { KEY = { per = {} } },
  },
  registration = {
    key = { 'namespace', 'worker_instance_id' },
    fields = {
      'worker_id', 'lanes', 'capabilities', 'liveness_ttl_ms', 'registered_at',
      'last_heartbeat_at', 'expires_at',
    },
    indexes = {
      KEY = {
        per = {},
        place = function(fields)
          return ff.worker.place(fields.namespace, fields.worker_instance_id)
        end,
      },
      EXPIRING = {
        per = {},
        place = function(fields)
          return ff.worker.expiry(fields)
        end,
      },
    },
  },
  edge = {
    key = { 'flow_id', 'edge_id' },
    fields = {
      'upstream_execution_id', 'downstream_execution_id', 'dependency_kind', 'data_passing_ref',
      'created_at', 'state',
    },
    indexes = {
      OUT = { per = { 'flow_id', 'upstream_execution_id' }, leads_to = 'downstream_execution_id' },
      IN = { per = { 'flow_id', 'downstream_execution_id' } },
    },
  },
  group = {
    key = { 'flow_id', 'downstream_execution_id' },
    fields = {
      'policy', 'satisfied_count', 'failed_count', 'skipped_count', 'running_count', 'group_state',
      'pending_cancel', 'noted_at',
    },
    indexes = {
      KEY = { per = { 'flow_id' } },
      NOTED = {
        at = function(fields)
          return fields.noted_at
        end,
      },
    },
  },
  secrets = {
    key = { 'partition_key' },
    fields = { 'current_kid', 'retained' },
    indexes = {},
  },
  waitpoint = {
    key = { 'partition_key', 'waitpoint_id' },
    fields = {
      'execution_id', 'attempt_index', 'waitpoint_key', 'token', 'created_at', 'pending_until',
      'taken_at_epoch', 'activated_at', 'closed_at',
    },
    indexes = {
      OWNED = { per = { 'execution_id' } },
      PENDING = {
        per = { 'execution_id' },
        when = function(fields)
          return ff.waitpoint.is_pending(fields)
        end,
      },
      DUE = {
        at = function(fields)
          return ff.waitpoint.is_pending(fields) and fields.pending_until or nil
        end,
      },
    },
  },
  suspension = {
    key = { 'execution_id' },
    fields = {
      'suspension_id', 'attempt_index', 'condition', 'resume_policy', 'requested_by',
      'continuation_metadata_pointer', 'waitpoints', 'counted', 'satisfiers', 'resumed_at',
      'resumed_by',
    },
    indexes = {},
  },
  suspend_replay = {
    key = { 'execution_id', 'digest' },
    fields = { 'suspension_id', 'waitpoints', 'released', 'expires_at' },
    indexes = { KEY = { per = { 'execution_id' } } },
  },
  signal = {
    key = { 'execution_id', 'signal_id' },
    fields = {
      'waitpoint_id', 'number', 'signal_name', 'signal_category', 'source_type',
      'source_identity', 'correlation_id', 'idempotency_key', 'target_scope', 'payload',
      'payload_encoding', 'created_at', 'accepted_at', 'effect',
    },
    indexes = { ARRIVED = { per = { 'waitpoint_id' }, by = 'number' } },
  },
  signal_key = {
    key = { 'waitpoint_id', 'digest' },
    fields = { 'signal_id', 'expires_at' },
    indexes = { KEY = { per = { 'waitpoint_id' } } },
  },
  backlog = {
    key = { 'flow_id', 'execution_id' },
    fields = { 'due_at' },
    indexes = {
      KEY = { per = { 'flow_id' } },
      DUE = {
        at = function(fields)
          return fields.due_at
        end,
      },
    },
  },
  budget = {
    key = { 'partition_key', 'budget_id' },
    fields = {
      'definition', 'usage', 'breach_count', 'soft_breach_count', 'last_breach', 'next_reset_at',
      'reset_count',
    },
    indexes = {
      KEY = { per = { 'partition_key' } },
      DUE = {
        at = function(fields)
          return fields.next_reset_at
        end,
      },
    },
  },
  spend = {
    key = { 'budget_id', 'execution_id' },
    fields = { 'amounts', 'reset_count' },
    indexes = { COUNTED = { per = { 'budget_id' }, by = 'reset_count' } },
  },
  usage_key = {
    key = { 'budget_id', 'digest' },
    fields = { 'expires_at' },
    indexes = { EXPIRING = { per = { 'budget_id' }, by = 'expires_at' } },
  },
  quota = {
    key = { 'partition_key', 'quota_policy_id' },
    fields = { 'limits', 'admission_count' },
    indexes = { KEY = { per = { 'partition_key' } } },
  },
  window = {
    key = { 'quota_policy_id', 'dimension' },
    fields = { 'first', 'next', 'oldest', 'latest', 'longest' },
    indexes = { OLDEST = { per = { 'quota_policy_id' }, by = 'oldest' } },
  },
  place = {
    key = { 'quota_policy_id', 'dimension', 'number' },
    fields = { 'taken_at' },
    indexes = {},
  },
  slot = {
    key = { 'quota_policy_id', 'execution_id' },
    fields = { 'ends', 'held_until' },
    indexes = { HELD = { per = { 'quota_policy_id' }, by = 'held_until' } },
  },
  stream = {
    key = { 'execution_id', 'attempt_index' },
    fields = {
      'frame_count', 'first', 'last_at', 'sequenced', 'pace', 'holds_others', 'expires_at',
    },
    indexes = {},
  },
  frame = {
    key = { 'execution_id', 'attempt_index', 'frame_number' },
    fields = { 'appended_at', 'content' },
    indexes = {
      PLACED = {
        per = { 'execution_id', 'attempt_index' },
        place = function(fields)
          return ff.stream.place(fields.appended_at, fields.frame_number)
        end,
      },
      LASTING = {
        per = { 'execution_id', 'attempt_index' },
        place = function(fields)
          return fields.content.mode ~= 'best_effort_live'
            and ff.stream.place(fields.appended_at, fields.frame_number)
        end,
      },
    },
  },
  summary = {
    key = { 'execution_id', 'attempt_index' },
    fields = { 'document', 'version', 'first_applied_at', 'last_applied_at' },
    indexes = {},
  },
}

ff.outboxes = {
  completions = {
    fields = { 'execution_id', 'flow_id', 'namespace', 'outcome', 'occurred_at', 'tags' },
  },
  lease_events = {
    fields = {
      'execution_id', 'namespace', 'event_type', 'lease_id', 'worker_instance', 'revoked_by',
      'occurred_at', 'tags',
    },
  },
  signals = {
    fields = {
      'execution_id', 'namespace', 'signal_id', 'waitpoint_id', 'source_identity', 'effect',
      'occurred_at', 'tags',
    },
  },
  tag_events = {
    fields = { 'execution_id', 'event_type', 'tag', 'occurred_at' },
  },
}

-- For the test that compares them with the declaration.
ff.read('kinds', function()
  return { kinds = ff.kinds, outboxes = ff.outboxes }
end)
