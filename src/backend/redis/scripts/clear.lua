-- Advances the epoch and raises records to it. The cost is by names given, not by entries.
-- KEYS: epoch, then entry and fence of each key to clear, then the record of each tag.
-- ARGV: generation to begin if there is none; 'all' or 'auto'; number of keys; '1' to raise `*` too.
-- Answers the new epoch.
local raise_all, keys, star = ARGV[2] == 'all', tonumber(ARGV[3]), ARGV[4] == '1'

-- The server's clock, so that a counter that came back old with a stale replica catches up.
n = math.max(n + 1, micros)

for i = 2, 2 * keys, 2 do
  redis.call('UNLINK', KEYS[i])
  put(KEYS[i + 1], generation .. ' ' .. text(math.max(n, fence(KEYS[i + 1]) or 0)), DAY)
end

for i = 2 + 2 * keys, #KEYS do
  local record_generation, all, auto = record(KEYS[i])
  if record_generation == generation then
    if raise_all then all = math.max(all, n) else auto = math.max(auto, n) end
    redis.call('SET', KEYS[i], generation .. ' ' .. text(all) .. ' ' .. text(auto), 'KEEPTTL')
  else
    put(KEYS[i], generation .. ' ' .. text(n) .. ' ' .. text(n), GRACE)
  end
end

if star then
  if raise_all then star_all = math.max(star_all, n) else star_auto = math.max(star_auto, n) end
end
save_epoch()
return { generation, text(n) }
