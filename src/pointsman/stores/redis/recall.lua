-- Counts again what a process had used of windows, after the store lost its memory; see stores/shared_limits.py.
--
-- KEYS  1 epoch  2 who has told already  3.. the windows
-- ARGV  1 who tells, and which part of it  2 now in ms, '' for the server's own  3 the epoch
--       then of each window: grain moments, number of moments with units, and each as moment and units
-- gives 1: counted; 0: told before, or the epoch is another by now

local now = tonumber(ARGV[2])
if not now then now = tonumber(redis.call('TIME')[1]) * 1000 end
if redis.call('GET', KEYS[1]) ~= ARGV[3] then return 0 end
if redis.call('SADD', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('EXPIRE', KEYS[2], 3600)

local at = 4
for index = 3, #KEYS do
  local grain, moments, count = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local moment = math.floor(now / 1000 / grain)
  local first, counted, oldest = moment - moments + 1, 0, moment
  for part = 1, count do
    local when, units = tonumber(ARGV[at + 1 + 2 * part]), tonumber(ARGV[at + 2 + 2 * part])
    if when > moment then when = moment end
    if when >= first and units > 0 then
      redis.call('HINCRBY', KEYS[index], when, string.format('%.0f', units))
      counted = counted + units
      oldest = math.min(oldest, when)
    end
  end
  if counted > 0 then
    redis.call('HINCRBY', KEYS[index], 't', string.format('%.0f', counted))
    local known = tonumber(redis.call('HGET', KEYS[index], 'o') or oldest)
    redis.call('HSET', KEYS[index], 'o', string.format('%.0f', math.min(oldest, known)))
    redis.call('EXPIRE', KEYS[index], (moments + 2) * grain)
  end
  at = at + 3 + 2 * count
end
return 1
