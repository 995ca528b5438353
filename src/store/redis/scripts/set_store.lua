local INDEXED = 2
-- Where a member stands in the index is rounded up to this part of its life: one that is entered again soon stays in its
-- place, which costs a third of moving it.
local GRAINS = 64

-- What is too short to be an entry, or of another type, is as good as nothing.
local function is_another(key, found)
  local there = redis.pcall('GETRANGE', key, 4, 23)
  return type(there) == 'string' and #there == 20 and there ~= found
end

local millis

-- Asked once, before anything is stored that needs it: a user who may not ask has stored nothing then.
local function time()
  if not millis then
    local now = redis.pcall('TIME')
    if now.err then
      return now
    end
    millis = now[1] * 1000
  end
end

local index, is_endless
for e = 1, count do
  local at = FIRST + EACH * (e - 1)
  local key, life, body = KEYS[5 + e], ARGV[at + 2], bodies and bodies[e] or ARGV[at + 4]
  local is_indexed = ARGV[at + 1] + 0 >= INDEXED
  if #ARGV[at + 3] > BUCKET and is_another(key, string.sub(ARGV[at + 3], BUCKET + 1)) then
    reply[e] = reply[e] or 0
  elseif is_indexed and life ~= '' then
    reply[e] = reply[e] or time()
  end
  if not reply[e] then
    local stored
    if life ~= '' then
      stored = redis.pcall('SET', key, body, 'PX', life)
    else
      stored = redis.pcall('SET', key, body)
    end
    if stored.err then
      reply[e] = stored
    else
      reply[e] = 1
      if is_indexed then
        local score = '+inf'
        if life ~= '' then
          local grain = math.max(1, life / GRAINS)
          score = string.format('%.0f', math.ceil((millis + 1000 + life) / grain) * grain)
        else
          is_endless = true
        end
        index = index or { KEYS[4] }
        index[#index + 1], index[#index + 2] = score, string.sub(key, ARGV[3])
      end
    end
  end
end

reply[count + 1] = 0
if index then
  if type(redis.pcall('ZADD', unpack(index))) == 'table' then
    -- A foreign type in the index's place.
    redis.call('UNLINK', KEYS[4])
    redis.call('ZADD', unpack(index))
  end
  if is_endless then
    redis.call('PERSIST', KEYS[4])
  end
  if ARGV[5] == '1' and not time() then
    reply[count + 1] = redis.call('ZCOUNT', KEYS[4], '-inf', string.format('%.0f', millis))
  end
end

local life = ARGV[4]
if life ~= '' then
  local DAY = 86400000
  -- Those who set announce it again and again; the longest of others must not end sooner for it. Without room for it the
  -- entries are stored all the same.
  local have = redis.pcall('GET', KEYS[5])
  have = type(have) == 'string' and string.match(have, '^%d+$') or '0'
  local longest = math.max(tonumber(life), #have <= 16 and tonumber(have) or 0)
  local twice = string.format('%.0f', 2 * longest + DAY)
  redis.pcall('SET', KEYS[5], string.format('%.0f', longest), 'PX', twice)
  -- As long as an entry that never ends is a member, it never ends either.
  if redis.pcall('ZCOUNT', KEYS[4], '+inf', '+inf') == 0 then
    redis.call('PEXPIRE', KEYS[4], twice)
  end
end
return reply
