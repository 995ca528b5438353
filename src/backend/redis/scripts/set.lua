-- Stores one entry, unless a clear since its epoch forbids it.
-- KEYS: epoch, entry, fence, then record and index of each tag.
-- ARGV: generation to begin if there is none; the entry's generation and number; '1' if automatic invalidations clear
--       it; '1' if a miss guards it; its life in milliseconds ('' = for ever); its user key; its bytes.
-- Answers {1, size of each index} = stored, {0, epoch} = too old, {2, epoch} = too old, but no miss guards it.
local own_generation, own = ARGV[2], number(ARGV[3]) or -1
local auto, guarded = ARGV[4] == '1', ARGV[5] == '1'
local life = ARGV[6] ~= '' and tonumber(ARGV[6]) or nil
-- Twice the entry's life: later sets of the same lifetime then seldom have to extend it, which tells every reader.
local record_life = life and 2 * life + GRACE

-- The entry's epoch must not be below this. Whatever is missing is made at the present epoch, before anything is
-- decided: a set that comes too late then prepares the way for the next one.
local bound = star_all
if auto and star_auto > bound then bound = star_auto end

local cleared = fence(KEYS[3])
if not cleared then
  cleared = n
  put(KEYS[3], generation .. ' ' .. text(n), DAY)
end
if cleared > bound then bound = cleared end

local kept = {}
for i = 4, #KEYS, 2 do
  local record_generation, all, automatic = record(KEYS[i])
  if record_generation ~= generation then
    all, automatic = n, n
    put(KEYS[i], generation .. ' ' .. text(n) .. ' ' .. text(n), record_life)
  else
    kept[#kept + 1] = KEYS[i]
  end
  if all > bound then bound = all end
  if auto and automatic > bound then bound = automatic end
end

if own_generation ~= generation or own < bound then
  return { guarded and 0 or 2, generation, text(n) }
end

for _, key in ipairs(kept) do
  local left = redis.call('PTTL', key)
  if left ~= -1 then
    if not life then
      redis.call('PERSIST', key)
    elseif left < life then
      redis.call('PEXPIRE', key, text(record_life))
    end
  end
end

put(KEYS[2], ARGV[8], life)

local now = math.floor(micros / 1000)
local score = life and text(now + life) or '+inf'
local reply = { 1 }
for i = 5, #KEYS, 2 do
  local index = KEYS[i]
  local left = redis.call('PTTL', index)
  if type(redis.pcall('ZADD', index, score, ARGV[7])) == 'table' then
    -- A foreign type in the index's place.
    redis.call('DEL', index)
    redis.call('ZADD', index, score, ARGV[7])
    left = -2
  end
  -- Each set takes more expired members out than it brings in, so an index in use shrinks to what lives.
  local expired = redis.call('ZRANGEBYSCORE', index, '-inf', text(now), 'LIMIT', 0, 20)
  if #expired > 0 then
    redis.call('ZREM', index, unpack(expired))
  end
  if not life then
    redis.call('PERSIST', index)
  elseif left == -2 or (left >= 0 and left < life) then
    redis.call('PEXPIRE', index, text(life + GRACE))
  end
  reply[#reply + 1] = redis.call('ZCARD', index)
end
return reply
