-- Makes sure that there is an epoch, so that a first miss finds one to remember.
-- KEYS: epoch. ARGV: generation to begin if there is none.
return { generation, text(n) }
