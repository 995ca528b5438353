-- Replaces or removes one entry if it still is what was judged. The epoch advances and the key's fence is raised to it,
-- as by a clear of the key: a set under way with older data is refused.
-- KEYS: epoch, log, fences, index, entry.
-- ARGV: generation to begin if there is none; the newest number that the caller has seen; the key's bucket; the first bytes of
--       what was judged; what replaces it, or '' = nothing; where in the entry's store key the user's key begins.
-- Answers {1, generation, number before, number after} = done, {0} = another version is there.
local head = ARGV[4]
local seen = try('GETRANGE', KEYS[5], 0, head == '' and 0 or #head - 1)
if seen ~= head then
  return { 0 }
end
local began = begin(try('GET', KEYS[1]))
local before = advance(tonumber(ARGV[2]))
raise_fences(KEYS[3], { ARGV[3] })
if ARGV[5] == '' then
  call('UNLINK', KEYS[5])
  try('ZREM', KEYS[4], string.sub(KEYS[5], tonumber(ARGV[6])))
else
  call('SET', KEYS[5], ARGV[5], 'KEEPTTL')
end
return { 1, generation, began and '0' or text(before), text(n) }
