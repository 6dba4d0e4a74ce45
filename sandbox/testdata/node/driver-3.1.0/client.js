'use strict';
const { KMSClient, DisableKeyCommand, EnableKeyCommand } = require('@aws-sdk/client-kms');
const { QLDBClient, DescribeLedgerCommand } = require('@aws-sdk/client-qldb');
const { QldbDriver, RetryConfig } = require('amazon-qldb-driver-nodejs');

const at = { endpoint: process.env.SANDBOX_URL, region: 'eu-west-2' };
const kms = new KMSClient(at);
const qldb = new QLDBClient(at);

require('../story.js').tell({
  connect: (ledger, pool) => new QldbDriver(ledger, at, {}, pool, new RetryConfig(4, () => 10)),
  disable: (key) => kms.send(new DisableKeyCommand({ KeyId: key })),
  enable: (key) => kms.send(new EnableKeyCommand({ KeyId: key })),
  healthy: async (ledger) =>
    (await qldb.send(new DescribeLedgerCommand({ Name: ledger }))).EncryptionDescription.EncryptionStatus === 'ENABLED',
  code: (error) => error.name,
});
