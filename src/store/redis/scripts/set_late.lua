-- Some entry is of another epoch than the present one: what is too old is refused, and what nothing guards is given this one.
begin(raw)
bodies = {}
local buckets = {}
for e = 1, count do
  buckets[e] = string.sub(ARGV[FIRST + EACH * (e - 1) + 3], 1, BUCKET)
end
local floor, found = fences(KEYS[3], unpack(buckets))

-- Whether the entry that is there is of a later epoch of this generation: then it is newer than what a miss of before brings.
local function is_replaced(key, own)
  local stamp = redis.pcall('GETRANGE', key, 12, 27)
  if type(stamp) ~= 'string' or #stamp < 16 then
    return false
  end
  local bytes, hex, later = { string.byte(stamp, 1, 16) }, {}, 0
  for i = 1, 8 do
    hex[i] = string.format('%02x', bytes[9 - i])
    later = later * 256 + bytes[17 - i]
  end
  return table.concat(hex) == generation and later > own
end

for e = 1, count do
  local at = FIRST + EACH * (e - 1)
  if ARGV[at] ~= raw then
    if ARGV[at + 1] == '0' or ARGV[at + 1] == '2' then
      bodies[e] = restamped(ARGV[at + 4])
    else
      local g, digits = match(ARGV[at], '^([%da-f]+) (%d+)$')
      local own = g == generation and number(digits)
      if not own or own > n or own < fence(found[1 + e], floor) or is_replaced(KEYS[5 + e], own) then
        reply[e] = 0
      end
    end
  end
end
end -- of what was begun in set_look
