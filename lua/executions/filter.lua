-- Which executions a scanner's filter lets through.

-- Whether it is of the filter's namespace and has exactly its value under its tag (OPS-026, SCH-022).
function ff.passes(partition, filter, fields)
  if filter.namespace and fields.namespace ~= filter.namespace then
    return false
  end
  if not filter.instance_tag then
    return true
  end
  local key, value = unpack(filter.instance_tag)
  local tagged = partition:tags(fields.execution_id)
  return tagged ~= nil and tagged.tags[key] == value
end
