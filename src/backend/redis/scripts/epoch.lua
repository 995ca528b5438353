-- What every script begins with: the bookkeeping's text forms, and the epoch of the prefix in KEYS[1].

-- A number here is a double, exact to 2^53; anything above this bound is no text of ours and counts as missing.
local LIMIT = 9e15
local DAY = 86400000
-- What a record or an index outlives its entries by, in milliseconds.
local GRACE = 60000

-- tostring() and '..' would print large numbers as 1.7e+15.
local function text(number)
  return string.format('%.0f', number)
end

local function number(digits)
  local n = digits and #digits <= 16 and tonumber(digits)
  return n and n <= LIMIT and n or nil
end

local function generation_of(digits)
  return digits and #digits == 16 and digits ~= '0000000000000000' and digits or nil
end

-- A key of a foreign type reads as absent, and the SET that follows replaces it.
local function read(key)
  local raw = redis.pcall('GET', key)
  return type(raw) == 'string' and raw or ''
end

-- The fields of a record, or nil.
local function record(key)
  local generation, all, auto = string.match(read(key), '^([%da-f]+) (%d+) (%d+)$')
  generation, all, auto = generation_of(generation), number(all), number(auto)
  if generation and all and auto then
    return generation, all, auto
  end
end

-- `life` in milliseconds; nil = for ever.
local function put(key, value, life)
  if life then
    redis.call('SET', key, value, 'PX', text(life))
  else
    redis.call('SET', key, value)
  end
end

local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])

local generation, n, star_all, star_auto

local function save_epoch()
  put(KEYS[1], generation .. ' ' .. text(n) .. ' ' .. text(star_all) .. ' ' .. text(star_auto))
end

-- The epoch as it is; a missing one begins a new generation, in which nothing stored so far is valid.
do
  local g, a, b, c = string.match(read(KEYS[1]), '^([%da-f]+) (%d+) (%d+) (%d+)$')
  generation, n, star_all, star_auto = generation_of(g), number(a), number(b), number(c)
  if not (generation and n and star_all and star_auto) then
    -- Drawn by the client: the server's own generator is seeded alike in every script.
    generation, n, star_all, star_auto = ARGV[1], micros, micros, micros
    save_epoch()
  end
end

-- The number of a fence of this generation, or nil.
local function fence(key)
  local fence_generation, raised = string.match(read(key), '^([%da-f]+) (%d+)$')
  return fence_generation == generation and number(raised) or nil
end
