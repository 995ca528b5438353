-- Makes sure that there is an epoch, so that a first miss finds one to remember, and fences, so that a first set after
-- it is not refused for want of them.
-- KEYS: epoch, fences. ARGV: generation to begin if there is none.
begin(call('MGET', KEYS[1])[1])
fences(KEYS[2])
return { generation, text(n) }
