-- Stores entries in their order, each unless a clear of its key since its epoch forbids it. An entry that no miss guards is
-- given the present epoch instead. Clears of tags are not looked at: they show when the entry is read.
-- KEYS: epoch, log, fences, index, longest life, then the entries.
-- ARGV: generation to begin if there is none; number of entries; where in an entry's store key the user's key begins; the
--       longest life of those that end to announce, in milliseconds ('' = none); '1' to count what has expired of the index;
--       of each entry: its epoch as `<generation> <n>`; flags (1 = a miss guards it, 2 = it is entered into the index); its life
--       in milliseconds ('' = for ever); the bucket of its key, with what its read found if nothing else may be replaced (bytes 4
--       to 23 of an entry; zeros = nothing); its bytes.
-- Answers, of each entry, 1 = stored, 0 = too old or replaced, or an error; then how many members of the index have expired.
local FIRST, EACH, BUCKET = 6, 5, 3
local redis, KEYS, ARGV = redis, KEYS, ARGV
local reply, count = {}, tonumber(ARGV[2])

-- An entry of the present epoch is older than no clear: then nothing else need be looked at, nor defined.
local raw, late = redis.pcall('GET', KEYS[1])
for e = 1, count do
  if ARGV[FIRST + EACH * (e - 1)] ~= raw then
    late = true
  end
end
local bodies
if late then
