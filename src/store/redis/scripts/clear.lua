-- Clears keys and tags: advances the epoch and writes the tags into the log. The cost is by names given, not by entries.
-- KEYS: epoch, log, fences, index, longest life, then each entry to clear.
-- ARGV: generation to begin if there is none; the newest number that the caller has seen; 'h' or 's'; '1' if the root is cleared;
--       members that the log keeps; milliseconds for which data may be under way before it is stored; where in an entry's store
--       key the user's key begins; the tags, 8 bytes each; the buckets of the keys, 3 bytes each.
-- Answers the generation, the number before (0 = this began the generation), the number after, and whether the floor rose to what
-- living entries may need.

-- Taken out at once at most: a fraction of a millisecond.
local TRIMMED = 1000

local kind, clears_root, cap = ARGV[3], ARGV[4] == '1', tonumber(ARGV[5])
local tags, buckets = ARGV[8], ARGV[9]

for i = 6, #KEYS do
  call('UNLINK', KEYS[i])
  try('ZREM', KEYS[4], string.sub(KEYS[i], tonumber(ARGV[7])))
end
if begin(try('GET', KEYS[1])) then
  return { generation, '0', text(n), 0 }
end

local before = advance(tonumber(ARGV[2]))
if #buckets > 0 then
  local names = {}
  for i = 1, #buckets / 3 do
    names[i] = string.sub(buckets, 3 * i - 2, 3 * i)
  end
  raise_fences(KEYS[3], names)
end

local log, members, last, score, sub = KEYS[2], { KEYS[2] }, 1, text(n), string.sub
for i = 1, #tags, 8 do
  members[last + 1], members[last + 2] = score, kind .. sub(tags, i, i + 7)
  last = last + 2
end
if clears_root and kind == 's' then
  members[last + 1], members[last + 2] = score, 's' .. string.rep('\0', 8)
end
if clears_root and kind == 'h' then
  call('UNLINK', log)
  call('ZADD', log, score, '#f', score, '#g' .. generation)
elseif members[2] then
  call('ZADD', unpack(members))
end

-- Takes out the members up to this number: entries below it are invalid from now on.
local function trim(score)
  call('ZREMRANGEBYSCORE', log, '-inf', text(score))
  call('ZADD', log, text(score), '#f', text(n), '#g' .. generation)
end

local function score_at(rank)
  return tonumber(call('ZRANGE', log, rank, rank, 'WITHSCORES')[2])
end

local rose = 0
local size = call('ZCARD', log)
if size > TRIMMED then
  -- No entry lives that was stored by a number below this one: nothing is lost.
  local life = try('GET', KEYS[5])
  life = type(life) == 'string' and number(match(life, '^%d+$'))
  local horizon = life and n - (life + tonumber(ARGV[6])) * 1000 or -1
  -- What never ends may need all of it.
  if horizon > 0 and try('ZCOUNT', KEYS[4], '+inf', '+inf') ~= 0 then
    horizon = -1
  end
  if score_at(1) <= horizon then
    -- Up to a clear, and not to the moment itself: what was stored after the last clear that is so old carries its number.
    local last = call('ZREVRANGEBYSCORE', log, text(horizon), '-inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    trim(math.min(score_at(TRIMMED), tonumber(last)))
    size = call('ZCARD', log)
  end
  local over = size - 2 - cap
  if over > 0 then
    local score = score_at(over)
    rose = score > horizon and 1 or 0
    trim(score)
  end
end

return { generation, text(before), text(n), rose }
