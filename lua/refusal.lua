-- Refusals: the errors of ff-core, in the form in which it serialises them.

local refusal = {}

-- Ends the call. What it has changed so far is forgotten, unless `keeps` says otherwise.
local function refuse(record, keeps)
  error({ refusal = record, keeps = keeps }, 0)
end

function refusal.not_found(entity)
  refuse({ not_found = { entity = entity } })
end

function refusal.validation(kind, detail)
  refuse({ validation = { kind = kind, detail = detail } })
end

function refusal.contention(kind)
  refuse({ contention = kind })
end

function refusal.conflict(kind)
  refuse({ conflict = kind })
end

function refusal.state(kind)
  refuse({ state = kind })
end

-- The lease was found due: the lapse is kept, the call is refused (LSE-005).
function refusal.lapsed()
  refuse({ state = 'lease_expired' }, true)
end

ff.refusal = refusal
