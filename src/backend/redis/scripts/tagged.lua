-- Finds the entries that carry a tag, by their first bytes alone.
-- KEYS: entries. ARGV: the tag, 8 bytes; how many bytes stand before an entry's tags, the last four being their number.
-- Answers which of the keys do, counted from 1.
local tag, fixed = ARGV[1], tonumber(ARGV[2])
local out = {}
for i = 1, #KEYS do
  local head = redis.pcall('GETRANGE', KEYS[i], 0, fixed - 1)
  if type(head) == 'string' and #head == fixed then
    local a, b, c, d = string.byte(head, fixed - 3, fixed)
    local count = a + 256 * (b + 256 * (c + 256 * d))
    if count > 0 then
      local tags = redis.call('GETRANGE', KEYS[i], fixed, fixed + 8 * count - 1)
      local at = 0
      repeat
        at = string.find(tags, tag, at + 1, true)
      until not at or at % 8 == 1
      if at then
        out[#out + 1] = i
      end
    end
  end
end
return out
