-- The secrets that sign tokens.

local refusal = ff.refusal

-- Up to the end of its grace, if it was superseded (WPT-026).
function ff.is_retained(secret, now)
  return not secret.verifies_until or now <= secret.verifies_until
end

local MAX_INTEGER = 9007199254740991

-- Makes a new secret current here (WPT-020): how it went, or the refusal.
ff.write('rotate_waitpoint_hmac_secret_all', function(partition, args)
  local now, number, kid = partition:now(), partition:number(), args.args.new_kid
  local hex = string.lower(args.args.new_secret_hex)
  local known = partition:secrets(number)
  local previous, kept, gone = known and known.current_kid, {}, 0
  for name, secret in pairs(known and known.retained or {}) do
    if ff.is_retained(secret, now) then
      kept[name] = secret
    else
      gone = gone + 1
    end
  end
  if kept[kid] then
    if kid == previous and kept[kid].hex == hex then
      return { Ok = { noop = { kid = kid } } }
    end
    return { Err = { conflict = { rotation_conflict = kid } } }
  end
  if previous then
    local until_then = math.min(now + args.args.grace_ms, MAX_INTEGER)
    kept[previous] = { hex = kept[previous].hex, verifies_until = until_then }
  end
  kept[kid] = { hex = hex }
  partition:put('secrets', { partition_key = number, current_kid = kid, retained = kept })
  return { Ok = { rotated = { gc_count = gone, new_kid = kid, previous_kid = previous } } }
end)

-- Installs the first secret where there is none (WPT-023), or nothing (WPT-027).
ff.write('seed_waitpoint_hmac_secret', function(partition, args)
  local now, number, kid = partition:now(), partition:number(), args.args.kid
  local hex = string.lower(args.args.secret_hex)
  local known = partition:secrets(number)
  if not known then
    local retained = { [kid] = { hex = hex } }
    partition:put('secrets', { partition_key = number, current_kid = kid, retained = retained })
    return { seeded = { kid = kid } }
  end
  local secret = known.retained[kid]
  if not secret or not ff.is_retained(secret, now) then
    local why = known.current_kid .. ' signs, so that ' .. kid .. ' cannot be the first'
    refusal.validation('invalid_input', why)
  end
  return { already_seeded = { kid = kid, same_secret = secret.hex == hex } }
end)
