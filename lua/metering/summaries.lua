-- The summary document of an attempt's stream.
--
-- Documents and patches are texts that begin with what they are: `o` an object, its members packed behind it, each
-- such a text; `v` any other value, in JSON; `n` in a patch, that the member goes. So no number is read here, and no
-- depth is too much for the packer.

local summary = {}

-- What a patch makes of a value (RFC 7396).
local function merge(before, patch)
  if string.sub(patch, 1, 1) ~= 'o' then
    return patch
  end
  local members = {}
  if before and string.sub(before, 1, 1) == 'o' then
    members = cmsgpack.unpack(string.sub(before, 2))
  end
  for name, change in pairs(cmsgpack.unpack(string.sub(patch, 2))) do
    if change == 'n' then
      members[name] = nil
    else
      members[name] = merge(members[name], change)
    end
  end
  return 'o' .. cmsgpack.pack(members)
end

-- The document after one more patch (STR-010 to STR-012); its version.
function summary.apply(partition, id, attempt, patch, now)
  local fields = partition:summary(id, attempt) or {
    execution_id = id,
    attempt_index = attempt,
    version = 0,
    first_applied_at = now,
  }
  fields.document = merge(fields.document, patch)
  fields.version = fields.version + 1
  fields.last_applied_at = now
  partition:put('summary', fields)
  return fields.version
end

-- STR-025.
ff.read('read_summary', function(partition, args)
  return partition:summary(args.execution_id, args.attempt_index)
end)

ff.summary = summary
