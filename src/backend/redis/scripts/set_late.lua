-- Some entry is of another epoch than the present one: what is too old is refused, and what nothing guards is given this one.
begin(raw)
bodies = {}
local buckets = {}
for e = 1, count do
  buckets[e] = ARGV[FIRST + EACH * (e - 1) + 3]
end
local floor, found = fences(KEYS[3], unpack(buckets))
for e = 1, count do
  local at = FIRST + EACH * (e - 1)
  if ARGV[at] ~= raw then
    if ARGV[at + 1] == '0' or ARGV[at + 1] == '2' then
      bodies[e] = restamped(ARGV[at + 4])
    else
      local g, digits = match(ARGV[at], '^([%da-f]+) (%d+)$')
      local own = g == generation and number(digits)
      if not own or own > n or own < fence(found[1 + e], floor) then
        reply[e] = 0
      end
    end
  end
end
end -- of what was begun in set_look
