-- Takes members out of an index whose entries have expired.
-- KEYS: index. ARGV: how many at most.
-- Answers how many are left to take out.
local time = redis.call('TIME')
local millis = time[1] .. string.format('%03d', math.floor(tonumber(time[2]) / 1000))
local expired = redis.pcall('ZCOUNT', KEYS[1], '-inf', millis)
if type(expired) ~= 'number' or expired == 0 then
  return 0
end
return expired - redis.call('ZREMRANGEBYRANK', KEYS[1], 0, math.min(expired, tonumber(ARGV[1])) - 1)
