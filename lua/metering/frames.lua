-- The streams of attempts: what is appended to them, and how much of it is kept.

local execution, lease, record, refusal = ff.execution, ff.lease, ff.record, ff.refusal

local stream = {}

-- Frames that stay after a durable one, if the policy says nothing else, and after a summary frame (STR-008).
local MAX_FRAMES, MAX_SUMMARY_FRAMES = 10000, 64

-- A frame's place in its stream, by its bytes.
function stream.place(at, number)
  return string.format('%016.0f:%016.0f', at, number)
end

-- Whether its frames are gone (STR-015).
function stream.is_over(fields, now)
  return fields.expires_at ~= nil and fields.expires_at <= now
end

-- Removes all frames but the newest.
local function trim(partition, fields, kept)
  local first = math.max(fields.first, fields.frame_count + 1 - kept)
  for number = fields.first, first - 1 do
    partition:remove('frame', fields.execution_id, fields.attempt_index, number)
  end
  fields.first = first
end

-- Removes all that there is of a stream (OPS-020).
function stream.purge(partition, id, attempt)
  local fields = partition:stream(id, attempt)
  if fields then
    trim(partition, fields, 0)
    partition:remove('stream', id, attempt)
    partition:remove('summary', id, attempt)
  end
end

local function outcome(at, number, summary_version)
  return {
    stream_id = string.format('%.0f-%.0f', at, number),
    frame_count = number,
    summary_version = summary_version,
  }
end

-- How a frame with a number was appended before; its number may be none for it (STR-032, STR-033).
local function repeated(fields, new)
  local seq, last = new.content.seq, fields.sequenced
  if not seq or not last or seq > last.seq then
    return nil
  end
  if seq == last.seq and new.digest == last.digest then
    return outcome(last.at, last.number, last.summary_version)
  end
  local place = record.decimal(seq) .. ' comes after frame ' .. record.decimal(last.seq)
  refusal.validation('invalid_offset', 'frame ' .. place)
end

-- How often best-effort frames come, now that one more has come, and how many of them are kept for that (STR-013).
local function paced(effort, before, now)
  local ttl_ms = math.max(effort.ttl_ms, 1)
  if not before then
    return { rate = effort.floor * 1000 / (2 * ttl_ms), at = now }, effort.floor
  end
  local since = math.max(now - before.at, 1)
  local rate = effort.alpha * (1000 / since) + (1 - effort.alpha) * before.rate
  local kept = 2 * math.ceil(rate * ttl_ms / 1000)
  return { rate = rate, at = now }, math.min(math.max(kept, effort.floor), effort.ceiling)
end

-- How many frames stay after a durable one (STR-008, STR-035).
local function kept_by(fields)
  local policy = fields.policy and cmsgpack.unpack(fields.policy)
  local streams = policy and policy.stream_policy
  return streams and streams.retention_maxlen or MAX_FRAMES
end

-- Appends a frame to the stream of the attempt that the caller holds (STR-003, STR-030).
ff.write('append_frame', function(partition, new, context)
  local held = lease.held(partition, context.held, lease.not_active)
  local id, attempt = held.execution_id, held.current_attempt.index
  local now = partition:now()
  local fields = partition:stream(id, attempt) or {
    execution_id = id,
    attempt_index = attempt,
    frame_count = 0,
    first = 1,
    last_at = 0,
    holds_others = false,
  }
  local before = repeated(fields, new)
  if before then
    return before
  end
  local content = new.content
  if new.patch then
    content.summary_version = ff.summary.apply(partition, id, attempt, new.patch, now)
  end
  if stream.is_over(fields, now) then
    trim(partition, fields, 0)
  end
  fields.frame_count = fields.frame_count + 1
  -- Never back, whatever the clock does.
  fields.last_at = math.max(fields.last_at, now)
  if content.seq then
    fields.sequenced = {
      seq = content.seq,
      digest = new.digest,
      at = fields.last_at,
      number = fields.frame_count,
      summary_version = content.summary_version,
    }
  end
  local kept
  local effort = new.effort
  if effort then
    fields.pace, kept = paced(effort, fields.pace, now)
    local ends = not fields.holds_others and effort.ttl_ms > 0
    fields.expires_at = ends and ff.after(now, 2 * effort.ttl_ms) or nil
  else
    fields.holds_others, fields.expires_at = true, nil
    kept = new.patch and MAX_SUMMARY_FRAMES or kept_by(held)
  end
  partition:put('frame', {
    execution_id = id,
    attempt_index = attempt,
    frame_number = fields.frame_count,
    appended_at = fields.last_at,
    content = content,
  })
  trim(partition, fields, kept)
  partition:put('stream', fields)
  return outcome(fields.last_at, fields.frame_count, content.summary_version)
end)

ff.stream = stream
