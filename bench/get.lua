-- Reads records that post.lua has certainly created: not the first, for wrk asks for a request at its
-- start that it does not send.
local id = 0

function request()
  id = id % 10000 + 1
  return wrk.format("GET", "/record/" .. id + 1)
end
