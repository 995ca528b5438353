-- Removes entries that still are what was judged dead, and their members of the index.
-- KEYS: index, then entries. ARGV: where in an entry's store key the user's key begins; of each entry the first bytes of what
-- was judged, '' = it was not there.
-- Answers how many entries were removed.
local removed = 0
for i = 2, #KEYS do
  local head = ARGV[i]
  local is_gone
  if head == '' then
    is_gone = redis.call('EXISTS', KEYS[i]) == 0
  else
    is_gone = redis.pcall('GETRANGE', KEYS[i], 0, #head - 1) == head
    if is_gone then
      redis.call('UNLINK', KEYS[i])
      removed = removed + 1
    end
  end
  if is_gone then
    redis.pcall('ZREM', KEYS[1], string.sub(KEYS[i], tonumber(ARGV[1])))
  end
end
return removed
