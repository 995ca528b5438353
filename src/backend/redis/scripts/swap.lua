-- Replaces or removes one entry if it still is what was judged. The epoch advances and the key's fence is raised to it,
-- as by a clear of the key: a set under way with older data is refused.
-- KEYS: epoch, fences, entry.
-- ARGV: generation to begin if there is none; the key's bucket; the first bytes of what was judged; what replaces it, or
--       '' = nothing.
-- Answers {1, epoch} = done, {0, epoch} = another version is there.
local HEAD = 40
begin(call('MGET', KEYS[1])[1])
if try('GETRANGE', KEYS[3], 0, HEAD - 1) ~= ARGV[3] then
  return { 0, generation, text(n) }
end
local floor, found = fences(KEYS[2], ARGV[2])
n = math.max(n + 1, clock())
call('HSET', KEYS[2], ARGV[2], text(math.max(n, fence(found[2], floor))))
call('PEXPIRE', KEYS[2], DAY)
if ARGV[4] == '' then
  call('UNLINK', KEYS[3])
else
  call('SET', KEYS[3], ARGV[4], 'KEEPTTL')
end
save_epoch()
return { 1, generation, text(n) }
