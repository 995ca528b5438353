-- What every script begins with: the bookkeeping's text forms, and the epoch of the prefix, kept in KEYS[1].

-- A number here is a double, exact to 2^53; anything above this bound is no text of ours and counts as missing.
local LIMIT = 9e15
local DAY = 86400000
-- What a record or an index outlives its entries by, in milliseconds.
local GRACE = 60000
local RECORD = '^([%da-f]+) (%d+) (%d+)$'

local call, try = redis.call, redis.pcall
local match = string.match

-- tostring() and '..' would print large numbers as 1.7e+15.
local function text(number)
  return string.format('%.0f', number)
end

-- Of digits alone, as the patterns here capture them.
local function number(digits)
  local n = digits and #digits <= 16 and tonumber(digits)
  return n and n <= LIMIT and n or nil
end

-- `life` in milliseconds; nil = for ever.
local function put(key, value, life)
  if life then
    call('SET', key, value, 'PX', text(life))
  else
    call('SET', key, value)
  end
end

-- The server's clock, in microseconds.
local function clock()
  local time = call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local generation, n, star_all, star_auto

local function save_epoch()
  put(KEYS[1], generation .. ' ' .. text(n) .. ' ' .. text(star_all) .. ' ' .. text(star_auto))
end

-- Takes the epoch as MGET found it; a missing one begins a new generation, in which nothing stored so far is valid.
local function begin(raw)
  local g, a, b, c = match(raw or '', '^([%da-f]+) (%d+) (%d+) (%d+)$')
  generation, n, star_all, star_auto = g, number(a), number(b), number(c)
  if not (n and star_all and star_auto) or #generation ~= 16 or generation == '0000000000000000' then
    -- Drawn by the client: the server's own generator is seeded alike in every script.
    n = clock()
    generation, star_all, star_auto = ARGV[1], n, n
    save_epoch()
  end
end
