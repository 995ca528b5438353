-- Advances the epoch past its number, the server's clock and `newest`, the newest that the caller has ever seen. Answers the
-- number before.
local function advance(newest)
  local log, before = KEYS[2], n
  n = math.max(before + 1, clock(), newest + 1)
  if type(try('ZSCORE', log, '#g' .. generation)) ~= 'string' then
    -- The log was lost: whatever it held was not newer than `before`, and entries of that epoch stay valid.
    call('UNLINK', log)
    call('ZADD', log, text(before), '#f')
  end
  call('ZADD', log, text(n), '#g' .. generation)
  save_epoch()
  return before
end
