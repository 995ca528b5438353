-- Advances the epoch and raises records to it. The cost is by names given, not by entries.
-- KEYS: epoch, fences, then each entry to clear, then the record of each tag, then where `*` is raised too what would be
--       its record, were that not in the epoch's own key.
-- ARGV: generation to begin if there is none; 'all' or 'auto'; number of keys; '1' to raise `*` too; the bucket of each
--       key.
-- Answers the new epoch.
local raise_all, keys, star = ARGV[2] == 'all', tonumber(ARGV[3]), ARGV[4] == '1'
begin(call('MGET', KEYS[1])[1])

if keys > 0 then
  local floor, found = fences(KEYS[2], unpack(ARGV, 5, 4 + keys))
  -- The server's clock, so that a counter that came back old with a stale replica catches up.
  n = math.max(n + 1, clock())
  local raised = {}
  for i = 1, keys do
    raised[2 * i - 1] = ARGV[4 + i]
    raised[2 * i] = text(math.max(n, fence(found[1 + i], floor)))
  end
  call('HSET', KEYS[2], unpack(raised))
  call('PEXPIRE', KEYS[2], DAY)
  call('UNLINK', unpack(KEYS, 3, 2 + keys))
else
  n = math.max(n + 1, clock())
end

for i = 3 + keys, star and #KEYS - 1 or #KEYS do
  local raw = try('GET', KEYS[i])
  local g, all, auto = match(type(raw) == 'string' and raw or '', RECORD)
  all, auto = number(all), number(auto)
  if g == generation and all and auto then
    if raise_all then all = math.max(all, n) else auto = math.max(auto, n) end
    call('SET', KEYS[i], generation .. ' ' .. text(all) .. ' ' .. text(auto), 'KEEPTTL')
  else
    put(KEYS[i], generation .. ' ' .. text(n) .. ' ' .. text(n), GRACE)
  end
end

if star then
  -- Nothing is kept there: the write is what tells those who track records.
  call('SET', KEYS[#KEYS], '')
  call('UNLINK', KEYS[#KEYS])
  if raise_all then star_all = math.max(star_all, n) else star_auto = math.max(star_auto, n) end
end
save_epoch()
return { generation, text(n) }
