-- Stores entries in their order, each unless a clear since its epoch forbids it. An entry that no miss guards is then given
-- the present epoch instead: to send it again would let what was asked after it come before it.
-- KEYS: epoch, the record of each tag, the index of each tag, then the entries, then fences.
-- ARGV: generation to begin if there is none; number of entries; number of heads; where in an entry's store key the
--       user's key begins;
--       two bytes an entry: flags (1 = automatic invalidations clear it, 2 = a miss guards it), and which head is its own;
--       of each tag, as bytes: 0, or how many sets its upkeep was put off for; the head of its longest life; how many
--       entries have it; which;
--       of each head, what entries share: their epoch as `<generation> <n>`; their life in milliseconds ('' = for ever);
--       the buckets of the entries' keys, three characters each; then each entry's bytes.
-- Answers, of each entry, 1 = stored, 0 = too old, or an error; the epoch if one was too old, else ''; and of each tag that
-- was looked after: which, how long its record and its index live (-1 = for ever, 0 = not looked at), the index's size.
local EVER = math.huge
-- Each set takes more expired members out than it brings in, so an index in use shrinks to what lives.
local SHED = 20
-- Where a member stands in an index is rounded up to this part of its life: one that is entered again soon stays in its
-- place, which costs a third of moving it.
local GRAINS = 64
-- The flag of an entry that a miss guards.
local GUARDED = 2

local KEYS, ARGV = KEYS, ARGV
local byte, sub = string.byte, string.sub

local count, heads = tonumber(ARGV[2]), tonumber(ARGV[3])
local tags = (#KEYS - 2 - count) / 2
local entries = 1 + 2 * tags
local bodies = 7 + 2 * heads
local marks, uses = { byte(ARGV[5], 1, -1) }, { byte(ARGV[6], 1, -1) }

local raw = call('MGET', unpack(KEYS, 1, 1 + tags))
begin(raw[1])

-- An entry of the present epoch is older than no clear, so nothing that was cleared need be looked at.
local owns, lives, late = {}, {}, false
for h = 1, heads do
  local g, digits = match(ARGV[5 + 2 * h], '^([%da-f]+) (%d+)$')
  local own = g == generation and number(digits) or -1
  owns[h], lives[h] = own, tonumber(ARGV[6 + 2 * h]) or EVER
  if own < n then late = true end
end

-- What the epoch of each entry must not be below.
local bounds = {}
if late then
  local buckets = {}
  for e = 1, count do
    buckets[e] = sub(ARGV[bodies], 3 * e - 2, 3 * e)
  end
  local floor, found = fences(KEYS[#KEYS], unpack(buckets))
  for e = 1, count do
    local bound = math.max(star_all, fence(found[1 + e], floor))
    if marks[2 * e - 1] % 2 == 1 and star_auto > bound then bound = star_auto end
    bounds[e] = bound
  end
end

local function record_life(life)
  -- Twice the entry's: later sets of the same lifetime then seldom have to extend it, which tells every reader.
  return life ~= EVER and 2 * life + GRACE or nil
end

-- Records that are missing are made at the present epoch, before anything is decided: a set that comes too late then
-- prepares the way for the next one.
local prefix, made = generation .. ' ', {}
local at = 1
for i = 1, tags do
  local record, last = raw[1 + i], at + 2 + uses[at + 2]
  local all, auto
  -- The usual length is taken for the usual form: only these scripts write a record that begins so.
  if not (record and sub(record, 1, 17) == prefix and (#record == 50 or match(record, '^%d+ %d+$', 18))) then
    all, auto = n, n
    made[i] = true
    put(KEYS[1 + i], prefix .. text(n) .. ' ' .. text(n), record_life(lives[uses[at + 1]]))
  end
  if late then
    if not all then
      local _, a, b = match(record, RECORD)
      all, auto = number(a) or n, number(b) or n
    end
    for u = at + 3, last do
      local e = uses[u]
      if all > bounds[e] then bounds[e] = all end
      if marks[2 * e - 1] % 2 == 1 and auto > bounds[e] then bounds[e] = auto end
    end
  end
  at = last + 1
end

local reply, too_old, all_stored, restamp = {}, false, true
for e = 1, count do
  local h = marks[2 * e]
  local is_too_old = late and owns[h] < bounds[e]
  too_old = too_old or is_too_old
  if is_too_old and (marks[2 * e - 1] >= GUARDED or n < bounds[e]) then
    reply[e], all_stored = 0, false
  else
    local body, stored = ARGV[bodies + e]
    if is_too_old then
      restamp = restamp or restamper()
      body = restamp(body)
    end
    if lives[h] ~= EVER then
      stored = try('SET', KEYS[entries + e], body, 'PX', ARGV[6 + 2 * h])
    else
      stored = try('SET', KEYS[entries + e], body)
    end
    if stored.err then
      reply[e], all_stored = stored, false
    else
      reply[e] = 1
    end
  end
end
reply[count + 1] = too_old and generation .. ' ' .. text(n) or ''
if tags == 0 then
  return reply
end

local millis = math.floor(clock() / 1000)
local offset = tonumber(ARGV[4])
local scores, members, add = {}, {}, {}
local indexes_are_there = call('EXISTS', unpack(KEYS, 2 + tags, 1 + 2 * tags)) == tags
local answers = count + 1
at = 1
for i = 1, tags do
  local put_off, life, last = uses[at], lives[uses[at + 1]], at + 2 + uses[at + 2]
  local index, added = KEYS[1 + tags + i], 1
  for u = at + 3, last do
    local e = uses[u]
    if all_stored or reply[e] == 1 then
      local h = marks[2 * e]
      local score, member = scores[h], members[e]
      if not score then
        local grain = math.max(1, lives[h] / GRAINS)
        score = lives[h] ~= EVER and text(math.ceil((millis + lives[h]) / grain) * grain) or '+inf'
        scores[h] = score
      end
      if not member then
        member = sub(KEYS[entries + e], offset)
        members[e] = member
      end
      add[added + 1], add[added + 2] = score, member
      added = added + 2
    end
  end
  at = last + 1

  local record_left, index_left, size = 0, 0, 0
  if made[i] then
    record_left = record_life(life) or -1
  end
  if added > 1 then
    add[1] = index
    -- An index that is not looked after must be there: one that ZADD makes would live for ever.
    local left
    if put_off > 0 then
      left = call('PTTL', index)
    elseif not indexes_are_there and call('EXISTS', index) == 0 then
      left = -2
    end
    if put_off > 0 and not made[i] then
      record_left = call('PTTL', KEYS[1 + i])
      if record_left ~= -1 and record_left < life then
        record_left = record_life(life) or -1
        if life ~= EVER then
          call('PEXPIRE', KEYS[1 + i], text(record_left))
        else
          call('PERSIST', KEYS[1 + i])
        end
      end
    end
    if type(try('ZADD', unpack(add, 1, added))) == 'table' then
      -- A foreign type in the index's place.
      call('DEL', index)
      call('ZADD', unpack(add, 1, added))
      left = -2
    end
    if left then
      local expired = call('ZCOUNT', index, '-inf', text(millis))
      if expired > 0 then
        call('ZREMRANGEBYRANK', index, 0, math.min(expired, SHED * math.max(put_off, 1)) - 1)
      end
      if life == EVER then
        call('PERSIST', index)
        left = -1
      elseif left == -2 or (left >= 0 and left < life) then
        left = life + GRACE
        call('PEXPIRE', index, text(left))
      end
      index_left, size = left, call('ZCARD', index)
    end
  end
  if record_left ~= 0 or index_left ~= 0 then
    reply[answers + 1], reply[answers + 2] = i, record_left
    reply[answers + 3], reply[answers + 4] = index_left, size
    answers = answers + 4
  end
end
return reply
