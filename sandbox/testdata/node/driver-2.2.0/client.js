'use strict';
// The SDK that driver 2.2.0 uses ignores AWS_ENDPOINT_URL, so it is told in each client's options.
const AWS = require('aws-sdk');
const { QldbDriver, RetryConfig } = require('amazon-qldb-driver-nodejs');

const at = { endpoint: process.env.SANDBOX_URL, region: 'eu-west-2' };
const kms = new AWS.KMS(at);
const qldb = new AWS.QLDB(at);

require('../story.js').tell({
  connect: (ledger, pool) => new QldbDriver(ledger, at, pool, new RetryConfig(4, () => 10)),
  disable: (key) => kms.disableKey({ KeyId: key }).promise(),
  enable: (key) => kms.enableKey({ KeyId: key }).promise(),
  healthy: async (ledger) =>
    (await qldb.describeLedger({ Name: ledger }).promise()).EncryptionDescription.EncryptionStatus === 'ENABLED',
  code: (error) => error.code || error.name,
});
