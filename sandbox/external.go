package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"loadkms/sandbox/iam"
	"loadkms/sandbox/ledger"
)

// external is the stack around a key that is somewhere else: the article's, without the keys and the
// alias. Its output mainKeyID is the key, so that what is written for the article finds it.
const external = `AWSTemplateFormatVersion: '2010-09-09'
Description: A QLDB ledger under a customer managed KMS key of another KMS
Parameters:
  Stage: {Type: String}
  LedgerKey: {Type: String}
  MainKeyID: {Type: String}
Resources:
  QLDBKMSLedger:
    Type: AWS::QLDB::Ledger
    Properties:
      Name: !Sub qldb-kms-ledger-${Stage}
      DeletionProtection: false
      KmsKey: !Ref LedgerKey
      PermissionsMode: STANDARD
      Tags:
        - {Key: name, Value: qldb-kms-ledger}
  CreateRecordRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: qldb-kms-create-record-role
      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}
      Policies:
        - PolicyName: ledger
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Action: ['qldb:PartiQLInsert']
                Resource: !Sub arn:${AWS::Partition}:qldb:${AWS::Region}:${AWS::AccountId}:ledger/qldb-kms-ledger-${Stage}/*
              - Effect: Allow
                Action: ['qldb:SendCommand']
                Resource: !Sub arn:${AWS::Partition}:qldb:${AWS::Region}:${AWS::AccountId}:ledger/qldb-kms-ledger-${Stage}
  GetRecordRole:
    Type: AWS::IAM::Role
    Properties:
      RoleName: qldb-kms-get-record-role
      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}
      Policies:
        - PolicyName: ledger
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Effect: Allow
                Action: ['qldb:PartiQLSelect']
                Resource: !Sub arn:${AWS::Partition}:qldb:${AWS::Region}:${AWS::AccountId}:ledger/qldb-kms-ledger-${Stage}/*
              - Effect: Allow
                Action: ['qldb:SendCommand']
                Resource: !Sub arn:${AWS::Partition}:qldb:${AWS::Region}:${AWS::AccountId}:ledger/qldb-kms-ledger-${Stage}
  RestApi:
    Type: AWS::ApiGateway::RestApi
    Properties: {Name: !Sub '${Stage}-qldb-kms'}
Outputs:
  mainKeyID: {Value: !Ref MainKeyID, Export: {Name: mainKeyID}}
  ServiceEndpoint:
    Description: URL of the service endpoint
    Value: !Sub https://${RestApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}
`

// useExternal makes o's template the one around the key that o names, after a look at it.
func (o *Options) useExternal(ctx context.Context, admin iam.Caller) error {
	key, err := o.Keys.Describe(ctx, admin, o.LedgerKey)
	if refusal, ok := errors.AsType[*ledger.KeyError](err); ok {
		return fmt.Errorf("look at the ledger's key %s: %s: %s", o.LedgerKey, refusal.Code, refusal.Message)
	}
	if err != nil {
		return fmt.Errorf("look at the ledger's key: %w", err)
	}
	o.Template = external
	_, id, _ := strings.Cut(key.ARN, ":key/")
	o.Parameters = map[string]string{"LedgerKey": o.LedgerKey, "MainKeyID": id}
	return nil
}

// checkExternal refuses options that do not go with keys of another KMS.
func (o *Options) checkExternal() error {
	switch {
	case o.Keys == nil && o.LedgerKey != "":
		return errors.New("a ledger key is for keys of another KMS, and there is none")
	case o.Keys != nil && o.LedgerKey == "":
		return errors.New("keys of another KMS need the name of the one for the ledger")
	case o.Keys != nil && o.DataDir != "":
		return errors.New("a data directory does not go with keys of another KMS, where grants end with the sandbox")
	case o.Keys != nil && (o.Template != "" || len(o.Parameters) > 0):
		return errors.New("a template makes its own keys, and does not go with those of another KMS")
	}
	return nil
}
