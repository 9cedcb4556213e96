-- Lists, a page at a time.

-- The longest page (EXE-049, EXE-050, FLW-036).
local MAX_PAGE = 1000

-- The members of an ordered set strictly after the cursor; one beyond the page tells whether another
-- page follows.
function ff.page(key, cursor, limit)
  limit = math.min(limit, MAX_PAGE)
  if limit == 0 then
    return {}
  end
  local after = cursor and '(' .. cursor or '-'
  local found = redis.call('ZRANGE', key, after, '+', 'BYLEX', 'LIMIT', 0, limit + 1)
  if #found > limit then
    table.remove(found)
    return found, found[limit]
  end
  return found
end
