-- What every script begins with: the epoch of the prefix, `<generation> <n>` in KEYS[1], and the clear log in KEYS[2], a
-- sorted set. Its members: `#g<generation>` with the number of the last advance, `#f` with the floor, and for every tag cleared
-- since the floor `h` or `s` (hard or soft) and the tag's 8 bytes, with the number of its last clear (docs/internals/tags.md).

-- A number here is a double, exact to 2^53; anything above this bound is no text of ours and counts as missing.
local LIMIT = 9e15
local DAY = 86400000

local call, try = redis.call, redis.pcall
local match = string.match
local KEYS, ARGV = KEYS, ARGV

-- tostring() and '..' would print large numbers as 1.7e+15.
local function text(number)
  return string.format('%.0f', number)
end

-- Of digits alone, as the patterns here capture them.
local function number(digits)
  local n = digits and #digits <= 16 and tonumber(digits)
  return n and n <= LIMIT and n or nil
end

-- The server's clock, in microseconds.
local function clock()
  local time = call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local generation, n

local function save_epoch()
  call('SET', KEYS[1], generation .. ' ' .. text(n))
end

-- Takes the epoch as GET found it; a missing one begins a new generation, in which nothing stored so far is valid. Answers
-- whether it did.
local function begin(raw)
  local g, digits = match(type(raw) == 'string' and raw or '', '^([%da-f]+) (%d+)$')
  generation, n = g, number(digits)
  if n and #generation == 16 and generation ~= '0000000000000000' then
    return false
  end
  -- Drawn by the client: the server's own generator is seeded alike in every script.
  generation, n = ARGV[1], clock()
  save_epoch()
  call('UNLINK', KEYS[2])
  call('ZADD', KEYS[2], text(n), '#f', text(n), '#g' .. generation)
  return true
end
