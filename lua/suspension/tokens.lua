-- Tokens that open waitpoints: the id of a key, and what it signs of the waitpoint (WPT-005, WPT-006).

local record, refusal = ff.record, ff.refusal

local token = {}

-- SHA-1 takes blocks of 64 bytes.
local BLOCK = 64

local function bytes_of(hex)
  return (string.gsub(hex, '%x%x', function(pair)
    return string.char(tonumber(pair, 16))
  end))
end

local function masked(secret, mask)
  return (string.gsub(secret, '.', function(byte)
    return string.char(bit.bxor(string.byte(byte), mask))
  end))
end

-- HMAC-SHA-1.
local function hmac(hex, text)
  local secret = bytes_of(hex)
  if #secret > BLOCK then
    secret = bytes_of(redis.sha1hex(secret))
  end
  secret = secret .. string.rep('\0', BLOCK - #secret)
  local inner = bytes_of(redis.sha1hex(masked(secret, 0x36) .. text))
  return redis.sha1hex(masked(secret, 0x5c) .. inner)
end

-- No two waitpoints have one text: only the name, which is last, may have any character.
local function text_of(waitpoint)
  return table.concat({
    waitpoint.execution_id, waitpoint.waitpoint_id, record.decimal(waitpoint.created_at),
    waitpoint.waitpoint_key,
  }, '|')
end

-- In the same time wherever they differ.
local function are_equal(one, other)
  if #one ~= #other then
    return false
  end
  local difference = 0
  for place = 1, #one do
    difference = bit.bor(difference, bit.bxor(string.byte(one, place), string.byte(other, place)))
  end
  return difference == 0
end

-- The token of a new waitpoint, signed with the current secret (WPT-010).
function token.sign(partition, waitpoint)
  local secrets = partition:secrets(partition:number())
  if not secrets then
    refusal.validation('invalid_input', 'no secret has been seeded that signs tokens')
  end
  local kid = secrets.current_kid
  return kid .. ':' .. hmac(secrets.retained[kid].hex, text_of(waitpoint))
end

-- Refuses a token that does not open the waitpoint now (WPT-007), and does not tell why (SIG-004).
function token.authorise(partition, waitpoint, given)
  local kid, digest = string.match(given, '^([^:]*):(.*)$')
  local secrets = kid and partition:secrets(partition:number())
  local secret = secrets and secrets.retained[kid]
  local known = secret and ff.is_retained(secret, partition:now())
  local signed = known and are_equal(hmac(secret.hex, text_of(waitpoint)), digest)
  if not (are_equal(given, waitpoint.token) and signed) then
    token.refuse()
  end
end

function token.refuse()
  refusal.validation('invalid_token', 'the token does not open this waitpoint')
end

ff.token = token
