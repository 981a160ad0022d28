-- What stores/shared_limits.py promises, in one step. Written to run on Redis 6.2 and later, and on Valkey.
--
-- KEYS  1 epoch  2 holders  3.. the accounts
-- ARGV  1 who asks  2 now in ms, '' for the server's own  3 whether all or nothing  4 the epoch it knows, '' for none
--       5 ms for which a process lives  6 ms for which what is settled outlives it  7 ms of gathering
--       then of each account: limit grain moments need single wish edge idle kept kept_at held settled spent
--       number of changes, and each as moment and difference
-- gives { status, now in ms, replicas, granted, used, wait, missed, granted, used, wait, missed ... }
--       status 1: done; 0: the epoch is another (the second value), or gathering goes on
--
-- A window is a hash: t the total, o the oldest moment that may still count, and the units by moment.
-- What is held is a hash with three fields of each process: h<id> held, p<id> settled, s<id> the database's spending.
-- Sums are kept by HINCRBY, whose whole numbers have 64 bits; Lua's have 53, which is enough to compare them.

local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local me, whole = ARGV[1], ARGV[3] == '1'
local live, outlive, gather = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

redis.call('ZADD', KEYS[2], now + live, me)
redis.call('PEXPIRE', KEYS[2], live + outlive)
if #KEYS == 2 then redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - outlive) end
local replicas = redis.call('ZCOUNT', KEYS[2], '(' .. string.format('%.0f', now), '+inf')

local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = string.format('%.0f', now)
  redis.call('SET', KEYS[1], epoch)
end
if epoch ~= ARGV[4] or now < tonumber(epoch) + gather then
  return { 0, string.format('%.0f', now), replicas, epoch }
end

local function whole_number(value) return string.format('%.0f', value) end

local scores -- of the holders, by id; only looked for where something is held
local function score(id)
  if not scores then
    scores = {}
    local listed = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
    for i = 1, #listed, 2 do scores[listed[i]] = tonumber(listed[i + 1]) end
  end
  return scores[id] or 0
end

local function take_window(key, trade)
  local moment = math.floor(now / 1000 / trade.grain)
  local first = moment - trade.moments + 1 -- the oldest that counts
  local state = redis.call('HMGET', key, 't', 'o')
  local total, oldest = tonumber(state[1] or 0), tonumber(state[2] or first)
  if oldest + trade.moments <= first then
    redis.call('DEL', key)
    total, oldest = 0, first
  end
  for past = oldest, first - 1 do
    local gone = redis.call('HGET', key, whole_number(past))
    if gone then
      total = total - tonumber(gone)
      redis.call('HDEL', key, whole_number(past))
    end
  end
  local function count(at, units)
    if at < first then return end
    local field = whole_number(math.min(at, moment))
    local there = tonumber(redis.call('HGET', key, field) or 0)
    units = math.max(units, -there)
    if units == 0 then return end
    redis.call('HINCRBY', key, field, whole_number(units))
    total = total + units
  end
  for _, change in ipairs(trade.changes) do count(change[1], change[2]) end
  if trade.kept > 0 and trade.kept_at < moment then
    count(trade.kept_at, -trade.kept)
    count(moment, trade.kept)
  end
  trade.used, trade.moment, trade.count = total, moment, count
  trade.oldest = math.max(oldest, first)
end

local function window_wait(key, trade)
  local free = trade.limit - trade.used
  local units = redis.call('HGETALL', key)
  local by_moment = {}
  for i = 1, #units, 2 do by_moment[units[i]] = tonumber(units[i + 1]) end
  for ahead = 1, trade.moments do
    free = free + (by_moment[whole_number(trade.moment + ahead - trade.moments)] or 0)
    if free >= trade.single then return ahead * trade.grain end
  end
  return (trade.moments - 1) * trade.grain
end

local function take_held(key, trade)
  local all = redis.call('HGETALL', key)
  local used, spent = trade.held + trade.settled, trade.spent
  local dead = {}
  for i = 1, #all, 2 do
    local kind, id = string.sub(all[i], 1, 1), string.sub(all[i], 2)
    if id ~= me then
      local until_ms = score(id)
      if kind == 'p' then until_ms = until_ms + outlive end
      local units = tonumber(all[i + 1])
      if until_ms <= now then
        dead[#dead + 1] = all[i]
      elseif kind == 's' then
        spent = math.max(spent, units)
      else
        used = used + units
      end
    end
  end
  if #dead > 0 then redis.call('HDEL', key, unpack(dead)) end
  trade.used = used + spent
end

local function tell(key, field, text)
  if text == '0' then redis.call('HDEL', key, field) else redis.call('HSET', key, field, text) end
end

local trades, at = {}, 8
for index = 1, #KEYS - 2 do
  local trade = {}
  for place, name in ipairs({ 'limit', 'grain', 'moments', 'need', 'single', 'wish', 'edge', 'idle', 'kept', 'kept_at',
      'held', 'settled', 'spent' }) do
    trade[name] = tonumber(ARGV[at + place - 1])
  end
  trade.held_text, trade.settled_text, trade.spent_text = ARGV[at + 10], ARGV[at + 11], ARGV[at + 12]
  local changes = tonumber(ARGV[at + 13])
  trade.changes = {}
  for change = 1, changes do
    trade.changes[change] = { tonumber(ARGV[at + 12 + 2 * change]), tonumber(ARGV[at + 13 + 2 * change]) }
  end
  at = at + 14 + 2 * changes
  local key = KEYS[index + 2]
  if trade.grain > 0 then take_window(key, trade) else take_held(key, trade) end
  trades[index] = trade
end

local fits = true
for _, trade in ipairs(trades) do
  trade.room = trade.limit - trade.used
  trade.most = trade.room
  if trade.edge == 1 and trade.room + trade.idle > 0 then trade.most = trade.room + math.max(trade.single - 1, 0) end
  trade.misses = trade.need > math.max(trade.most, 0)
  if trade.misses then fits = false end
end

local answer = { 1, string.format('%.0f', now), replicas }
for index, trade in ipairs(trades) do
  local key, granted = KEYS[index + 2], 0
  if whole and not fits then
    granted = 0
  elseif trade.misses then
    granted = math.max(trade.most, 0)
  else
    -- What is given in advance halves with every grant, so that what is left is never all in one hand.
    granted = math.max(trade.need, math.min(trade.wish, math.floor(math.max(trade.room, 0) / (2 * replicas))))
  end
  local wait = 0
  if trade.grain > 0 then
    if trade.misses then wait = window_wait(key, trade) end
    trade.count(trade.moment, granted)
    trade.used = trade.used + granted
    if redis.call('EXISTS', key) == 1 then
      redis.call('HSET', key, 't', whole_number(trade.used), 'o', whole_number(trade.oldest))
      redis.call('EXPIRE', key, (trade.moments + 2) * trade.grain)
    end
  else
    local held = granted > 0 and whole_number(trade.held + granted) or trade.held_text
    tell(key, 'h' .. me, held)
    tell(key, 'p' .. me, trade.settled_text)
    tell(key, 's' .. me, trade.spent_text)
    redis.call('PEXPIRE', key, live + outlive)
    trade.used = trade.used + granted
  end
  answer[#answer + 1] = whole_number(granted)
  answer[#answer + 1] = whole_number(trade.used)
  answer[#answer + 1] = wait
  answer[#answer + 1] = trade.misses and 1 or 0
end
return answer
