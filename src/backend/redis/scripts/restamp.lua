-- What gives an entry the present epoch, as `envelope::restamp` does: its checksum has the stamp as XXH3 of 16 bytes. Numbers
-- of 64 bits are four of 16, the lowest first: a double holds 53. Made only where it is needed, which is rarely.
local function restamper()
  local LOW = { 0x39b9, 0xea42, 0x737b, 0x6782 }
  local HIGH = { 0x523a, 0x0996, 0xbc3b, 0xaf56 }
  local PRIME = { 0x79f9, 0x9e37, 0x6791, 0x1656 }
  local bxor, floor = bit.bxor, math.floor

  -- All 128 bits of the product.
  local function multiplied(a, b)
    local out = { 0, 0, 0, 0, 0, 0, 0, 0 }
    for i = 1, 4 do
      local carry = 0
      for j = 1, 4 do
        local sum = out[i + j - 1] + a[i] * b[j] + carry
        out[i + j - 1] = sum % 65536
        carry = floor(sum / 65536)
      end
      out[i + 4] = carry
    end
    return out
  end

  local function xxh3(stamp)
    local low, high = {}, {}
    for i = 1, 4 do
      low[i] = bxor(string.byte(stamp, 2 * i - 1) + 256 * string.byte(stamp, 2 * i), LOW[i])
      high[i] = bxor(string.byte(stamp, 2 * i + 7) + 256 * string.byte(stamp, 2 * i + 8), HIGH[i])
    end
    local product, sum, carry = multiplied(low, high), {}, 16
    for i = 1, 4 do
      local mirrored = low[5 - i] % 256 * 256 + floor(low[5 - i] / 256)
      local all = mirrored + high[i] + bxor(product[i], product[i + 4]) + carry
      sum[i] = all % 65536
      carry = floor(all / 65536)
    end
    sum[1] = bxor(sum[1], floor(sum[3] / 32) + sum[4] % 32 * 2048)
    sum[2] = bxor(sum[2], floor(sum[4] / 32))
    sum = multiplied(sum, PRIME)
    return { bxor(sum[1], sum[3]), bxor(sum[2], sum[4]), sum[3], sum[4] }
  end

  local hashes = {}

  local function hash(stamp)
    hashes[stamp] = hashes[stamp] or xxh3(stamp)
    return hashes[stamp]
  end

  local function present_stamp()
    local bytes, rest = {}, n
    for i = 1, 8 do
      bytes[i] = tonumber(string.sub(generation, 17 - 2 * i, 18 - 2 * i), 16)
      bytes[8 + i] = rest % 256
      rest = floor(rest / 256)
    end
    return string.char(unpack(bytes))
  end

  local stamp = present_stamp()

  -- The checksum stands before the stamp.
  return function(entry)
    local old, new = hash(string.sub(entry, 13, 28)), hash(stamp)
    local sum = { string.byte(entry, 5, 12) }
    for i = 1, 4 do
      local change = bxor(old[i], new[i])
      sum[2 * i - 1] = bxor(sum[2 * i - 1], change % 256)
      sum[2 * i] = bxor(sum[2 * i], floor(change / 256))
    end
    return string.sub(entry, 1, 4) .. string.char(unpack(sum)) .. stamp .. string.sub(entry, 29)
  end
end
