-- Decrypts one ciphertext again and again.
local headers = {
  ["Content-Type"] = "application/x-amz-json-1.1",
  ["X-Amz-Target"] = "TrentService.Decrypt",
  ["Authorization"] = "AWS4-HMAC-SHA256 Credential=sandbox/20261123/eu-west-2/kms/aws4_request, SignedHeaders=host, Signature=00",
}
local body = '{"CiphertextBlob":"' .. os.getenv("CIPHERTEXT") .. '"}'

function request()
  return wrk.format("POST", "/", headers, body)
end
