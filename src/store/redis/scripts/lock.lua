-- Takes a lock, or gives it back.
-- KEYS: the lock; where something is noted, if it is. ARGV: who asks; for how many milliseconds, or '' = to give it back; the note.
-- Answers 1 = theirs, 0 = another's.
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'string' and held ~= ARGV[1] then
  return 0
end
-- A write that needs no memory: after it the server lets the others pass at maxmemory, when sweeps are needed most.
redis.call('PERSIST', KEYS[1])
if KEYS[2] then
  redis.call('SET', KEYS[2], ARGV[3])
end
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
elseif held == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
return 1
