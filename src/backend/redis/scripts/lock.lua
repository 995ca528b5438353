-- Takes a lock, or gives it back.
-- KEYS: the lock. ARGV: who asks; for how many milliseconds, or '' = to give it back.
-- Answers 1 = theirs, 0 = another's.
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'string' and held ~= ARGV[1] then
  return 0
end
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
elseif held == ARGV[1] then
  redis.call('UNLINK', KEYS[1])
end
return 1
