-- Creates records with ids from 1 on.
local id = 0
local headers = { ["Content-Type"] = "application/json" }

function request()
  id = id + 1
  local body = string.format(
    '{"id":%d,"firstName":"Ada","lastName":"Lovelace","email":"ada%d@example.com","city":"London"}', id, id)
  return wrk.format("POST", "/record", headers, body)
end
