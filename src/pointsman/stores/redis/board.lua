-- Replaces a document, if it is still the one that was read, and tells what it is now.
--
-- KEYS  1 the document  2 since when there are documents
-- ARGV  1 the version that was read  2 the new document, '' to read only  3 for how many ms it is kept
-- gives 1 if it was replaced, the version, the document where it was not, now in ms, since when there are documents in ms

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local since = redis.call('GET', KEYS[2])
if not since then
  since = now
  redis.call('SET', KEYS[2], since)
end
local found = redis.call('HMGET', KEYS[1], 'version', 'document')
local version = found[1] or '0'
if ARGV[2] == '' or version ~= ARGV[1] then
  return { 0, version, found[2] or '', now, since }
end
version = string.format('%.0f', tonumber(version) + 1)
redis.call('HSET', KEYS[1], 'version', version, 'document', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { 1, version, '', now, since }
