-- What time, or an earlier crash, has made due: the calls that see to it (HSK-001 to HSK-014).

local execution = ff.execution

local MAX_PAGE = 1000

local function cancel(id, reason, now)
  return {
    cancel_execution = {
      args = { execution_id = id, reason = reason, source = 'operator_override', now = now },
    },
  }
end

local function has_ended(partition, id)
  local fields = partition:execution(id)
  return not fields or fields.lifecycle_phase == 'terminal'
end

-- The call that sees to something that is due of an execution, by what that is.
local SEES_TO = {}

function SEES_TO.deadline(home, fields, now)
  return {
    expire_execution = {
      partition = home,
      execution_id = fields.execution_id,
      phase = 'execution_deadline',
      now_ms = now,
    },
  }
end

function SEES_TO.attempt(home, fields, now)
  local call = SEES_TO.deadline(home, fields, now)
  call.expire_execution.phase = 'attempt_timeout'
  return call
end

function SEES_TO.suspension(home, fields, now)
  return {
    expire_suspension = { partition = home, execution_id = fields.execution_id, now_ms = now },
  }
end

function SEES_TO.delay(home, fields, now)
  return {
    promote_delayed = {
      partition = home,
      lane = fields.lane_id,
      execution_id = fields.execution_id,
      now_ms = now,
    },
  }
end

function SEES_TO.lease(home, fields)
  return { mark_lease_expired_if_due = { partition = home, execution_id = fields.execution_id } }
end

SEES_TO['end'] = function(_, fields)
  return {
    cascade_completion = {
      payload = {
        execution_id = fields.execution_id,
        outcome = fields.terminal_outcome,
        produced_at_ms = fields.completed_at,
        flow_id = fields.flow_id,
      },
    },
  }
end

-- A member that a header left to others is cancelled, and acknowledged once it has ended.
local function of_member(partition, left, now)
  local flow_id, id = left.flow_id, left.execution_id
  if has_ended(partition, id) then
    return { ack_cancel_member = { flow_id = flow_id, execution_id = id } }
  end
  local flow = partition:flow(flow_id)
  return cancel(id, flow and flow.cancel_reason or 'flow_cancelled', now)
end

-- Siblings that a decided group does not need are cancelled, and forgotten once all have ended.
local function of_siblings(partition, group, now)
  local impossible = group.group_state == 'impossible'
  local reason = impossible and 'sibling_quorum_impossible' or 'sibling_quorum_satisfied'
  local calls = {}
  for _, id in ipairs(group.pending_cancel) do
    if not has_ended(partition, id) then
      calls[#calls + 1] = cancel(id, reason, now)
    end
  end
  if #calls == 0 then
    calls[1] = {
      drain_sibling_cancel_group = {
        flow_partition = { family = 'flow', index = partition:number() },
        flow_id = group.flow_id,
        downstream_eid = group.downstream_execution_id,
      },
    }
  end
  return calls
end

-- The resets of budgets whose time has come.
ff.read('due_budgets', function(partition, args)
  local calls, now = {}, partition:now()
  for place, fields in ipairs(partition:timed('budget', 'DUE', math.min(args.limit, MAX_PAGE))) do
    calls[place] = { reset_budget = { args = { budget_id = fields.budget_id, now = now } } }
  end
  return calls
end)

ff.read('due', function(partition, args)
  local limit = math.min(args.limit, MAX_PAGE)
  local home = { family = 'execution', index = partition:number() }
  local now, calls = partition:now(), {}
  local function add(call)
    if #calls < limit then
      calls[#calls + 1] = call
    end
  end
  for _, fields in ipairs(partition:timed('execution', 'DUE', limit)) do
    for _, found in ipairs(execution.dues(fields)) do
      if found.at <= now then
        add(SEES_TO[found.due](home, fields, now))
      end
    end
  end
  for _, left in ipairs(partition:timed('backlog', 'DUE', limit)) do
    add(of_member(partition, left, now))
  end
  for _, group in ipairs(partition:timed('group', 'NOTED', limit)) do
    for _, call in ipairs(of_siblings(partition, group, now)) do
      add(call)
    end
  end
  for _, pending in ipairs(partition:timed('waitpoint', 'DUE', limit)) do
    add({
      close_waitpoint = {
        partition = home,
        execution_id = pending.execution_id,
        waitpoint_id = pending.waitpoint_id,
        now_ms = now,
      },
    })
  end
  return calls
end)
