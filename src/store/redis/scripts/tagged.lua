-- Finds the entries that carry any of some tags, by their first bytes alone.
-- KEYS: entries. ARGV: how many bytes stand before an entry's tags, the last four being their number; then the tags, 8 bytes each.
-- Answers which of the keys do, counted from 1.
local find, fixed, out = string.find, tonumber(ARGV[1]), {}

local function carries_any(tags)
  for i = 2, #ARGV do
    local at = 0
    repeat
      at = find(tags, ARGV[i], at + 1, true)
    until not at or at % 8 == 1
    if at then
      return true
    end
  end
end

for i = 1, #KEYS do
  local head = redis.pcall('GETRANGE', KEYS[i], 0, fixed - 1)
  if type(head) == 'string' and #head == fixed then
    local a, b, c, d = string.byte(head, fixed - 3, fixed)
    local count = a + 256 * (b + 256 * (c + 256 * d))
    if count > 0 and carries_any(redis.call('GETRANGE', KEYS[i], fixed, fixed + 8 * count - 1)) then
      out[#out + 1] = i
    end
  end
end
return out
