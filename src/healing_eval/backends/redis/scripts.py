"""Which steps must Redis take as one?

What moves a message does it in one script, so that no crash loses it between two steps. What adds comes before what
removes: a script that runs out of memory half-way has then lost nothing. All keys of a script belong to one lane, hence
to one slot.
"""

from __future__ import annotations

from healing_eval.backends.redis.link import Script
from healing_eval.backends.redis.messages import BYTES, FIELD, KEY_BYTES, TRACE_BYTES, TRACE_FIELD

_MESSAGE_OF = f"""
local function message_of(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == '{FIELD}' and #entry[2][i + 1] == {BYTES} then return entry[2][i + 1] end
  end
  return ''
end
local function trace_of(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == '{TRACE_FIELD}' and #entry[2][i + 1] == {TRACE_BYTES} then return entry[2][i + 1] end
  end
  return ''
end
local function with_attempts(message, attempts)
  return string.sub(message, 1, {KEY_BYTES}) .. struct.pack('>H', math.min(attempts, 65535))
end
local function attempts_of(message)
  return (struct.unpack('>H', string.sub(message, {KEY_BYTES + 1})))
end
"""
_ADD = f"""
local function add(stream, message, trace)
  if trace == '' then
    redis.call('XADD', stream, '*', '{FIELD}', message)
  else
    redis.call('XADD', stream, '*', '{FIELD}', message, '{TRACE_FIELD}', trace)
  end
end
"""

APPEND = Script(
    f"""
local messages = ARGV[1]
for i = 1, #messages, {BYTES} do
  redis.call('XADD', KEYS[1], '*', '{FIELD}', string.sub(messages, i, i + {BYTES - 1}))
end
""",
    keys=1,
)
"""stream; messages, one after the other."""

APPEND_TRACED = Script(
    _ADD
    + f"""
local messages = ARGV[1]
for i = 1, #messages, {BYTES + TRACE_BYTES} do
  local trace = string.sub(messages, i + {BYTES}, i + {BYTES + TRACE_BYTES - 1})
  add(KEYS[1], string.sub(messages, i, i + {BYTES - 1}), trace)
end
""",
    keys=1,
)
"""stream; messages, one after the other, each followed by its traceparent."""

APPEND_AND_READ = Script(
    _ADD
    + f"""
local messages = ARGV[5]
for i = 1, #messages, {BYTES} do add(KEYS[1], string.sub(messages, i, i + {BYTES - 1}), ARGV[4]) end
if tonumber(ARGV[3]) < 1 then return {{}} end
local function read()
  return redis.pcall('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[3], 'STREAMS', KEYS[1], '>')
end
local found = read()
if found and found.err and string.find(found.err, 'NOGROUP') then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
  found = read()
end
if found and found.err then return found end
return found and found[1][2] or {{}}
""",
    keys=1,
)
"""stream; group, consumer, how many to read, traceparent of all or nothing, messages. [id, fields] each.

Whoever is blocked in a read is served only after a script, so nobody gets in between. A group that is missing is made
here: to do all of it again would add the messages again.
"""

ACK = Script(
    """
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 2))
redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
""",
    keys=1,
)
"""stream; group, ids."""

CLAIM = Script(
    """
local taken = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local answer = {taken[1]}
for _, entry in ipairs(taken[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)[1]
  answer[#answer + 1] = {entry[1], entry[2], pending[4]}
end
return answer
""",
    keys=1,
)
"""stream; group, consumer, idle milliseconds, cursor, count. The next cursor, then [id, fields, deliveries] each."""

HOLD = Script(
    """
local held = {}
for i = 3, #ARGV do
  if redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])[1] then held[#held + 1] = ARGV[i] end
end
if #held > 0 then
  held[#held + 1] = 'JUSTID'
  redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, unpack(held))
end
""",
    keys=1,
)
"""stream; group, consumer, ids. Those that are in this consumer's hands begin their idle time anew.

What another has claimed meanwhile stays there: a claim of ours would take it back. With JUSTID nothing is counted.
"""

RELEASE = Script(
    _MESSAGE_OF
    + _ADD
    + """
local now = redis.call('TIME')
local due = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2]
for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1)[1]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  local message = entry and message_of(entry) or ''
  if pending and message ~= '' and attempts_of(message) + pending[4] == tonumber(ARGV[i + 1]) then
    message = with_attempts(message, ARGV[i + 1] - 1 + ARGV[3])
    if tonumber(ARGV[2]) > 0 then
      redis.call('ZADD', KEYS[2], due, id .. ':' .. trace_of(entry) .. message)
    else
      add(KEYS[1], message, trace_of(entry))
    end
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
  end
end
""",
    keys=2,
)
"""stream, delayed; group, delay in milliseconds, 1 if this counts as an attempt, else 0, then id and attempt of each.

An attempt that is not the current one was taken over by somebody else, or is not in anybody's hands any more.
"""

RIPEN = Script(
    _ADD
    + f"""
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
  local trace = string.match(string.sub(member, 1, -{BYTES + 1}), ':(.*)$') or ''
  add(KEYS[1], string.sub(member, -{BYTES}), #trace == {TRACE_BYTES} and trace or '')
  redis.call('ZREM', KEYS[2], member)
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if #first == 0 then return -1 end
return math.max(0, tonumber(first[2]) - now)
""",
    keys=2,
)
"""stream, delayed; most messages at once. Milliseconds until the next is due, -1 if there is none."""

FAILING_FOR = Script(
    f"""
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
local ages = {{}}
for i = 1, #ARGV[2], {KEY_BYTES} do
  local key = string.sub(ARGV[2], i, i + {KEY_BYTES - 1})
  redis.call('ZADD', KEYS[1], 'NX', now, key)
  ages[#ages + 1] = math.max(0, now - redis.call('ZSCORE', KEYS[1], key))
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return ages
""",
    keys=1,
)
"""failing; milliseconds after which a first failure is forgotten, keys one after the other. Milliseconds since each."""

DEPTH = Script("return redis.call('XLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2])", keys=2)
"""stream, delayed."""

BURY = Script(
    _MESSAGE_OF
    + """
for i = 4, #ARGV, 2 do
  local id = ARGV[i]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[2], '*', 'k', message_of(entry), 'n', ARGV[i + 1], 'r', ARGV[3])
    redis.call('XACK', KEYS[1], ARGV[1], id)
    redis.call('XDEL', KEYS[1], id)
  end
end
""",
    keys=2,
)
"""stream, dead; group, how many to keep, reason, then id and attempt of each."""

REVIVE = Script(
    _MESSAGE_OF
    + f"""
local revived = 0
for _, id in ipairs(ARGV) do
  local letter = redis.call('XRANGE', KEYS[2], id, id)[1]
  local message = letter and message_of(letter) or ''
  if message ~= '' then
    redis.call('XADD', KEYS[1], '*', '{FIELD}', with_attempts(message, 0))
    redis.call('XDEL', KEYS[2], id)
    revived = revived + 1
  end
end
if redis.call('XLEN', KEYS[2]) == 0 then redis.call('DEL', KEYS[2]) end
return revived
""",
    keys=2,
)
"""stream, dead; ids of dead letters."""

DROP = Script(
    """
local dropped = redis.call('XDEL', KEYS[1], unpack(ARGV))
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[1]) end
return dropped
""",
    keys=1,
)
"""dead; ids of dead letters."""

FORGET = Script(
    """
local leaving = {}
for i = 3, #ARGV do leaving[ARGV[i]] = true end
local forgotten = 0
for _, fields in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #fields, 2 do consumer[fields[i]] = fields[i + 1] end
  local gone = leaving[consumer['name']] or consumer['idle'] >= tonumber(ARGV[2])
  if gone and consumer['pending'] == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
    forgotten = forgotten + 1
  end
end
return forgotten
""",
    keys=1,
)
"""stream; group, idle milliseconds after which a consumer is gone, names of consumers that are leaving.

Only those that hold nothing are removed; what others hold is claimed first.
"""
