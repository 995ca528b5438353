-- The fences: a hash of the epochs at which a key of each bucket was last cleared. Its field `floor` holds the generation,
-- and the epoch for buckets without a field of their own: that at which the hash began.

-- The floor, and what the hash holds of these buckets. A hash that is missing, of another generation, or none at all is
-- begun at the present epoch: what it held cannot be more.
local function fences(key, ...)
  local found = try('HMGET', key, 'floor', ...)
  local g, digits = match(found[1] or '', '^([%da-f]+) (%d+)$')
  local floor = g == generation and number(digits)
  if floor then
    return floor, found
  end
  call('DEL', key)
  call('HSET', key, 'floor', generation .. ' ' .. text(n))
  call('PEXPIRE', key, DAY)
  return n, {}
end

-- The epoch in a field; `floor` where there is none. What is no epoch counts as the present one.
local function fence(field, floor)
  if not field then
    return floor
  end
  return number(match(field, '^%d+$')) or n
end
