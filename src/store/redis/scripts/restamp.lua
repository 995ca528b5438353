-- Gives an entry the present epoch, as `envelope::restamp` does: bytes 13 to 30, which its checksum leaves out.
local CHECK_MODULUS = 65521
local stamp

local function restamped(entry)
  if not stamp then
    local bytes, rest, sum = {}, n, 0
    for i = 1, 8 do
      bytes[i] = tonumber(string.sub(generation, 17 - 2 * i, 18 - 2 * i), 16)
      bytes[8 + i] = rest % 256
      rest = math.floor(rest / 256)
    end
    for i = 1, 16 do
      sum = sum + i * (bytes[i] + 1)
    end
    sum = sum % CHECK_MODULUS
    bytes[17], bytes[18] = sum % 256, math.floor(sum / 256)
    stamp = string.char(unpack(bytes))
  end
  return string.sub(entry, 1, 12) .. stamp .. string.sub(entry, 31)
end
