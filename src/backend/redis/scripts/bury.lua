-- Removes judged members from an index, and their entries if they still are what was judged.
-- KEYS: index, then entries.
-- ARGV: of each entry its user key; 'absent', 'dead' or 'retagged'; the first bytes of what was judged.
-- Answers the size of the index.
local HEAD = 40
for i = 2, #KEYS do
  local at = (i - 2) * 3
  local member, verdict, head = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local leaves
  if verdict ~= 'absent' and redis.pcall('GETRANGE', KEYS[i], 0, HEAD - 1) == head then
    leaves = true
    if verdict == 'dead' then
      redis.call('UNLINK', KEYS[i])
    end
  else
    leaves = redis.call('EXISTS', KEYS[i]) == 0
  end
  if leaves then
    redis.pcall('ZREM', KEYS[1], member)
  end
end
local size = redis.pcall('ZCARD', KEYS[1])
return type(size) == 'number' and size or 0
