-- Raises the fences of these buckets to the present epoch, never lowers one.
local function raise_fences(key, buckets)
  local floor, found = fences(key, unpack(buckets))
  local fields = { key }
  for i, bucket in ipairs(buckets) do
    fields[2 * i], fields[2 * i + 1] = bucket, text(math.max(n, fence(found[1 + i], floor)))
  end
  call('HSET', unpack(fields))
  call('PEXPIRE', key, DAY)
end
